"""Destinations: how many deliveries may be under way to each, and a rest for those that are down.

A destination that did not answer so many times in a row rests; after the rest one delivery probes
it. So a receiver that is down costs nobody else a place, and its deliveries no attempts. Only what
says that the receiver is down counts: no answer, or one of 429, 502, 503 and 504. Others have been
answered quickly, and their own schedule spaces them.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from darkroom import config
from darkroom.domain.deliveries import Destination

FAILURES_MAX = 5
REST_SECONDS_MIN = 5.0
REST_SECONDS_MAX = 300.0


class _Failing(msgspec.Struct):
    failures: int = 0
    rests_until: float = 0.0


class Destinations:
    """What one process has under way, and what it knows of receivers that are down."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._to_one: Counter[Destination] = Counter()
        self._to_host: Counter[str] = Counter()
        self._of_account: Counter[str] = Counter()
        self._failing: OrderedDict[Destination, _Failing] = OrderedDict()

    @property
    def free(self) -> int:
        """How many more deliveries may be under way."""
        return config.DELIVERIES_MAX - self._to_one.total()

    def plan(self, due: Sequence[Destination]) -> dict[Destination, int]:
        """How many to claim for which of these, in their order, while there are places."""
        planned: dict[Destination, int] = {}
        for one in due:
            room = self._room(one)
            if room > 0:
                planned[one] = room
                self._count(one, room)
        for one, room in planned.items():
            self._count(one, -room)
        return planned

    def begin(self, one: Destination) -> None:
        """Count a delivery that is under way."""
        self._count(one, 1)

    def end(self, one: Destination) -> None:
        """Count one off."""
        self._count(one, -1)

    def answered(self, one: Destination) -> None:
        """The receiver is there."""
        self._failing.pop(one, None)

    def failed(self, one: Destination, asked_seconds: float = 0.0) -> None:
        """The receiver is not there, or asked for a rest of so many seconds."""
        failing = self._failing.setdefault(one, _Failing())
        self._failing.move_to_end(one)
        if failing.failures >= FAILURES_MAX and failing.rests_until > self._clock():
            return  # begun before the rest
        failing.failures += 1
        seconds = asked_seconds
        if failing.failures >= FAILURES_MAX:
            doubled = REST_SECONDS_MIN * 2.0 ** min(failing.failures - FAILURES_MAX, 10)
            seconds = max(seconds, min(doubled, REST_SECONDS_MAX))
        failing.rests_until = max(failing.rests_until, self._clock() + seconds)
        if len(self._failing) > config.DESTINATIONS_FAILING_MAX:
            self._failing.popitem(last=False)

    def _room(self, one: Destination) -> int:
        room = min(
            config.DELIVERIES_TO_ONE_MAX - self._to_one[one],
            config.DELIVERIES_TO_HOST_MAX - self._to_host[one.host],
            config.DELIVERIES_OF_ACCOUNT_MAX - self._of_account[one.account_id],
            self.free,
        )
        failing = self._failing.get(one)
        if failing is None:
            return room
        if failing.rests_until > self._clock():
            return 0
        # After a rest a single one probes; before it, nobody knows that there will be one.
        return room if failing.failures < FAILURES_MAX else min(room, 1 - self._to_one[one])

    def _count(self, one: Destination, change: int) -> None:
        for count, name in (
            (self._to_one, one),
            (self._to_host, one.host),
            (self._of_account, one.account_id),
        ):
            _add(count, name, change)


def _add(count: Counter[Any], name: Any, change: int) -> None:
    """Count so that a name of which there is none takes no room."""
    count[name] += change
    if not count[name]:
        del count[name]
