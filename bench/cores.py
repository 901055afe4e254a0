"""Which cores the server, the load and PostgreSQL run on, where the system lets a process choose."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

CAN_PIN = hasattr(os, "sched_setaffinity")
_ALL = sorted(os.sched_getaffinity(0)) if CAN_PIN else []
# One core for the server under load; the load takes another, PostgreSQL all but the server's.
SERVER = set(_ALL[:1])
LOAD = set(_ALL[-1:])
OTHERS = set(_ALL[1:]) or SERVER


def told() -> str:
    """Where things ran, for the table's last lines."""
    if not CAN_PIN:
        return "processes were not pinned to cores"
    return (
        f"under load the server has core {min(SERVER)}, the load generator core {min(LOAD)}, "
        f"PostgreSQL core {', '.join(map(str, sorted(OTHERS)))}; elsewhere nothing is pinned"
    )


def pin(cores: set[int]) -> Callable[[], None]:
    """A function that a fresh child calls on itself; without cores it does nothing."""

    def take() -> None:
        if cores and CAN_PIN:
            os.sched_setaffinity(0, cores)

    return take


@contextlib.contextmanager
def on(cores: set[int]) -> Iterator[None]:
    """This process, and what it starts meanwhile, on these cores."""
    pin(cores)()
    try:
        yield
    finally:
        pin(set(_ALL))()
