"""Places: how far a waiting task stands from its start, counted and estimated."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from darkroom import config
from darkroom.storage.database import Transaction


class Place(msgspec.Struct, frozen=True):
    """Where a waiting task stands, counted up to `QUEUE_COUNTED_MAX`.

    `is_minimum`: more may come before it, since it is parked or stands farther back than is
    counted. `start_seconds` is an estimate, None where nothing is known to make it from.
    """

    id: str
    position: int
    is_minimum: bool
    start_seconds: float | None


async def find(tx: Transaction, task_ids: Sequence[str]) -> dict[str, Place]:
    """The places of tasks by id; one that does not wait any more has none."""
    rows = await tx.all(
        Place,
        "tasks.waiting",
        ids=list(task_ids),
        counted_max=config.QUEUE_COUNTED_MAX,
        alive_seconds=config.WORKER_ALIVE_SECONDS,
    )
    return {row.id: row for row in rows}
