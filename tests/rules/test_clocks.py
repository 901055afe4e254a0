"""No machine's clock decides anything: what is due is told by the database's now()."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from source_files import Source, refuse, sources

CLOCKS = {
    *(f"time.{name}" for name in ("time", "time_ns", "gmtime", "localtime", "ctime")),
    *(f"time.clock_{name}" for name in ("gettime", "gettime_ns")),
    *(f"{name}.now" for name in ("datetime", "datetime.datetime")),
    *(f"{name}.utcnow" for name in ("datetime", "datetime.datetime")),
    *(f"{name}.today" for name in ("date", "datetime", "datetime.date", "datetime.datetime")),
}
LAST = {one.rpartition(".")[2] for one in CLOCKS}
# Module → why it may read the machine's clock: what it is used for decides nothing of a task's.
EXCEPTIONS = {
    "darkroom.ids": "ids are sorted by about when they were made; places in the queue are not",
    "darkroom.log": "the time at the head of a line",
    "darkroom.storage.supervisor": "the time at the head of a line",
    "darkroom.api.middleware": "when a call came, as its record says",
    "darkroom.engine.sweep": "how old a leftover folder is, by its file system, a day or not",
    "darkroom.client.flows": "how long a Retry-After with a date asks to wait; the client's own",
    "darkroom.signing": "how old a delivery is where it arrives; the receiver's own",
}


def clocks(source: Source) -> Iterator[str]:
    for node in source.nodes:
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            if taken := {alias.name for alias in node.names} & {one[5:] for one in CLOCKS}:
                yield source.at(node, f"import time, not {', '.join(sorted(taken))} from it")
        elif isinstance(node, ast.Attribute) and node.attr in LAST:
            read = ast.unparse(node)
            if read in CLOCKS:
                yield source.at(node, f"{read} is this machine's; let the statement say now()")


def test_no_machines_clock_decides_anything() -> None:
    refuse(
        line
        for source in sources("src")
        if source.module not in EXCEPTIONS
        for line in clocks(source)
    )


def test_every_exception_is_needed() -> None:
    idle = {one.module for one in sources("src") if not list(clocks(one))} & {*EXCEPTIONS}
    assert not idle, f"these read no clock: {idle}"


@pytest.mark.parametrize(
    "text", ["time.time()", "datetime.now(UTC)", "from time import time_ns", "f(time.time)"]
)
def test_a_wall_clock_is_refused(text: str) -> None:
    assert list(clocks(Source("src/darkroom/domain/tasks.py", text)))


@pytest.mark.parametrize("text", ["time.monotonic()", "time.perf_counter()", "row.now"])
def test_a_measured_time_passes(text: str) -> None:
    assert not list(clocks(Source("src/darkroom/domain/tasks.py", text)))
