"""Together only where it is faster: measured, looked at again, and never more than there is for."""

from __future__ import annotations

from typing import Any

import pytest

from darkroom.domain.leases import Claim
from darkroom.engine.gains import Gains


def _claim(attempt: int = 1, size: int = 32) -> Claim:
    return Claim("task", attempt, 0, "acc", 7, 100, size, "text-to-image", "M", {})


@pytest.fixture
def gains() -> Gains:
    """What a worker knows of a model that takes four at once, and of which one took a second."""
    one = Gains()
    one.note("b", _claim(), together_max=4, count=1, seconds=1.0)
    return one


def _counts(gains: Gains, number: int) -> list[int]:
    return [gains.count("b", _claim(), 60) for _ in range(number)]


def _note(gains: Gains, count: int, seconds: float, **more: Any) -> None:
    gains.note("b", _claim(), **({"together_max": 4} | more), count=count, seconds=seconds)


def test_the_first_of_a_model_and_size_runs_alone(gains: Gains) -> None:
    assert gains.count("b", _claim(size=34), 60) == 1
    assert gains.count("other", _claim(), 60) == 1
    assert gains.count("b", _claim(), 60) == 4


def test_a_backend_that_takes_one_task_is_never_given_more() -> None:
    gains = Gains()
    gains.note("b", _claim(), together_max=1, count=1, seconds=1.0)
    assert _counts(gains, 3) == [1] * 3


def test_what_was_tried_before_runs_alone(gains: Gains) -> None:
    assert gains.count("b", _claim(attempt=2), 60) == 1


def test_what_is_faster_goes_on_and_the_other_way_is_tried_now_and_then(gains: Gains) -> None:
    _note(gains, 4, 2.0)
    counts = _counts(gains, 256)
    assert [place for place, count in enumerate(counts, 1) if count == 1] == [
        *(4, 8, 16, 32, 64, 128, 192, 256)
    ]


def test_what_is_not_faster_is_left_but_for_a_look_now_and_then(gains: Gains) -> None:
    _note(gains, 4, 4.0)
    counts = _counts(gains, 64)
    assert [place for place, count in enumerate(counts, 1) if count == 4] == [4, 8, 16, 32, 64]


def test_one_slow_run_does_not_decide(gains: Gains) -> None:
    _note(gains, 4, 2.0)
    for _ in range(2):
        _note(gains, 4, 40.0)
        _note(gains, 4, 2.0)
    assert _counts(gains, 1) == [4]


def test_a_slow_first_run_is_forgotten_with_the_second(gains: Gains) -> None:
    _note(gains, 4, 2.0)
    _note(gains, 1, 0.3)
    assert _counts(gains, 3) == [1] * 3


def test_what_could_not_run_in_one_call_is_not_tried_again(gains: Gains) -> None:
    gains.refuse("b", _claim(), 4)
    assert _counts(gains, 1) == [2]
    gains.refuse("b", _claim(), 2)
    assert _counts(gains, 200) == [1] * 200
    assert gains.count("b", _claim(size=34), 60) == 1


def test_one_after_another_must_fit_into_the_time_of_one(gains: Gains) -> None:
    assert gains.count("b", _claim(), 4.0) == 2
    assert gains.count("b", _claim(), 1.5) == 1


def test_another_bound_in_the_catalogue_begins_anew(gains: Gains) -> None:
    gains.refuse("b", _claim(), 4)
    _note(gains, 4, 2.0, together_max=8)
    assert _counts(gains, 1) == [1]
    _note(gains, 1, 1.0, together_max=8)
    assert _counts(gains, 1) == [8]
