"""Charts: nothing is drawn outside of the box, and every figure is told."""

from __future__ import annotations

import re

import pytest

from darkroom.console import charts
from darkroom.console.charts import Series


def _numbers(path: str) -> list[float]:
    return [float(one) for one in re.findall(r"-?[0-9.]+", path)]


@pytest.mark.parametrize("figures", [[0, 1], [3, 3, 3], [1e9, 1, 0.001], [7] * 90, [0.004]])
def test_bars_stand_upon_each_other_within_the_box(figures: list[float]) -> None:
    names = [str(n) for n in range(len(figures))]
    series = [Series("a", "c0", figures), Series("b", "c1", figures)]
    chart = charts.stacked(names, series, str)
    assert all(
        0 <= one <= charts.WIDTH for one in _numbers("".join(chart.paths).replace("h-", "h"))
    )
    assert [one.texts for one in chart.columns] == [[str(one), str(one)] for one in figures]
    bar = re.compile(r"M[\d.]+ ([\d.]+)h[\d.]+V([\d.]+)")
    first, second = ([*bar.finditer(path)] for path in chart.paths)
    assert [one[1] for one in second] == [one[2] for one in first]
    assert chart.marks[0].text == "0"
    assert 2 <= len(chart.marks) <= 6


def test_a_line_breaks_where_there_is_nothing() -> None:
    series = [Series("p50", "c1", [1.0, 2.0, None, 3.0, None, 4.0])]
    chart = charts.lines(["a"] * 6, series, str)
    assert (chart.paths[0].count("M"), chart.paths[0].count("L")) == (3, 1)
    assert chart.columns[2].texts == [""]


@pytest.mark.parametrize("draw", [charts.stacked, charts.lines])
def test_nothing_is_an_empty_chart(draw) -> None:
    assert draw([], [], str).is_empty
    assert draw(["a"], [Series("x", "c0", [None])], str).is_empty
    assert charts.stacked(["a"], [Series("x", "c0", [0])], str).is_empty


def test_marks_are_round_and_few() -> None:
    for highest in (1, 3, 7, 12, 99, 101, 4321, 10**6):
        chart = charts.stacked(["a"], [Series("x", "c0", [highest])], str)
        assert 2 <= len(chart.marks) <= 6
    assert [one.text for one in chart.marks] == ["0", "200k", "400k", "600k", "800k", "1M"]
