"""The database restarts, or the way to it is cut: nothing needs to be restarted afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from e2e_house import House, ended, opened, submit

from ground import Ground, fresh_database, wait_until
from lines import CUTS, SILENT, Line, line_to

Story = Callable[[House, Line, str], None]
OUTAGE_SECONDS = 10.0
# What an answer may take: the first that meets the cut waits for it to be found out.
FIRST_SECONDS_MAX = 11.0
LATER_SECONDS_MAX = 3.0


@contextmanager
def _lined(house: House) -> Iterator[Line]:
    with line_to(house.ground.conninfo) as one:
        house.environment["DARKROOM_DATABASE_URL"] = one.conninfo
        yield one


@pytest.fixture
def line(house: House) -> Iterator[Line]:
    with _lined(house) as one:
        yield one


@contextmanager
def _opened(postgres: str, template: str, folder: Path) -> Iterator[tuple[House, Line]]:
    """A house with a line to a database of its own, audited at the end."""
    folder.mkdir()
    for conninfo in fresh_database(postgres, template):
        with opened(ground := Ground(conninfo), folder) as house, _lined(house) as line:
            yield house, line
        assert ground.audit() == []


@pytest.fixture
def by_each_cut(postgres: str, template: str, tmp_path: Path) -> Iterator[Callable[[Story], None]]:
    """Has a story happen for each way of a cut, all at once: most of it is waiting."""
    with ExitStack() as houses, ThreadPoolExecutor(len(CUTS)) as pool:
        given = {
            how: houses.enter_context(_opened(postgres, template, tmp_path / how)) for how in CUTS
        }

        def happen(story: Story) -> None:
            for told in [pool.submit(story, *one, how) for how, one in given.items()]:
                told.result()

        yield happen


def _asked(client: httpx.Client, path: str) -> tuple[float, httpx.Response]:
    """What a GET answers, and after how many seconds."""
    at = time.monotonic()
    answer = client.get(path)
    return time.monotonic() - at, answer


def test_ten_seconds_without_the_database_lose_nothing(by_each_cut) -> None:
    by_each_cut(_lose_nothing)


def _lose_nothing(house: House, line: Line, how: str) -> None:
    house.start("serve", "--workers", "0")
    house.start("work")
    house.start("daemon")
    client = house.client()
    ids = submit(client, "slow", 6)
    wait_until(lambda: len(house.marks()) >= 2)
    line.cut(how)
    until = time.monotonic() + OUTAGE_SECONDS
    took: list[float] = []
    while time.monotonic() < until:
        seconds, answer = _asked(client, f"/v1/generation/{ids[-1]}/status")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        took.append(seconds)
        assert client.get("/health/live").status_code == 200
        assert client.get("/health/ready").status_code == 503
    line.heal()
    assert took[0] < FIRST_SECONDS_MAX
    assert max([*took[1:], 0]) < LATER_SECONDS_MAX
    wait_until(lambda: client.get("/health/ready").status_code == 200, seconds_max=10)
    tasks = ended(client, ids)
    assert {task["task_status"] for task in tasks} == {"SUCCESS"}
    assert client.get("/v1/generation/balance").json()["data"] == 1000 - 2 * 6
    # The two that ran lost their lease, were done once more, and no attempt ran twice.
    marks = house.marks()
    assert set(marks.values()) <= {1, 2}
    assert marks == {task["task_id"]: task["attempt"] for task in tasks}
    # What was answered meanwhile is told by the call history all the same.
    wait_until(lambda: _recorded(house) == len(took), what="the records of the outage")


def _recorded(house: House) -> int:
    """How many call records say 503."""
    with psycopg.connect(house.ground.conninfo) as connection:
        return len(connection.execute("SELECT 1 FROM call_records WHERE status = 503").fetchall())


def test_a_stop_while_the_database_is_silent_ends_in_good_order(house: House, line: Line) -> None:
    house.environment["DARKROOM_DRAIN_SECONDS"] = "1"
    processes = [house.start("serve", "--workers", "0"), house.start("work"), house.start("daemon")]
    client = house.client()
    submit(client, "hang")
    wait_until(lambda: len(house.marks()) == 1)
    line.cut(SILENT)
    for process in processes:
        process.terminate()
    for process in processes:
        assert process.wait(40) == 0
    line.heal()
    house.environment["DARKROOM_TASK_SECONDS_MAX"] = "1"
    house.start("daemon")
    house.start("work")
    with psycopg.connect(house.ground.conninfo, autocommit=True) as connection:
        wait_until(
            lambda: connection.execute("SELECT 1 FROM tasks WHERE status = 'FAILED'").fetchall()
        )


def test_a_worker_that_cannot_write_an_end_stops_all_the_same(by_each_cut) -> None:
    by_each_cut(_stop_without_an_end)


def _stop_without_an_end(house: House, line: Line, how: str) -> None:
    house.environment["DARKROOM_DRAIN_SECONDS"] = "1"
    house.start("serve", "--workers", "0")
    worker = house.start("work")
    client = house.client()
    # The certificate is at hand then: nothing but the end is left to ask the database for.
    ended(client, submit(client, "plain"))
    submit(client, "slow", 2)
    wait_until(lambda: len(house.marks()) == 3)
    line.cut(how)
    log = house.folder / "work-1.log"
    wait_until(lambda: "the end could not be written" in log.read_text(), what="a retry")
    worker.terminate()
    assert worker.wait(40) == 0
    line.heal()
