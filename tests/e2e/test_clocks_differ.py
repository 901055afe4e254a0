"""Machines whose clocks are hours apart work together: time is the database's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from e2e_house import House, ended, submit

from darkroom.domain import certificates
from darkroom.storage.database import Database
from ground import wait_until
from starter import Started

# Python loads a module of this name at its start, before any of ours: this process's clock is off.
WRONG_CLOCK = """
import datetime
import os
import time

shift = float(os.environ["CLOCK_SHIFT_SECONDS"])
real_time, real_time_ns, real_gmtime = time.time, time.time_ns, time.gmtime
time.time = lambda: real_time() + shift
time.time_ns = lambda: real_time_ns() + int(shift * 1e9)
time.gmtime = lambda seconds=None: real_gmtime(time.time() if seconds is None else seconds)

class Shifted(real := datetime.datetime):
    __slots__ = ()

    @classmethod
    def now(cls, tz=None):
        return real.fromtimestamp(time.time(), tz)

datetime.datetime = Shifted
"""
HOUR = 3600.0


def _start(house: House, shift_seconds: float, command: str, *flags: str) -> Started:
    house.environment["CLOCK_SHIFT_SECONDS"] = str(shift_seconds)
    return house.start(command, *flags)


async def _certified(database: Database) -> None:
    async with database.transaction() as tx:
        await certificates.ours(tx)


def _told_at(log: Path) -> datetime:
    """The instant of a log's first line."""
    return datetime.fromisoformat(log.read_text().split()[0])


def test_processes_whose_clocks_are_hours_apart_lose_and_repeat_nothing(
    house: House, tmp_path: Path
) -> None:
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(WRONG_CLOCK)
    house.environment["PYTHONPATH"] += f":{tmp_path / 'clock'}"
    house.anew = True
    # Made by a process whose clock is right: the library knows no instants of a class of ours.
    house.ground.run(_certified)
    _start(house, HOUR, "serve", "--workers", "0")
    client = house.client()
    ids = submit(client, "slow", 4)
    body = {"model": "PROBE", "prompt": "plain", "resolution": "64x64", "deadline_seconds": 60}
    answer = client.post("/v1/generation/text-to-image", json=body)
    ids += answer.json()["data"]["task_ids"]
    early = _start(house, -24 * HOUR, "work")
    wait_until(lambda: len(house.marks()) == 2)
    house.kill(early)
    lost = list(house.marks())
    late = _start(house, 24 * HOUR, "work")
    _start(house, -HOUR, "daemon")
    tasks = {task["task_id"]: task for task in ended(client, ids)}
    assert {task["task_status"] for task in tasks.values()} == {"SUCCESS"}
    # A lease ran out only where its worker died; nobody's clock made it longer or shorter.
    attempts = {task_id: tasks[task_id]["attempt"] for task_id in ids}
    assert attempts == {task_id: 2 if task_id in lost else 1 for task_id in ids}
    now = datetime.now(UTC)
    for task in tasks.values():
        for name in ("created_at", "started_at", "finished_at"):
            assert abs(datetime.fromisoformat(task[name]) - now) < timedelta(minutes=5)
    # And the clocks were indeed wrong.
    assert late.poll() is None
    assert _told_at(tmp_path / "work-2.log") - now > timedelta(hours=23)
