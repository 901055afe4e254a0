"""How much is measured: the whole pass, a quick look, and the shortest that still passes all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of one pass; a round is `round_seconds` of load on one server."""

    rounds: int
    round_seconds: int
    accounts: int
    tasks: int
    pickups: int
    pairs: int
    side_pixels: int
    starts: int
    rest_seconds: float
    rows_few: int
    rows_many: int
    searches: int


FULL = Plan(5, 2, 200, 64, 100, 16, 768, 3, 3.0, 10_000, 10_000_000, 400)
# No search in ten million rows: filling them alone takes longer than a quick look may.
QUICK = Plan(3, 1, 200, 64, 25, 4, 768, 1, 1.0, 10_000, 0, 0)
# For the test that the bench works at all: its figures say nothing.
SMOKE = Plan(1, 1, 4, 4, 2, 1, 64, 1, 0.1, 200, 1_000, 5)
