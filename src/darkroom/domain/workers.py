"""Workers: who runs tasks, of which models, how many at once, and when it was seen last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from darkroom import config
from darkroom.storage.database import Transaction


class Worker(msgspec.Struct, frozen=True):
    """One worker, its `state` alive, ended or lost, and how many tasks it is `running`.

    `models` are those that it serves, `loaded` those that its children hold.
    """

    id: str
    host: str
    state: str
    models: list[str]
    slots: int
    running: int
    started_at: datetime
    seen_at: datetime
    loaded: list[str]


class _Gone(msgspec.Struct, frozen=True):
    total: int


async def see(
    tx: Transaction,
    worker_id: str,
    *,
    host: str,
    models: Sequence[str],
    slots: int,
    loaded: Sequence[str] = (),
) -> None:
    """Register a worker, or record that it still lives and what it serves and holds now."""
    await tx.run(
        "workers.see",
        id=worker_id,
        host=host,
        models=list(models),
        slots=slots,
        loaded=list(loaded),
    )


async def finish(tx: Transaction, worker_id: str) -> None:
    """Record that a worker ended in good order."""
    await tx.run("workers.finish", id=worker_id)


async def list_all(tx: Transaction, *, rows_max: int = config.WORKERS_LISTED_MAX) -> list[Worker]:
    """Workers for the operator: those that live first, then the newest."""
    return await tx.all(
        Worker, "workers.list", rows_max=rows_max, alive_seconds=config.WORKER_ALIVE_SECONDS
    )


async def forget(tx: Transaction) -> int:
    """Remove workers that have been gone for a day; answers how many."""
    return (await tx.one(_Gone, "workers.forget")).total
