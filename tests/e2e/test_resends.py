"""A submit whose answer never came is sent again under its key: never a second batch."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import httpx
import psycopg
from e2e_house import House

ROUNDS_COUNT = 10
# From a kill before the submit can arrive to one after its answer; they take some milliseconds.
KILLED_LATER_BY_SECONDS = 0.002


def _send(client: httpx.Client, key: str) -> dict[str, Any] | None:
    """What a submit under the key answers; None when the server died first."""
    body = {"model": "PROBE", "prompt": "plain", "image_number": 2, "resolution": "64x64"}
    headers = {"Idempotency-Key": key}
    try:
        answer = client.post("/v1/generation/text-to-image", json=body, headers=headers)
    except httpx.TransportError:
        return None
    assert answer.status_code == 200, answer.text
    return {"replayed": "Idempotent-Replayed" in answer.headers, **answer.json()["data"]}


def test_a_submit_sent_again_after_a_kill_made_one_batch(house: House) -> None:
    server = house.start("serve", "--workers", "0")
    client = house.client()
    client.get("/v1/generation/balance").raise_for_status()
    with ThreadPoolExecutor(1) as pool:
        for number in range(ROUNDS_COUNT):
            sent: Future[dict[str, Any] | None] = pool.submit(_send, client, f"k{number}")
            wait([sent], number * KILLED_LATER_BY_SECONDS)
            house.kill(server)
            first = sent.result(30)
            server = house.start("serve", "--workers", "0")
            client.base_url = httpx.URL(house.url)
            again, last = _send(client, f"k{number}"), _send(client, f"k{number}")
            assert again is not None
            assert last == again | {"replayed": True}
            if first is not None:
                assert (first["batch_id"], again["replayed"]) == (last["batch_id"], True)
    # The house audits the books at the end.
    with psycopg.connect(house.ground.conninfo) as connection:
        [(batches, keys)] = connection.execute(
            "SELECT (SELECT count(*) FROM batches), (SELECT count(*) FROM idempotency_keys)"
        ).fetchall()
    assert batches == keys == ROUNDS_COUNT
    balance = client.get("/v1/generation/balance").json()["data"]
    assert balance == 1000 - 2 * 2 * ROUNDS_COUNT
