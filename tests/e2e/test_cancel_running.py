"""Running tasks are canceled in their children, and waiting ones end when their deadline passes."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import httpx
import psycopg
import pytest
from e2e_house import House, ended, status, submit

from ground import wait_until

CANCELED, LATE = 6005, 6006


def _balance(client: httpx.Client) -> float:
    return client.get("/v1/generation/balance").json()["data"]


def _cancel(client: httpx.Client, task_id: str) -> str:
    answer = client.post(f"/v1/generation/{task_id}/cancel")
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["cancel"]["effect"]


def _begin(house: House, client: httpx.Client, prompt: str) -> tuple[str, int]:
    """The id of a task that a child is at, and the child's process id."""
    [task_id] = submit(client, prompt)
    wait_until(lambda: house.marks()[task_id], what=f"the begin of {prompt}")
    return task_id, _pid(house, task_id)


def _pid(house: House, task_id: str) -> int:
    [mark] = Path(house.environment["PROBE_MARKS"]).glob(f"{task_id}*")
    return int(mark.suffix.removeprefix("."))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_running_task_stops_at_its_next_step_and_its_child_serves_the_next(house: House) -> None:
    house.environment["DARKROOM_WORKERS"] = "1"
    house.start("serve")
    client = house.client()
    task_id, pid = _begin(house, client, "slow")
    assert _cancel(client, task_id) == "asked"
    [failed] = ended(client, [task_id], seconds_max=10)
    assert (failed["task_status"], failed["error_code"]) == ("FAILED", CANCELED)
    assert (failed["served_by"], failed["attempt"], failed["progress"] < 100) == ("probe", 1, True)
    assert (failed["cost"], _balance(client)) == (0, 1000)
    [after] = ended(client, submit(client, "plain"))
    assert (after["task_status"], after["notes"]["pid"]) == ("SUCCESS", pid)


def test_a_child_that_does_not_listen_is_killed_and_the_worker_goes_on(house: House) -> None:
    house.environment["DARKROOM_WORKERS"] = "1"
    house.start("serve")
    client = house.client()
    task_id, pid = _begin(house, client, "hang")
    assert _cancel(client, task_id) == "asked"
    [failed] = ended(client, [task_id], seconds_max=20)
    assert (failed["error_code"], failed["attempt"], _balance(client)) == (CANCELED, 1, 1000)
    assert not _runs(pid)
    [after] = ended(client, submit(client, "plain"))
    assert after["task_status"] == "SUCCESS"
    assert after["notes"]["pid"] != pid


def test_another_running_task_is_untouched(house: House) -> None:
    house.start("serve")
    client = house.client()
    other, pid = _begin(house, client, "slow")
    canceled, _ = _begin(house, client, "slow")
    _cancel(client, canceled)
    failed, done = ended(client, [canceled, other])
    assert failed["error_code"] == CANCELED
    assert (done["task_status"], done["attempt"], done["notes"]["pid"]) == ("SUCCESS", 1, pid)
    assert "cancel_asked_at" not in done
    assert _balance(client) == 998


def test_a_batch_is_canceled_the_running_and_the_waiting(house: House) -> None:
    house.start("serve")
    client = house.client()
    ids = submit(client, "slow", 8)
    wait_until(lambda: len(house.marks()) == 2)
    batch_id = status(client, ids[0])["batch_id"]
    batch = client.post(f"/v1/generation/batch/{batch_id}/cancel").json()["data"]
    effects = [one["cancel"]["effect"] for one in batch]
    assert (effects.count("asked"), effects.count("ended")) == (2, 6)
    assert {one["error_code"] for one in ended(client, ids)} == {CANCELED}
    assert (len(house.marks()), _balance(client)) == (2, 1000)


def test_a_task_asked_to_stop_is_not_begun_again_when_its_worker_is_killed(house: House) -> None:
    house.start("serve", "--workers", "0")
    worker = house.start("work", "--workers", "1")
    client = house.client()
    task_id, _ = _begin(house, client, "hang")
    assert _cancel(client, task_id) == "asked"
    house.kill(worker)
    house.start("work", "--workers", "1")
    [failed] = ended(client, [task_id])
    assert (failed["error_code"], failed["attempt"], _balance(client)) == (CANCELED, 1, 1000)


def test_a_stopping_worker_still_hears_a_cancel(house: House) -> None:
    house.start("serve", "--workers", "0")
    worker = house.start("work", "--workers", "1")
    client = house.client()
    task_id, _ = _begin(house, client, "wait")
    worker.terminate()
    assert _cancel(client, task_id) == "asked"
    assert worker.wait(30) == 0
    [failed] = ended(client, [task_id])
    assert (failed["error_code"], failed["attempt"], _balance(client)) == (CANCELED, 1, 1000)


def test_a_notice_that_was_lost_is_made_good_by_the_heartbeat(house: House) -> None:
    house.start("serve")
    client = house.client()
    task_id, _ = _begin(house, client, "wait")
    with psycopg.connect(house.ground.conninfo) as connection:
        connection.execute("UPDATE tasks SET cancel_asked_at = now() WHERE id = %s", [task_id])
    assert ended(client, [task_id], seconds_max=20)[0]["error_code"] == CANCELED


def test_a_task_that_waits_for_its_input_stops_waiting(house: House) -> None:
    house.environment["DARKROOM_OUTBOUND_ALLOW"] = "127.0.0.1"
    house.start("serve")
    client = house.client()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.png"
        body = {"model": "PROBE", "prompt": "plain", "images": [url], "resolution": "64x64"}
        answer = client.post("/v1/generation/image-to-image", json=body)
        task_id = answer.json()["data"]["task_id"]
        connection, _ = silent.accept()
        with connection:
            assert _cancel(client, task_id) == "asked"
            [failed] = ended(client, [task_id], seconds_max=20)
    assert (failed["error_code"], house.marks(), _balance(client)) == (CANCELED, {}, 1000)


@pytest.mark.parametrize("prompt", ["slow", "plain"])
def test_a_cancel_at_any_moment_ends_a_task_once(house: House, prompt: str) -> None:
    house.start("serve")
    client = house.client()
    ids = [task_id for _ in range(6) for task_id in submit(client, prompt, 2)]
    for number, task_id in enumerate(ids):
        wait_until(lambda number=number: len(house.marks()) >= min(number, len(ids) // 2))
        _cancel(client, task_id)
    tasks = ended(client, ids)
    wins = [one for one in tasks if one["task_status"] == "SUCCESS"]
    assert {one["error_code"] for one in tasks if one not in wins} <= {CANCELED}
    assert _balance(client) == 1000 - 2 * len(wins)


def test_a_deadline_passes_while_all_places_are_busy(house: House) -> None:
    house.environment["DARKROOM_WORKERS"] = "1"
    house.start("serve")
    client = house.client()
    busy, _ = _begin(house, client, "wait")
    body = {"model": "PROBE", "prompt": "plain", "deadline_seconds": 1, "resolution": "64x64"}
    answer = client.post("/v1/generation/text-to-image", json=body)
    [late] = ended(client, answer.json()["data"]["task_ids"], seconds_max=15)
    assert (late["task_status"], late["error_code"], late["cost"]) == ("FAILED", LATE, 0)
    assert "deadline" in late["msg"]
    assert (house.marks().keys(), _balance(client)) == ({busy}, 998)
    assert _cancel(client, busy) == "asked"
    assert ended(client, [busy])[0]["error_code"] == CANCELED
