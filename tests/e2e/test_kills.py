"""Any process may be killed at any moment: no task and no credit is lost."""

from __future__ import annotations

import httpx
from e2e_house import House, ended, submit

from ground import wait_until


def _books(client: httpx.Client, tasks: list[dict]) -> None:
    """Every task has ended well and was paid, or badly and was refunded; nothing else was taken."""
    paid = sum(task["cost"] for task in tasks)
    wins = sum(task["task_status"] == "SUCCESS" for task in tasks)
    assert paid == 2 * wins
    assert client.get("/v1/generation/balance").json()["data"] == 1000 - paid
    for task in tasks:
        files = [httpx.get(url).status_code for url in task["images"]]
        assert files == ([200] if task["task_status"] == "SUCCESS" else [])


def test_killed_worker_loses_none_of_fifty_tasks(house: House) -> None:
    house.start("serve", "--workers", "0")
    first = house.start("work")
    client = house.client()
    ids = submit(client, "plain", 50)
    wait_until(lambda: len(house.marks()) >= 6)
    house.kill(first)
    house.start("work")
    tasks = ended(client, ids)
    assert {task["task_status"] for task in tasks} == {"SUCCESS"}
    _books(client, tasks)


def test_killed_server_loses_none_of_fifty_tasks(house: House) -> None:
    first = house.start("serve")
    client = house.client()
    ids = submit(client, "plain", 50)
    wait_until(lambda: len(house.marks()) >= 6)
    house.kill(first)
    house.start("serve")
    client.base_url = httpx.URL(house.url)
    tasks = ended(client, ids)
    assert {task["task_status"] for task in tasks} == {"SUCCESS"}
    _books(client, tasks)


def test_tasks_of_a_worker_killed_again_and_again_end_refunded(house: House) -> None:
    house.start("serve", "--workers", "0")
    client = house.client()
    [task_id] = submit(client, "hang")
    for strike in (1, 2, 3):
        worker = house.start("work", "--workers", "1")
        wait_until(lambda strike=strike: house.marks()[task_id] == strike)
        house.kill(worker)
    [failed] = ended(client, [task_id])
    assert (failed["task_status"], failed["error_code"]) == ("FAILED", 6001)
    _books(client, [failed])


def test_submits_cut_off_by_a_killed_server_are_whole_or_absent(house: House) -> None:
    first = house.start("serve", "--workers", "0")
    client = house.client()
    known = [task_id for _ in range(10) for task_id in submit(client, "plain")]
    house.kill(first)
    house.start("serve")
    client.base_url = httpx.URL(house.url)
    _books(client, ended(client, known))
