"""Webhooks arrive: signed, once or again under the same id, whoever is killed and whoever hangs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from e2e_house import House, ended, status
from e2e_house import submit as house_submit

from darkroom import signing
from ground import wait_until

RECEIVER = Path(__file__).parent / "receiver.py"


@dataclass(frozen=True)
class Receiver:
    """A receiver in a process of its own, and what it has received."""

    url: str
    folder: Path

    def received(self) -> list[dict[str, Any]]:
        """Every request, in the order in which they came."""
        path = self.folder / "received.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def told(self) -> list[dict[str, Any]]:
        """The bodies of what came."""
        return [json.loads(one["body"]) for one in self.received()]


@pytest.fixture
def receiver(house: House, tmp_path: Path) -> Iterator[Receiver]:
    """A receiver on this machine, which the house may call."""
    folder = tmp_path / "receiver"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, str(RECEIVER), str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    port = process.stdout.readline().strip()
    house.environment["DARKROOM_OUTBOUND_ALLOW"] = "127.0.0.0/8"
    yield Receiver(f"http://127.0.0.1:{port}", folder)
    process.kill()
    process.wait()
    process.stdout.close()


def submit(client: httpx.Client, webhook_url: str, prompt: str = "plain", **more: Any) -> list[str]:
    """Submit to the probe; answers the task ids."""
    body = {"model": "PROBE", "prompt": prompt, "resolution": "64x64", "webhook_url": webhook_url}
    answer = client.post("/v1/generation/text-to-image", json=body | more)
    assert answer.status_code == 200, answer.text
    ids: list[str] = answer.json()["data"]["task_ids"]
    return ids


def rows(house: House, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a query of the house's database answers."""
    with psycopg.connect(house.ground.conninfo) as connection:
        return connection.execute(query, values).fetchall()


def arrived(house: House, count: int = 1) -> None:
    """Wait until so many deliveries are recorded as DELIVERED."""
    wait_until(
        lambda: (
            rows(house, "SELECT count(*) FROM webhook_deliveries WHERE status = 'DELIVERED'")
            == [(count,)]
        ),
        what=f"the arrival of {count}",
    )


def test_an_end_arrives_signed_with_what_the_status_answers(house: House, receiver) -> None:
    house.start("serve")
    client = house.client()
    [task_id] = submit(client, f"{receiver.url}/ok?mine=1")
    arrived(house)
    [one] = receiver.received()
    [(secret,)] = rows(house, "SELECT secret FROM webhook_secrets")
    signing.verify(one["headers"], one["body"], secret)
    [(private,)] = rows(house, "SELECT private FROM signing_keys")
    signing.verify(one["headers"], one["body"], signing.SigningKey.load(private).public)
    body = json.loads(one["body"])
    assert body["data"] == status(client, task_id)
    assert one["path"] == "/ok?mine=1"
    assert body["type"] == "task.ended"
    assert body["webhook_id"] == one["headers"]["webhook-id"]
    assert body["version"] == 19_000_000
    assert (body["status"], body["success"]) == (0, True)
    assert httpx.get(body["data"]["images"][0]).status_code == 200


def test_a_task_that_is_followed_tells_begin_progress_output_and_end(
    house: House, receiver
) -> None:
    house.start("serve")
    client = house.client()
    events = ["ended", "started", "progress", "output"]
    submit(client, f"{receiver.url}/ok", "slow", webhook_events=events)
    submit(client, f"{receiver.url}/quiet", "slow")
    wait_until(
        lambda: (
            [one["type"] for one in receiver.told()].count("task.ended") == 2
            and not rows(house, "SELECT 1 FROM webhook_deliveries WHERE status = 'PENDING'")
        )
    )
    quiet = [one for one in receiver.received() if one["path"] == "/quiet"]
    assert len(quiet) == 1
    told = [json.loads(one["body"]) for one in receiver.received() if one["path"] == "/ok"]
    types = [one["type"] for one in told]
    assert types.count("task.started") == 1
    assert sorted({*types}) == ["task.ended", "task.output", "task.progress", "task.started"]
    [(seconds,)] = rows(
        house,
        "SELECT extract(epoch FROM max(finished_at - started_at))::float8 FROM tasks",
    )
    assert 1 <= types.count("task.progress") <= seconds + 1
    # In which order they arrive nobody promises: the version tells which is the newest.
    newest = max(told, key=lambda one: one["version"])
    assert newest["data"]["task_status"] == "SUCCESS"
    output = next(one for one in told if one["type"] == "task.output")
    assert output["data"]["images"]


def test_a_failure_is_told_too_and_one_that_nobody_began(house: House, receiver) -> None:
    house.start("serve")
    client = house.client()
    [failed] = submit(client, f"{receiver.url}/ok", "refuse")
    arrived(house, 1)
    [waiting] = submit(client, f"{receiver.url}/ok", "wait")
    assert client.post(f"/v1/generation/{waiting}/cancel").status_code == 200
    arrived(house, 2)
    told = {one["data"]["task_id"]: one["data"] for one in receiver.told()}
    assert {one["task_status"] for one in told.values()} == {"FAILED"}
    assert (told[failed]["error_code"], told[waiting]["error_code"]) == (1002, 6005)


def test_a_daemon_killed_while_the_receiver_thinks_sends_again_under_the_same_id(
    house: House, receiver
) -> None:
    first = house.start("serve")
    client = house.client()
    submit(client, f"{receiver.url}/slow/1")
    wait_until(receiver.received)
    house.kill(first)
    house.start("daemon")
    arrived(house)
    ids = [one["headers"]["webhook-id"] for one in receiver.received()]
    assert len(ids) == 2
    assert len(set(ids)) == 1
    attempts = rows(house, "SELECT number, answer_status FROM webhook_attempts")
    assert attempts == [(2, 200)]  # what came of the first, nobody lived to write


def test_an_end_written_by_a_server_that_is_killed_at_once_arrives(house: House, receiver) -> None:
    first = house.start("serve")
    client = house.client()
    ids = [task_id for _ in range(10) for task_id in submit(client, f"{receiver.url}/ok")]
    wait_until(lambda: rows(house, "SELECT 1 FROM webhook_deliveries"))
    house.kill(first)
    house.start("serve")
    client.base_url = httpx.URL(house.url)
    ended(client, ids)
    arrived(house, 10)
    assert {one["data"]["task_id"] for one in receiver.told()} == set(ids)
    by_id = {one["webhook_id"]: one["data"]["task_id"] for one in receiver.told()}
    assert len(by_id) == 10


def test_a_failed_attempt_is_repeated_on_the_schedule(house: House, receiver) -> None:
    house.start("serve")
    client = house.client()
    submit(client, f"{receiver.url}/flaky/1")
    wait_until(receiver.received)
    wait_until(lambda: rows(house, "SELECT 1 FROM webhook_attempts"))
    [(pause, state)] = rows(
        house,
        "SELECT extract(epoch FROM next_at - at)::float8 - seconds, status FROM webhook_deliveries "
        "JOIN webhook_attempts ON delivery_id = id",
    )
    assert state == "PENDING"
    assert 4.4 < pause < 5.6
    arrived(house)
    [one, other] = receiver.received()
    assert one["headers"]["webhook-id"] == other["headers"]["webhook-id"]
    assert one["headers"]["webhook-timestamp"] < other["headers"]["webhook-timestamp"]


def test_a_slow_and_a_dead_receiver_delay_nobody_else(house: House, receiver) -> None:
    house.start("serve")
    client, other = house.client(), house.client()
    for _ in range(12):
        submit(client, f"{receiver.url}/hang")
    submit(client, "http://127.0.0.1:9/nobody")
    with_another_host = receiver.url.replace("127.0.0.1", "127.0.0.2")
    for _ in range(3):
        submit(other, f"{with_another_host}/ok")
    arrived(house, 3)
    late = rows(
        house,
        "SELECT max(extract(epoch FROM d.ended_at - t.finished_at))::float8 "
        "FROM webhook_deliveries d JOIN tasks t ON t.id = d.task_id WHERE d.status = 'DELIVERED'",
    )
    assert late[0][0] < 1
    hanging = [one for one in receiver.received() if one["path"] == "/hang"]
    assert len(hanging) <= 8


def test_a_redirect_is_not_followed_and_what_came_back_is_kept(house: House, receiver) -> None:
    house.start("serve")
    client = house.client()
    submit(client, f"{receiver.url}/inward")
    submit(client, f"{receiver.url}/reset")
    wait_until(lambda: len(rows(house, "SELECT 1 FROM webhook_attempts")) == 2)
    found = rows(
        house,
        "SELECT url, answer_status, a.error, answer_headers->>'location' "
        "FROM webhook_attempts a JOIN webhook_deliveries ON id = delivery_id ORDER BY url",
    )
    [inward, reset] = found
    assert inward[1:3] == (302, "HTTP 302: redirects are not followed; name the final address.")
    assert inward[3].startswith("http://169.254.169.254")
    assert reset[1] is None
    assert reset[2].partition(":")[0] in ("malformed", "reset")


def test_an_address_that_became_private_is_not_called(house: House, receiver) -> None:
    server = house.start("serve", "--workers", "0")
    client = house.client()
    submit(client, f"{receiver.url}/ok")
    server.terminate()
    assert server.wait(30) == 0
    house.environment["DARKROOM_OUTBOUND_ALLOW"] = ""
    house.start("serve")
    wait_until(lambda: rows(house, "SELECT 1 FROM webhook_attempts"))
    [(error,)] = rows(house, "SELECT error FROM webhook_attempts")
    assert error.startswith("refused: ")
    assert receiver.folder.joinpath("received.jsonl").read_text() == ""


def test_retry_after_is_obeyed_beyond_the_schedule_and_no_further_than_an_hour(
    house: House, receiver
) -> None:
    house.start("serve")
    client = house.client()
    submit(client, f"{receiver.url}/later/60")
    # The first destination rests meanwhile, so the other one is another host.
    submit(client, f"{receiver.url.replace('0.1:', '0.2:')}/later/86400")
    wait_until(lambda: len(rows(house, "SELECT 1 FROM webhook_attempts")) == 2)
    pauses = rows(
        house,
        "SELECT extract(epoch FROM next_at - at)::float8 - seconds FROM webhook_deliveries "
        "JOIN webhook_attempts ON delivery_id = id ORDER BY url",
    )
    assert [round(pause) for (pause,) in pauses] == [60, 3600]


def test_the_tenth_failure_is_the_last(house: House, receiver) -> None:
    house.start("serve")
    client = house.client()
    submit(client, f"{receiver.url}/500")
    for number in range(1, 11):
        wait_until(
            lambda number=number: len(rows(house, "SELECT 1 FROM webhook_attempts")) == number
        )
        found = rows(
            house,
            "UPDATE webhook_deliveries SET next_at = now() RETURNING status, attempts, error, "
            "lease_until, pg_notify('deliveries', '')::text",
        )
    assert found == [("FAILED", 10, "Given up after 10 attempts: HTTP 500", None, "")]


def test_a_410_ends_a_delivery_disables_its_endpoint_and_tells_the_other(
    house: House, receiver
) -> None:
    house.start("serve")
    client = house.client()
    made = {}
    for path in ("410", "ok"):
        answer = client.post("/v1/webhooks/endpoints", json={"url": f"{receiver.url}/{path}"})
        made[path] = answer.json()["data"]["endpoint_id"]
    ended(client, house_submit(client, "plain"))
    arrived(house, 2)
    told = {one["type"]: one for one in receiver.told() if one["type"] == "endpoint.disabled"}
    assert told["endpoint.disabled"]["data"]["endpoint_id"] == made["410"]
    assert "410" in told["endpoint.disabled"]["data"]["reason"]
    listed = client.get("/v1/webhooks/endpoints").json()["data"]
    assert {one["endpoint_id"]: one["enabled"] for one in listed} == {
        made["410"]: False,
        made["ok"]: True,
    }
    ended(client, house_submit(client, "plain"))
    arrived(house, 3)
    assert [one["path"] for one in receiver.received()].count("/410") == 1


def test_an_endpoint_gets_the_spelling_of_the_key_that_submitted(house: House, receiver) -> None:
    house.start("serve")
    account = house.ground.account()
    for spelling in ("quickstart", "reference"):
        key = house.ground.key(account.id, spelling)
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=house.url, headers=headers) as client:
            submit(client, f"{receiver.url}/ok")
    arrived(house, 2)
    assert {one["data"]["task_status"] for one in receiver.told()} == {"SUCCESS", "succeed"}
