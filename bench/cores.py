"""Which cores the server, the load and PostgreSQL run on, where a process may choose."""

from __future__ import annotations

import os
from collections.abc import Callable

CAN_PIN = hasattr(os, "sched_setaffinity")
_ALL = sorted(os.sched_getaffinity(0)) if CAN_PIN else []
# One core for the server under load, another for the load; PostgreSQL runs where it finds room.
SERVER = frozenset(_ALL[:1])
LOAD = frozenset(_ALL[-1:])


def told() -> str:
    """Where things ran, for the table's last lines."""
    if not CAN_PIN:
        return "processes were not pinned to cores"
    return (
        f"under load the server has core {min(SERVER)} and the load generator core {min(LOAD)}; "
        "PostgreSQL, and everything in the other rows, is not pinned"
    )


def pin(cores: frozenset[int]) -> Callable[[], None]:
    """A function that a fresh child calls on itself; without cores it does nothing."""

    def take() -> None:
        if cores and CAN_PIN:
            os.sched_setaffinity(0, cores)

    return take
