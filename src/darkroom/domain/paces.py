"""Paces: how long a task of a model, kind and size takes, learned from those that succeeded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from darkroom.storage.database import Transaction

# What is assumed of a model of which nothing has been learned.
UNKNOWN_SECONDS = 5.0
# How far the mean of what one worker has just measured moves a pace.
_SHARE = 0.3
_SECONDS_MIN = 0.001


class Measured(NamedTuple):
    """One task that succeeded: its model, kind, size in half octaves, and how long it took."""

    model: str
    kind: str
    size: int
    seconds: float


def half_octaves(amount: float) -> int:
    """A size class for an amount of pixels (or of anything else that work grows with)."""
    return round(2 * math.log2(max(amount, 1)))


async def learn(tx: Transaction, measured: Sequence[Measured]) -> None:
    """Move the paces of these tasks towards how long they took."""
    await tx.run(
        "paces.learn",
        models=[one.model for one in measured],
        kinds=[one.kind for one in measured],
        sizes=[one.size for one in measured],
        seconds=[max(one.seconds, _SECONDS_MIN) for one in measured],
        share=_SHARE,
    )
