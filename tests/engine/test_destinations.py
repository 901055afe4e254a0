"""Destinations: nobody gets more places than his own, and a receiver that is down gets one."""

from __future__ import annotations

from collections import Counter

from darkroom import config
from darkroom.domain.deliveries import Destination
from darkroom.engine.destinations import (
    FAILURES_MAX,
    REST_SECONDS_MAX,
    REST_SECONDS_MIN,
    Destinations,
)

A, B = Destination("acc_1", "a.example"), Destination("acc_1", "b.example")


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def _down(known: Destinations, one: Destination, times: int = FAILURES_MAX) -> None:
    for _ in range(times):
        known.failed(one)


def test_places_are_bounded_for_one_a_host_an_account_and_all():
    known = Destinations()
    assert known.plan([A]) == {A: config.DELIVERIES_TO_ONE_MAX}
    of_account = known.plan([Destination("acc_1", f"{n}.example") for n in range(20)])
    assert sum(of_account.values()) == config.DELIVERIES_OF_ACCOUNT_MAX
    to_host = known.plan([Destination(f"acc_{n}", "a.example") for n in range(20)])
    assert sum(to_host.values()) == config.DELIVERIES_TO_HOST_MAX
    every = known.plan([Destination(f"acc_{n}", f"{n}.example") for n in range(200)])
    assert sum(every.values()) == config.DELIVERIES_MAX == known.free


def test_what_is_under_way_takes_places_until_it_ends():
    known = Destinations()
    for _ in range(3):
        known.begin(A)
    assert known.plan([A, B]) == {
        A: config.DELIVERIES_TO_ONE_MAX - 3,
        B: config.DELIVERIES_TO_ONE_MAX,
    }
    for _ in range(3):
        known.end(A)
    assert known.plan([A]) == {A: config.DELIVERIES_TO_ONE_MAX}
    assert known.free == config.DELIVERIES_MAX


def test_a_plan_takes_no_places_by_itself():
    known = Destinations()
    assert known.plan([A]) == known.plan([A])


def test_a_receiver_that_is_down_rests_and_then_gets_one_probe():
    clock = Clock()
    known = Destinations(clock)
    _down(known, A, FAILURES_MAX - 1)
    assert known.plan([A]) == {A: config.DELIVERIES_TO_ONE_MAX}
    known.failed(A)
    assert known.plan([A, B]) == {B: config.DELIVERIES_TO_ONE_MAX}
    clock.now = REST_SECONDS_MIN
    assert known.plan([A]) == {A: 1}
    known.begin(A)
    assert known.plan([A]) == {}
    known.answered(A)
    known.end(A)
    assert known.plan([A]) == {A: config.DELIVERIES_TO_ONE_MAX}


def test_rests_double_to_a_bound_and_what_began_before_one_counts_once():
    clock = Clock()
    known = Destinations(clock)
    _down(known, A)
    rests = []
    for _ in range(8):
        began = clock.now
        _down(known, A, 7)
        while known.plan([A]) == {}:
            clock.now += 1
        rests.append(clock.now - began)
        known.failed(A)
    assert rests == [5, 10, 20, 40, 80, 160, 300, 300]
    assert rests[-1] == REST_SECONDS_MAX


def test_a_receiver_that_asks_for_a_rest_gets_it():
    clock = Clock()
    known = Destinations(clock)
    known.failed(A, asked_seconds=60)
    clock.now = 59
    assert known.plan([A]) == {}
    clock.now = 60
    assert known.plan([A]) == {A: config.DELIVERIES_TO_ONE_MAX}


def test_what_is_known_of_failures_is_bounded():
    clock = Clock()
    known = Destinations(clock)
    every = [Destination("acc", f"{n}.example") for n in range(config.DESTINATIONS_FAILING_MAX + 1)]
    for one in every:
        known.failed(one, asked_seconds=60)
    planned = Counter(known.plan([every[0], every[1], every[-1]]))
    assert planned == {every[0]: config.DELIVERIES_TO_ONE_MAX}
