"""Places: how far a waiting task stands from its start, counted and estimated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from darkroom import config
from darkroom.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class Place:
    """Where a waiting task stands; `position` None: behind the `QUEUE_COUNTED_MAX` first.

    `start_seconds` is an estimate, None where nothing is known to make it from.
    """

    id: str
    position: int | None
    start_seconds: float | None


async def find(tx: Transaction, task_ids: Sequence[str]) -> dict[str, Place]:
    """The places of tasks by id; one that does not wait any more has none."""
    rows = await tx.all(
        Place,
        "tasks.waiting",
        ids=list(task_ids),
        counted_max=config.QUEUE_COUNTED_MAX,
        past_max=config.PACE_LOOKED_AT_MAX,
        learned_max=config.PACE_LEARNED_MAX,
    )
    return {row.id: row for row in rows}
