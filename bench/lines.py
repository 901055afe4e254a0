"""One line of the table: a budget, its floor and the figure of the same run, and the verdict."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import msgspec


class Budget(msgspec.Struct, frozen=True):
    """What a figure must be: at least the bound, or at most."""

    is_least: bool
    bound: float
    unit: str = ""

    def told(self) -> str:
        """As the table says it."""
        return f"{'≥' if self.is_least else '≤'} {self.bound:g}{self.unit}"

    def is_met(self, figure: float) -> bool:
        """Whether a figure keeps the budget."""
        return figure >= self.bound if self.is_least else figure <= self.bound


class Line(msgspec.Struct, frozen=True):
    """One measured budget; `figure` is what the budget bounds, `low` to `high` its spread.

    Without a budget it is told for what it is worth.
    """

    path: str
    budget: Budget | None
    floor: str
    measured: str
    figure: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""

    def cells(self) -> list[str]:
        """The line's cells: path, budget, floor, measured, figure with spread, verdict."""
        if self.budget is None:
            return [self.path, "–", self.floor, self.measured, "–", "–"]
        if self.figure is None:
            return [self.path, self.budget.told(), self.floor, self.measured, "–", "not measured"]
        unit = self.budget.unit
        figure = f"{_shown(self.figure)}{unit}"
        if self.low is not None and self.high is not None and self.low != self.high:
            figure += f" ({_shown(self.low)}–{_shown(self.high)})"
        verdict = "met" if self.budget.is_met(self.figure) else "**missed**"
        return [self.path, self.budget.told(), self.floor, self.measured, figure, verdict]


def of_pairs(
    path: str,
    budget: Budget,
    unit: str,
    floors: Sequence[float],
    measured: Sequence[float],
    note: str = "",
) -> Line:
    """A line whose figure is the ratio of the medians; the spread is that of the rounds' ratios."""
    floor, found = statistics.median(floors), statistics.median(measured)
    ratios = [one / under for under, one in zip(floors, measured, strict=True)]
    low, high = spread(ratios)
    return Line(
        path,
        budget,
        f"{_shown(floor)} {unit}",
        f"{_shown(found)} {unit}",
        found / floor,
        low,
        high,
        note,
    )


def spread(figures: Sequence[float]) -> tuple[float, float]:
    """The lowest and highest of a few figures, the middle half of many."""
    if len(figures) < 8:
        return min(figures), max(figures)
    quarters = statistics.quantiles(figures, n=4)
    return quarters[0], quarters[2]


def _shown(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"
