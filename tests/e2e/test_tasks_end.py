"""However a task goes, it ends, and its money ends with it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx
import pytest
from e2e_house import House, ended, status, submit

from ground import wait_until


def balance(client: httpx.Client) -> float:
    return client.get("/v1/generation/balance").json()["data"]


def test_success_charges_its_price_and_serves_its_file(house: House) -> None:
    house.start("serve")
    client = house.client()
    [done] = ended(client, submit(client, "plain"))
    assert (done["task_status"], done["served_by"], balance(client)) == ("SUCCESS", "probe", 998)
    picture = httpx.get(done["images"][0])
    assert picture.headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    ("prompt", "code", "said", "runs"),
    [
        ("refuse", 1002, "told to refuse", 1),
        ("break", 6004, "ValueError", 1),
        ("crash always", 6001, "SIGKILL. The task was given up after 2", 2),
    ],
)
def test_failure_is_refunded_and_says_why(house: House, prompt, code, said, runs) -> None:
    house.start("serve")
    client = house.client()
    [failed] = ended(client, submit(client, prompt))
    assert (failed["task_status"], failed["error_code"]) == ("FAILED", code)
    assert said in failed["msg"]
    assert (balance(client), failed["cost"]) == (1000, 0)
    assert house.marks()[failed["task_id"]] == runs


def test_a_crash_is_tried_again_and_then_succeeds(house: House) -> None:
    house.start("serve")
    client = house.client()
    [done] = ended(client, submit(client, "crash once"))
    assert (done["task_status"], done["attempt"], balance(client)) == ("SUCCESS", 2, 998)


def test_a_hanging_model_is_stopped_and_refunded(house: House) -> None:
    house.environment["DARKROOM_TASK_SECONDS_MAX"] = "1"
    house.start("serve")
    client = house.client()
    [failed] = ended(client, submit(client, "hang"))
    assert failed["task_status"] == "FAILED"
    assert "longer than the 1 seconds that PROBE may take" in failed["msg"]
    assert balance(client) == 1000


def test_progress_grows_while_a_task_runs(house: House) -> None:
    house.start("serve")
    client = house.client()
    [task_id] = submit(client, "slow")
    seen = set()

    def over() -> bool:
        now = status(client, task_id)
        seen.add(now["progress"])
        return now["task_status"] == "SUCCESS"

    wait_until(over)
    assert len(seen) >= 3
    assert max(seen) == 100


def test_stop_lets_running_tasks_finish(house: House) -> None:
    house.start("serve", "--workers", "0")
    worker = house.start("work")
    client = house.client()
    ids = submit(client, "slow", 2)
    wait_until(lambda: len(house.marks()) == 2)
    worker.terminate()
    assert worker.wait(30) == 0
    assert [status(client, one)["task_status"] for one in ids] == ["SUCCESS", "SUCCESS"]
    assert set(house.marks().values()) == {1}


def test_stop_gives_back_what_it_cannot_finish_without_a_strike(house: House) -> None:
    house.environment["DARKROOM_DRAIN_SECONDS"] = "0"
    house.start("serve", "--workers", "0")
    client = house.client()
    [task_id] = submit(client, "slow")
    for _ in range(4):
        worker = house.start("work")
        wait_until(lambda: status(client, task_id)["task_status"] == "PROCESSING")
        worker.terminate()
        assert worker.wait(30) == 0
        assert status(client, task_id)["task_status"] == "PENDING"
    house.environment["DARKROOM_DRAIN_SECONDS"] = "30"
    house.start("work")
    assert ended(client, [task_id])[0]["task_status"] == "SUCCESS"


def test_children_do_not_outlive_a_killed_worker(house: House) -> None:
    house.start("serve", "--workers", "0")
    worker = house.start("work")
    client = house.client()
    submit(client, "hang")
    wait_until(lambda: house.marks())
    [mark] = Path(house.environment["PROBE_MARKS"]).iterdir()
    house.kill(worker)
    wait_until(lambda: not _runs(int(mark.suffix.removeprefix("."))), seconds_max=10)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_late_attempt_is_fenced_off(house: House) -> None:
    """A worker that was frozen past its lease wakes up and must not end the task again."""
    house.start("serve", "--workers", "0")
    frozen = house.start("work", "--workers", "1")
    client = house.client()
    [task_id] = submit(client, "slow")
    wait_until(lambda: house.marks()[task_id] == 1)
    frozen.send_signal(signal.SIGSTOP)
    house.start("work", "--workers", "1")
    [done] = ended(client, [task_id])
    frozen.send_signal(signal.SIGCONT)
    frozen.terminate()
    assert frozen.wait(30) == 0
    assert (done["attempt"], done["task_status"]) == (2, "SUCCESS")
    assert status(client, task_id) == done
