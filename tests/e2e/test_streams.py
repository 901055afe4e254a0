"""A task that is followed: through a crash, up the queue, and when its server stops."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
from e2e_house import House, ended, status, submit

from ground import wait_until


def events(client: httpx.Client, task_id: str, last_id: str = "") -> Iterator[tuple[int, Any]]:
    """Id and task of each event of one stream."""
    headers = {"Last-Event-ID": last_id}
    path = f"/v1/generation/{task_id}/events"
    with client.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200
        fields = {}
        for line in answer.iter_lines():
            if line:
                name, _, fields[name] = line.partition(": ")
            elif "data" in fields:
                yield int(fields["id"]), json.loads(fields["data"])
                fields = {}


def test_ids_never_fall_when_a_crash_begins_a_task_again(house: House) -> None:
    house.start("serve")
    client = house.client()
    seen = list(events(client, submit(client, "crash once, slow")[0]))
    numbers = [number for number, _ in seen]
    assert numbers == sorted(set(numbers))
    assert {one["attempt"] for _, one in seen} >= {1, 2}
    # Told, not swallowed: what runs again has higher ids than what ran before.
    assert (2, "PROCESSING") in {(one["attempt"], one["task_status"]) for _, one in seen}
    assert seen[-1][1]["task_status"] == "SUCCESS"


def test_a_waiting_task_comes_forward_and_gets_an_estimate(house: House) -> None:
    house.start("serve", "--workers", "0")
    client = house.client()
    ids = submit(client, "slow", 4)
    places = [status(client, one)["queue_position"] for one in ids]
    first = status(client, ids[0])
    assert sorted(places) == [1, 2, 3, 4]
    assert (first["queue_position_is_minimum"], first["estimated_start_seconds"]) == (False, None)
    last = max(zip(places, ids, strict=True))[1]
    house.start("work", "--workers", "1")
    seen = [one for _, one in events(client, last)]
    waited = [one["queue_position"] for one in seen if one["task_status"] == "PENDING"]
    assert len(waited) > 2
    assert waited == sorted(set(waited), reverse=True)
    assert "queue_position" not in seen[-1]


def test_a_wait_is_estimated_from_what_was_done_and_what_runs(house: House) -> None:
    house.start("serve", "--workers", "1")
    client = house.client()
    ended(client, submit(client, "plain", 3))
    submit(client, "hang")
    wait_until(lambda: len(house.marks()) == 4)
    ids = submit(client, "plain", 2)

    def estimated() -> dict[int, float | None]:
        found = [status(client, one) for one in ids]
        return {one["queue_position"]: one["estimated_start_seconds"] for one in found}

    wait_until(lambda: None not in estimated().values(), what="an estimate")
    told = estimated()
    assert 0 < told[1] < told[2] < 30
    house.kill(house.running[0])


def test_a_stop_ends_open_streams_and_waits_at_once(house: House) -> None:
    server = house.start("serve", "--workers", "0")
    client, other = house.client(), house.client()
    stream = events(client, submit(client, "plain")[0])
    next(stream)
    body = {"model": "PROBE", "prompt": "plain", "resolution": "64x64"}
    answers: list[httpx.Response] = []
    waiter = threading.Thread(
        target=lambda: answers.append(
            other.post("/v1/generation/text-to-image", json=body, headers={"Prefer": "wait=60"})
        )
    )
    waiter.start()
    wait_until(lambda: _count(house) == 2)
    server.terminate()
    assert server.wait(8) == 0  # uvicorn itself would give up on them after 10
    assert list(stream) == []
    waiter.join(5)
    assert answers[0].json()["data"]["task_status"] == "PENDING"


def _count(house: House) -> int:
    """How many tasks the house has."""
    with psycopg.connect(house.ground.conninfo) as connection:
        return len(connection.execute("SELECT 1 FROM tasks").fetchall())
