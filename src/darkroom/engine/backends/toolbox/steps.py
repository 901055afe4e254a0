"""Progress as tools tell it: 0 to 1, each step within its part of the whole."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float], None]


def silent(fraction: float) -> None:
    """Tells nobody."""


def within(progress: Progress, start: float, end: float) -> Progress:
    """Returns what a step tells its own 0 to 1, as start to end of the whole."""
    return lambda part: progress(start + (end - start) * part)
