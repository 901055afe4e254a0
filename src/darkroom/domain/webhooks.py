"""Webhooks: who is told of what, by a delivery written in the transaction in which it happens."""

from __future__ import annotations

from collections.abc import Sequence

from darkroom import config, ids
from darkroom.storage.database import Transaction

# What can be told of a task.
ENDED, STARTED, PROGRESS, OUTPUT = "ended", "started", "progress", "output"
EVENTS = (ENDED, STARTED, PROGRESS, OUTPUT)


async def announce(tx: Transaction, task_ids: Sequence[str], *events: str) -> None:
    """Write a delivery of each event of each task to every address that wants to hear of it."""
    await tx.run(
        "webhooks.announce",
        id=ids.new("msg"),
        task_ids=list(task_ids),
        events=list(events),
        seconds_max=(
            config.PROGRESS_SECONDS_MAX if PROGRESS in events else config.DELIVERY_SECONDS_MAX
        ),
    )
