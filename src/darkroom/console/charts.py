"""Charts: from figures to the places of bars, lines and labels; a template draws them as SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec

WIDTH, HEIGHT = 720.0, 220.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 84.0, 6.0, 10.0, 26.0
_TICKS_MAX = 5
_LABELS_MAX = 7
_BAR_SHARE = 0.72


class Series(msgspec.Struct, frozen=True):
    """One of the things that are drawn: its name, its colour's class, and a figure each column.

    None: there is nothing to draw there.
    """

    name: str
    colour: str
    figures: Sequence[float | None]


class Label(msgspec.Struct, frozen=True):
    """A text at a place on an axis."""

    at: float
    text: str


class Column(msgspec.Struct, frozen=True):
    """The place above one name, and the texts of its figures in the order of the series.

    `told` says them all: made here, since a template takes ten times as long for ninety columns.
    """

    x: float
    width: float
    name: str
    texts: Sequence[str]
    told: str


class Chart(msgspec.Struct, frozen=True):
    """A chart in a box of WIDTH by HEIGHT; `paths` are drawn in SVG, one for each series.

    They are outlines to fill, or `is_lines`.
    """

    series: Sequence[Series]
    paths: Sequence[str]
    columns: Sequence[Column]
    marks: Sequence[Label]
    labels: Sequence[Label]
    is_lines: bool
    is_empty: bool


def stacked(
    names: Sequence[str], series: Sequence[Series], written: Callable[[float], str]
) -> Chart:
    """Columns of bars, one upon the other."""
    sums = [sum(one.figures[n] or 0 for one in series) for n in range(len(names))]
    top, marks = _scale(max(sums, default=0), short)
    columns = _columns(names, series, written)
    paths = _bars(columns, series, top)
    labels = _labels(columns)
    return Chart(series, paths, columns, marks, labels, is_lines=False, is_empty=not any(sums))


def _bars(columns: Sequence[Column], series: Sequence[Series], top: float) -> list[str]:
    """The outlines of each series' bars; a number is written once: there are a thousand bars."""
    width = columns[0].width * _BAR_SHARE if columns else 0.0
    across, back = f"h{width:.1f}V", f"h-{width:.1f}z"
    corners = [f"M{one.x + one.width * (1 - _BAR_SHARE) / 2:.1f} " for one in columns]
    below, feet = [0.0] * len(columns), [f"{_y(0, top):.1f}"] * len(columns)
    paths = []
    for one in series:
        bars = []
        for n, figure in enumerate(one.figures):
            if figure:
                below[n] += figure
                head = f"{_y(below[n], top):.1f}"
                bars.append(f"{corners[n]}{feet[n]}{across}{head}{back}")
                feet[n] = head
        paths.append("".join(bars))
    return paths


def lines(names: Sequence[str], series: Sequence[Series], written: Callable[[float], str]) -> Chart:
    """A line for each series, broken where there is nothing."""
    known = [figure for one in series for figure in one.figures if figure is not None]
    top, marks = _scale(max(known, default=0), written)
    columns = _columns(names, series, written)
    paths = [_line(columns, one.figures, top) for one in series]
    labels = _labels(columns)
    return Chart(series, paths, columns, marks, labels, is_lines=True, is_empty=not known)


def short(figure: float) -> str:
    """A count for an axis: 1.5k, 20M."""
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if figure >= size:
            return f"{figure / size:g}{sign}"
    return f"{figure:g}"


def _scale(highest: float, written: Callable[[float], str]) -> tuple[float, list[Label]]:
    """The figure at the top, and the marks of the axis: steps of 1, 2 or 5 times a power of ten."""
    if not highest:
        return 1.0, []
    step = 10 ** math.floor(math.log10(highest / _TICKS_MAX))
    step *= next(times for times in (1, 2, 5, 10) if step * times * _TICKS_MAX >= highest)
    count = math.ceil(highest / step)
    top = step * count
    return top, [Label(round(_y(step * n, top), 1), written(step * n)) for n in range(count + 1)]


def _y(figure: float, top: float) -> float:
    return _TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - figure / top)


def _columns(
    names: Sequence[str], series: Sequence[Series], written: Callable[[float], str]
) -> list[Column]:
    width = (WIDTH - _LEFT - _RIGHT) / max(len(names), 1)
    wide, called = round(width, 1), [one.name for one in series]
    columns = []
    for n, name in enumerate(names):
        figures = [each.figures[n] for each in series]
        texts = ["" if one is None else written(one) for one in figures]
        # What is nothing is not worth a word.
        said = [f"\n{each}: {text}" for each, text in zip(called, texts, strict=True) if text > "0"]
        columns.append(Column(round(_LEFT + n * width, 1), wide, name, texts, name + "".join(said)))
    return columns


def _labels(columns: Sequence[Column]) -> list[Label]:
    every = math.ceil(len(columns) / _LABELS_MAX) or 1
    return [
        Label(round(one.x + one.width / 2, 1), one.name) for one in [*reversed(columns)][::every]
    ]


def _line(columns: Sequence[Column], figures: Sequence[float | None], top: float) -> str:
    """A point that stands alone is drawn as a short stroke."""
    path, is_drawing = [], False
    for column, figure in zip(columns, figures, strict=True):
        if figure is not None:
            x, y = column.x + column.width / 2, _y(figure, top)
            path.append(f"L{x:.1f} {y:.1f}" if is_drawing else f"M{x:.1f} {y:.1f}h0.1")
        is_drawing = figure is not None
    return "".join(path)
