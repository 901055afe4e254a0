"""Routes: by order, cost or speed; who fails rests; nobody else is asked once something is paid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from darkroom import errors
from darkroom.domain import failures, leases
from darkroom.domain.catalogue import Prefer, Served
from darkroom.engine.routing import Routes

KIND = "text-to-image"


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _served(*backends: str, prefer: Prefer = "order", **costs: float) -> Served:
    options = {name: {"cost": cost} for name, cost in costs.items()}
    return Served({KIND: backends}, options, prefer, None)


def _claimed(passed_over: Sequence[str] = (), goes_on_with: str | None = None) -> leases.Claim:
    more: dict[str, Any] = {"passed_over": passed_over, "goes_on_with": goes_on_with}
    return leases.Claim("task", 1, 0, "acc", 7, 100, 0, KIND, "M", {}, **more)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def routes(clock: Clock) -> Routes:
    return Routes(clock)


def _fail(routes: Routes, backend: str, times: int, **more: Any) -> None:
    for _ in range(times):
        routes.note("M", backend, errors.Hindered("no", **more), 0.0)


def test_the_catalogue_s_order_holds_unless_it_says_otherwise(routes) -> None:
    assert routes.choose(_claimed(), _served("a", "b", a=0.9, b=0.1)) == "a"


def test_the_cheapest_is_preferred_by_cost(routes) -> None:
    served = _served("a", "b", "c", prefer="cost", a=0.04, b=0.02, c=0.03)
    assert routes.choose(_claimed(), served) == "b"
    assert routes.choose(_claimed(["b"]), served) == "c"


def test_the_fastest_is_preferred_by_speed_and_who_is_not_known_is_tried(routes) -> None:
    served = _served("a", "b", prefer="speed")
    routes.note("M", "a", None, 9.0)
    assert routes.choose(_claimed(), served) == "b"
    routes.note("M", "b", None, 10.0)
    assert routes.choose(_claimed(), served) == "a"
    for _ in range(10):
        routes.note("M", "b", None, 2.0)
    assert routes.choose(_claimed(), served) == "b"


def test_three_failures_make_a_backend_rest_and_then_it_is_asked_again(routes, clock) -> None:
    served = _served("a", "b")
    _fail(routes, "a", 2)
    assert routes.choose(_claimed(), served) == "a"
    _fail(routes, "a", 1)
    assert routes.choose(_claimed(), served) == "b"
    clock.now += 5.1
    assert routes.choose(_claimed(), served) == "a"
    # One more failure, and it rests twice as long.
    _fail(routes, "a", 1)
    clock.now += 5.1
    assert routes.choose(_claimed(), served) == "b"
    clock.now += 5
    assert routes.choose(_claimed(), served) == "a"
    routes.note("M", "a", None, 1.0)
    _fail(routes, "a", 2)
    assert routes.choose(_claimed(), served) == "a"


def test_a_rest_is_bounded(routes, clock) -> None:
    _fail(routes, "a", 200, retry_after_seconds=1e9)
    clock.now += 301
    assert not routes.rests("M", _served("a"))


def test_who_says_when_to_come_back_rests_so_long(routes, clock) -> None:
    served = _served("a", "b")
    _fail(routes, "a", 1, retry_after_seconds=20)
    assert routes.choose(_claimed(), served) == "b"
    clock.now += 19
    assert routes.choose(_claimed(), served) == "b"
    clock.now += 2
    assert routes.choose(_claimed(), served) == "a"


def test_tasks_wait_in_the_queue_only_while_everybody_rests(routes) -> None:
    served = _served("a", "b")
    _fail(routes, "a", 3)
    assert not routes.rests("M", served)
    _fail(routes, "b", 3)
    assert routes.rests("M", served)
    # One that was claimed all the same is run.
    assert routes.choose(_claimed(), served) == "a"


def test_a_task_s_own_failure_says_nothing_of_the_backend(routes) -> None:
    for _ in range(5):
        routes.note("M", "a", errors.BadInput(), 0.0)
    assert routes.choose(_claimed(), _served("a", "b")) == "a"


def test_a_round_asks_each_backend_once_then_the_next_round_begins(routes) -> None:
    served = _served("a", "b")
    assert routes.has_other(_claimed(), served, "a")
    assert routes.choose(_claimed(["a"]), served) == "b"
    assert not routes.has_other(_claimed(["a"]), served, "b")
    assert routes.choose(_claimed(["a", "b"]), served) == "a"


@pytest.mark.parametrize("passed_over", [[], ["a"], ["a", "b"]])
@pytest.mark.parametrize("backends", [("a", "b"), ("b", "a"), ("a",)])
def test_a_call_that_goes_on_is_its_backend_s_alone(routes, passed_over, backends) -> None:
    claimed = _claimed(passed_over, goes_on_with="b")
    _fail(routes, "b", 5, retry_after_seconds=100)
    # Even one that the catalogue names no more: whoever else is asked would be paid as well.
    assert routes.choose(claimed, _served(*backends)) == "b"
    assert not routes.has_other(claimed, _served(*backends), "b")


def test_what_may_be_paid_for_is_not_passed_on() -> None:
    assert failures.is_passed_on(_claimed(), errors.Hindered())
    assert not failures.is_passed_on(_claimed(), errors.Hindered(stays=True))
    assert not failures.is_passed_on(_claimed(), errors.OutcomeUnknown())
    assert not failures.is_passed_on(_claimed(), errors.BadInput())
