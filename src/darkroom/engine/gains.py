"""Gains: whether tasks are made faster together than one after another, as a worker measured it."""

from __future__ import annotations

import statistics
from collections import deque

import msgspec

from darkroom.domain.leases import Claim

# Of so many runs the median counts: the first is slow, and any may be disturbed.
_KEPT = 5
# So often a run is made the other way, so that neither figure grows old; at first more often.
_OTHER_WAY_FIRST, _OTHER_WAY_EVERY = 4, 64
# Of the time that a model may take, for what one after another would take: should they not run in
# one call after all, there is time left for that.
_SHARE_OF_TIME = 0.5


def _kept() -> deque[float]:
    return deque(maxlen=_KEPT)


class _Known(msgspec.Struct):
    """Seconds a task, alone and together; `count_max` of the `together_max` that are left."""

    together_max: int
    count_max: int
    alone: deque[float] = msgspec.field(default_factory=_kept)
    together: deque[float] = msgspec.field(default_factory=_kept)
    asked: int = 0

    @property
    def is_faster(self) -> bool:
        """Whether together is faster, or was not tried yet."""
        if not self.together:
            return True
        return statistics.median_low(self.together) < statistics.median_low(self.alone)


class Gains:
    """What a worker knows of running alike tasks in one call, by backend, model, kind and size."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str, int], _Known] = {}

    def count(self, backend: str, claimed: Claim, seconds_max: float) -> int:
        """How many tasks to run in one call, this one included.

        One that was tried before runs alone, whatever ended that attempt; so does the first of its
        kind and size, against which the others are measured.
        """
        known = self._known.get(_key(backend, claimed))
        if known is None or claimed.attempt > 1:
            return 1
        known.asked += 1
        if known.is_faster == _is_other_way(known.asked):
            return 1
        in_time = seconds_max * _SHARE_OF_TIME / statistics.median_low(known.alone)
        return max(1, min(known.count_max, int(in_time)))

    def note(
        self, backend: str, claimed: Claim, *, together_max: int, count: int, seconds: float
    ) -> None:
        """Learn from `count` tasks that took `seconds` in one call, of the most that may be."""
        key = _key(backend, claimed)
        known = self._known.get(key)
        if known is None or known.together_max != together_max:
            # Its catalogue entry has changed, and all else may have.
            self._known.pop(key, None)
            if together_max < 2 or count > 1:
                return
            known = self._known[key] = _Known(together_max, together_max)
        (known.alone if count == 1 else known.together).append(seconds / count)

    def refuse(self, backend: str, claimed: Claim, count: int) -> None:
        """Learn that so many cannot run in one call: from now on half of them at the most."""
        if known := self._known.get(_key(backend, claimed)):
            known.count_max = min(known.count_max, count // 2)


def _key(backend: str, claimed: Claim) -> tuple[str, str, str, int]:
    return backend, claimed.model, claimed.kind, claimed.size


def _is_other_way(number: int) -> bool:
    if number >= _OTHER_WAY_EVERY:
        return number % _OTHER_WAY_EVERY == 0
    return number >= _OTHER_WAY_FIRST and number.bit_count() == 1
