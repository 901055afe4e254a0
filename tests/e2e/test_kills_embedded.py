"""The embedded PostgreSQL and everything around it may be killed as well."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from e2e_house import House, ended, submit

from darkroom.storage.embedded import Embedded
from ground import Ground, wait_until


@pytest.fixture
def embedded_house(house: House) -> Iterator[House]:
    """A house whose processes use the embedded PostgreSQL of its data folder."""
    del house.environment["DARKROOM_DATABASE_URL"]
    folder = Path(house.environment["DARKROOM_DATA"]) / "postgres"
    folder.parent.mkdir()
    with Embedded.start(folder) as embedded:
        house.ground = Ground(embedded.conninfo)
        house.start("serve")
        yield house
        wait_until(lambda: house.ground.audit() == [])


def _postmaster(house: House) -> int:
    folder = Path(house.environment["DARKROOM_DATA"]) / "postgres"
    return int((folder / "cluster" / "postmaster.pid").read_text().splitlines()[0])


def _supervisor(house: House) -> int:
    status = Path(f"/proc/{_postmaster(house)}/status").read_text()
    return int(status.partition("PPid:")[2].split()[0])


def _child(house: House) -> int:
    marks = Path(house.environment["PROBE_MARKS"])
    newest = max(marks.iterdir(), key=lambda mark: mark.stat().st_mtime)
    return int(newest.suffix.removeprefix("."))


@pytest.mark.parametrize(
    ("victim", "number"),
    [
        (_postmaster, signal.SIGINT),  # PostgreSQL's fast shutdown
        (_postmaster, signal.SIGQUIT),  # and its immediate one
        (_postmaster, signal.SIGKILL),
        (_supervisor, signal.SIGKILL),
        (_child, signal.SIGKILL),
    ],
)
def test_a_kill_in_fifty_tasks_loses_nothing(
    embedded_house: House, victim: Callable[[House], int], number: int
) -> None:
    client = embedded_house.client()
    ids = submit(client, "plain", 50)
    wait_until(lambda: len(embedded_house.marks()) >= 6)
    os.kill(victim(embedded_house), number)
    tasks = ended(client, ids)
    assert {task["task_status"] for task in tasks} == {"SUCCESS"}
    assert client.get("/v1/generation/balance").json()["data"] == 900
