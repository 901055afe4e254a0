"""How much is measured: the whole pass, a quick look, and the shortest that still passes all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

_TIMES_MIN = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of one pass; a round is `round_seconds` of load on one server.

    What is done again and again is cut off after `loop_seconds`, so that a busy machine makes a
    pass poorer rather than endless.
    """

    loop_seconds: float
    rounds: int
    round_seconds: int
    accounts: int
    tasks: int
    pickups: int
    pairs: int
    side_pixels: int
    starts: int
    nulls: int
    rest_seconds: float
    rows_few: int
    rows_many: int
    searches: int
    tasks_many: int
    film_pixels: tuple[int, int]
    film_seconds: int
    scenes: int

    def times(self, count: int) -> Iterator[int]:
        """The numbers from 0 below the count, at least two of them, as long as there is time."""
        until = time.monotonic() + self.loop_seconds
        for number in range(count):
            if number >= _TIMES_MIN and time.monotonic() > until:
                return
            yield number


_720P = (1280, 720)
FULL = Plan(
    *(45.0, 5, 2, 200, 64, 100, 16, 1024, 3, 2_000, 3.0, 10_000, 10_000_000, 400, 1_000_000),
    *(_720P, 5, 4),
)
# No search in ten million rows: filling them alone takes longer than a quick look may.
QUICK = Plan(10.0, 2, 1, 200, 64, 25, 4, 1024, 1, 500, 1.0, 10_000, 0, 0, 0, _720P, 1, 2)
# For the test that the bench works at all: its figures say nothing.
SMOKE = Plan(2.0, 1, 1, 4, 4, 2, 1, 64, 1, 50, 0.1, 200, 1_000, 5, 100, (64, 64), 1, 1)
