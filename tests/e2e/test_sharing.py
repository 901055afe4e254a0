"""Alike tasks run in one call of a child, and each of them ends by itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest
from e2e_house import House, ended, status, submit

from darkroom.domain import accounts
from ground import wait_until

CHOIR = "CHOIR"
CANCELED = 6005
CATALOGUE = """
[CHOIR]
name = "Sings together"
backends = ["choir"]
seconds_max = 20
[CHOIR.kinds.text-to-image]
credits = 1
outputs_max = 64
"""


def _ask(client: httpx.Client, prompt: str, number: int = 1, size: str = "64x64") -> list[str]:
    body = {"model": CHOIR, "prompt": prompt, "image_number": number, "resolution": size}
    answer = client.post("/v1/generation/text-to-image", json=body)
    assert answer.status_code == 200, answer.text
    ids: list[str] = answer.json()["data"]["task_ids"]
    return ids


@pytest.fixture
def choir(house: House) -> House:
    """A house with one child, in which a first task of the choir has run: alone, as the first."""
    catalogue = house.folder / "catalogue.toml"
    catalogue.write_text(catalogue.read_text() + CATALOGUE)
    house.environment["DARKROOM_WORKERS"] = "1"
    house.start("serve")
    client = house.client()
    for size in ("64x64", "128x128"):
        [first] = ended(client, _ask(client, "plain", size=size))
        assert "together" not in first["notes"]
    return house


def _together(tasks: list[dict[str, Any]]) -> list[int]:
    return [task["notes"].get("together", 1) for task in tasks]


def _begun(house: House, ids: list[str]) -> None:
    wait_until(lambda: all(house.marks()[one] for one in ids), what="the begin of all")


def _go_on(house: House) -> None:
    """Let what waits for it go on, the probe's word."""
    (house.folder / "open").touch()


def _queued(house: House, submits: Callable[[], list[str]]) -> list[str]:
    """What was submitted while the only child was busy, so that it finds all of it waiting."""
    client = house.client()
    busy = submit(client, "wait")
    _begun(house, busy)
    ids = submits()
    _go_on(house)
    ended(client, busy)
    return ids


def _rows(house: House, ids: list[str]) -> list[tuple[Any, ...]]:
    """Attempts, strikes and crashes of tasks."""
    query = "SELECT attempt, strikes, crashes FROM tasks WHERE id = ANY(%s)"
    with psycopg.connect(house.ground.conninfo) as connection:
        return connection.execute(query, [ids]).fetchall()


def test_what_waits_alike_runs_in_one_call(choir: House) -> None:
    client = choir.client()
    done = ended(client, _ask(client, "plain", 4))
    assert {task["task_status"] for task in done} == {"SUCCESS"}
    assert _together(done) == [4] * 4
    assert {task["attempt"] for task in done} == {1}
    assert len({task["notes"]["lead"] for task in done}) == 1
    pictures = [httpx.get(task["images"][0]).content for task in done]
    assert len({*pictures}) == 4, "each has a seed of its own"


def test_who_cancels_one_leaves_the_others_theirs(choir: House) -> None:
    client = choir.client()
    ids = _ask(client, "wait", 4)
    _begun(choir, ids)
    assert client.post(f"/v1/generation/{ids[1]}/cancel").status_code == 200
    [canceled] = ended(client, [ids[1]])
    assert (canceled["error_code"], canceled["cost"]) == (CANCELED, 0)
    assert status(client, ids[0])["task_status"] == "PROCESSING", "it waited for the others"
    _go_on(choir)
    done = ended(client, [ids[0], *ids[2:]])
    assert _together(done) == [4] * 3
    assert client.get("/v1/generation/balance").json()["data"] == 997


def test_a_cancel_of_all_stops_the_call_and_the_child_serves_the_next(choir: House) -> None:
    client = choir.client()
    ids = _ask(client, "wait", 4)
    _begun(choir, ids)
    batch_id = status(client, ids[0])["batch_id"]
    assert client.post(f"/v1/generation/batch/{batch_id}/cancel").status_code == 200
    failed = ended(client, ids)
    assert {task["error_code"] for task in failed} == {CANCELED}
    assert all(task["progress"] < 100 for task in failed)
    after = ended(client, _ask(client, "plain", 4))
    assert _together(after) == [4] * 4
    pids = {int(path.suffix[1:]) for path in (choir.folder / "marks").iterdir()}
    assert pids == {after[0]["notes"]["pid"]}, "the child was killed instead of stopped"


def test_a_refusal_is_one_task_s_and_words_may_differ(choir: House) -> None:
    client = choir.client()
    ids = _queued(choir, lambda: [_ask(client, one)[0] for one in ("plain", "refuse", "blue")])
    first, refused, last = ended(client, ids)
    assert _together([first, last]) == [3, 3]
    assert (refused["error_code"], refused["cost"]) == (1002, 0)


def test_unlike_sizes_are_not_mixed(choir: House) -> None:
    client = choir.client()
    sizes = ["64x64", "128x128", "64x64", "128x128"]
    ids = _queued(choir, lambda: [_ask(client, "plain", size=one)[0] for one in sizes])
    done = ended(client, ids)
    assert _together(done) == [2] * 4
    leads = [task["notes"]["lead"] for task in done]
    assert leads[0] == leads[2] != leads[1] == leads[3]


def test_of_an_account_that_may_run_one_there_is_one_in_a_call(choir: House) -> None:
    account = choir.ground.account()
    capped, other = choir.client_of(account.id), choir.client()

    async def limit(database):
        async with database.statement() as tx:
            await accounts.limit(tx, account.id, accounts.Limits(running_max=1))

    choir.ground.run(limit)
    ids: list[str] = []

    def submits() -> list[str]:
        ids.extend(_ask(capped, "plain", 3))
        return _ask(other, "plain", 3)

    done = ended(other, _queued(choir, submits))
    own = ended(capped, ids)
    assert {task["task_status"] for task in (*done, *own)} == {"SUCCESS"}
    assert max(_together(done)) > 1
    leads = [task["notes"].get("lead", task["task_id"]) for task in own]
    assert len({*leads}) == 3


def test_too_many_for_the_memory_run_alone_and_then_fewer_together(choir: House) -> None:
    client = choir.client()
    done = ended(client, _ask(client, "hog together", 4))
    assert {task["task_status"] for task in done} == {"SUCCESS"}
    assert _together(done) == [1] * 4
    assert {task["attempt"] for task in done} == {1}
    after = ended(client, _ask(client, "hog together", 2))
    assert _together(after) == [2] * 2
    assert max(_together(ended(client, _ask(client, "plain", 4)))) <= 2


def test_a_killed_child_costs_each_a_second_attempt_alone(choir: House) -> None:
    client = choir.client()
    ids = _ask(client, "wait", 3)
    _begun(choir, ids)
    pid = next(int(one.suffix[1:]) for one in (choir.folder / "marks").glob(f"{ids[0]}*"))
    os.kill(pid, signal.SIGKILL)
    _go_on(choir)
    done = ended(client, ids)
    assert {task["task_status"] for task in done} == {"SUCCESS"}
    assert _together(done) == [1] * 3
    assert _rows(choir, ids) == [(2, 0, 1)] * 3


def test_a_call_that_takes_too_long_is_begun_again_one_by_one(choir: House) -> None:
    catalogue = choir.folder / "catalogue.toml"
    catalogue.write_text(catalogue.read_text().replace("seconds_max = 20", "seconds_max = 6"))
    [server] = choir.running
    server.terminate()
    server.wait(30)
    choir.start("serve")
    client = choir.client()
    ended(client, _ask(client, "plain"))
    ids = _ask(client, "hang together", 2)
    # Each of them crashed once, and is not given up for it.
    wait_until(
        lambda: {row[1:] for row in _rows(choir, ids)} == {(0, 1)},
        seconds_max=60,
        what="a crash of each",
    )
    assert "FAILED" not in {status(client, one)["task_status"] for one in ids}


def test_a_worker_that_is_stopped_gives_all_of_them_back(choir: House) -> None:
    choir.environment["DARKROOM_DRAIN_SECONDS"] = "0"
    [server] = choir.running
    server.terminate()
    server.wait(30)
    choir.start("serve", "--workers", "0")
    first = choir.start("work", "--workers", "1")
    client = choir.client()
    ended(client, _ask(client, "plain"))
    ids = _ask(client, "wait", 3)
    _begun(choir, ids)
    first.terminate()
    first.wait(30)
    assert _rows(choir, ids) == [(1, 0, 0)] * 3
    assert {status(client, one)["task_status"] for one in ids} == {"PENDING"}
    _go_on(choir)
    choir.start("work", "--workers", "1")
    assert {task["task_status"] for task in ended(client, ids)} == {"SUCCESS"}
