"""Routing: which of the backends that can serve a task gets it, and which of them rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from darkroom import errors
from darkroom.domain.catalogue import Served
from darkroom.domain.leases import Claim

# Failures in a row after which a backend rests; then one that fails again rests twice as long.
_FAILURES_MAX = 3
_REST_SECONDS = 5.0
_REST_SECONDS_MAX = 300.0
# How far a task moves what is known of a backend's speed.
_SHARE = 0.3


class _Health(msgspec.Struct):
    """How a backend has done lately for one model."""

    failures: int = 0
    rests_until: float = 0.0
    seconds: float | None = None


class Routes:
    """What this worker knows of the services that it asks, by model and backend.

    A service that fails a few times in a row, or says when to come back, rests: other backends get
    its tasks, and where there is none they wait in the queue. After the rest it is asked again.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._healths: dict[tuple[str, str], _Health] = {}

    def choose(self, claimed: Claim, served: Served) -> str:
        """The backend for a task's next attempt; empty when none serves the kind here."""
        model, every = claimed.model, served.backends.get(claimed.kind, ())
        if claimed.goes_on_with:
            # Even where the catalogue knows it no more: another would be paid as well.
            return claimed.goes_on_with
        left = [one for one in every if one not in claimed.passed_over] or [*every]
        awake = [one for one in left if not self._rests(model, one)] or left
        return min(awake, key=lambda one: self._order(model, one, served), default="")

    def has_other(self, claimed: Claim, served: Served, tried: str) -> bool:
        """Whether a backend is left that may be asked and was not in this round of attempts."""
        if claimed.goes_on_with:
            return False
        asked = {tried, *claimed.passed_over}
        return not asked.issuperset(served.backends.get(claimed.kind, ()))

    def rests(self, model: str, served: Served) -> bool:
        """Whether nobody can serve the model now, whatever the kind."""
        if not self._healths:
            return False
        every = {one for backends in served.backends.values() for one in backends}
        return all(self._rests(model, one) for one in every)

    def note(
        self, model: str, backend: str, error: errors.TaskError | None, seconds: float
    ) -> None:
        """Learn from an attempt that ended; only a hindrance speaks against a backend."""
        health = self._healths.setdefault((model, backend), _Health())
        if not isinstance(error, errors.Hindered):
            health.failures, health.rests_until = 0, 0.0
            if error is None:
                known = seconds if health.seconds is None else health.seconds
                health.seconds = known + _SHARE * (seconds - known)
            return
        health.failures += 1
        rest = error.retry_after_seconds
        if health.failures >= _FAILURES_MAX:
            rest = max(rest, _REST_SECONDS * 2.0 ** min(health.failures - _FAILURES_MAX, 10))
        health.rests_until = self._clock() + min(rest, _REST_SECONDS_MAX)

    def _rests(self, model: str, backend: str) -> bool:
        health = self._healths.get((model, backend))
        return health is not None and health.rests_until > self._clock()

    def _order(self, model: str, backend: str, served: Served) -> float:
        """The least goes first; by itself the catalogue's order, since `min` takes the first."""
        if served.prefer == "cost":
            return _cost(served.options.get(backend, {}))
        if served.prefer == "speed":
            health = self._healths.get((model, backend))
            # One that is not known yet is tried.
            return (health and health.seconds) or 0.0
        return 0.0


def _cost(options: Mapping[str, Any]) -> float:
    """What a result costs by this backend, in US dollars; nothing where it is not said."""
    cost = options.get("cost", 0.0)
    return float(cost) if isinstance(cost, int | float) else 0.0
