"""Patience: how often a worker may leave the first of the queue behind for what it has loaded."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from darkroom import config
from darkroom.domain import leases


class Patience:
    """Counts the claims in a row that overtook an earlier task.

    After `OVERTAKEN_MAX` of them the worker asks in the queue's own order. So a task that stands
    first is overtaken at most so many times by each worker, whatever these have loaded.
    """

    def __init__(self) -> None:
        self._overtaken = 0

    def wanted(self, models: Sequence[str], loaded: Collection[str]) -> leases.Wanted:
        """What to claim next."""
        return leases.Wanted(models, loaded if self._overtaken < config.OVERTAKEN_MAX else ())

    def count(self, claimed: Sequence[leases.Claim]) -> None:
        """Take note of a claim that answered something."""
        self._overtaken = self._overtaken + 1 if any(one.overtook for one in claimed) else 0
