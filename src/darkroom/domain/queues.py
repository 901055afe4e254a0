"""Queues: what waits and runs over all accounts, by model and by account, as operators see it.

Every number costs a bounded piece of an index, however much waits: up to `COUNTED_MAX` rows are
counted, and what is more is said to be more.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from darkroom import config
from darkroom.storage.database import Transaction

# As the statements have it: a bound by parameter is planned as a tenth of the table.
COUNTED_MAX = 2_000


class Overview(msgspec.Struct, frozen=True):
    """The whole queue: queued tasks are counted up to the bound, parked and running ones all."""

    queued: int
    parked: int
    running: int
    oldest_at: datetime | None
    workers: int
    slots: int

    @property
    def waiting(self) -> int:
        return self.queued + self.parked

    @property
    def is_minimum(self) -> bool:
        """Whether more wait than were counted."""
        return self.queued >= COUNTED_MAX


class OfModel(msgspec.Struct, frozen=True):
    """What waits and runs of a model; `wait_seconds` is an estimate of when all of it has begun.

    `slots` of living workers serve the model, beside others that they serve. `is_minimum`: more of
    it may wait behind what was counted.
    """

    model: str
    queued: int
    parked: int
    running: int
    oldest_at: datetime | None
    slots: int
    wait_seconds: float | None
    is_minimum: bool


class OfAccount(msgspec.Struct, frozen=True):
    """What waits and runs of an account; `oldest_at` among what was counted."""

    account_id: str
    email: str
    queued: int
    parked: int
    running: int
    running_max: int
    oldest_at: datetime | None


class Failed(msgspec.Struct, frozen=True):
    """How many tasks failed with a code in the last hour, and what the last of them said."""

    code: int
    tasks: int
    error: str
    finished_at: datetime


async def overview(tx: Transaction) -> Overview:
    """The whole queue in a few numbers."""
    return await tx.one(Overview, "queues.overview", alive_seconds=config.WORKER_ALIVE_SECONDS)


async def by_model(tx: Transaction) -> list[OfModel]:
    """What waits and runs, by model, the longest queue first."""
    return await tx.all(OfModel, "queues.models", alive_seconds=config.WORKER_ALIVE_SECONDS)


async def by_account(tx: Transaction, *, rows_max: int = 50) -> list[OfAccount]:
    """The accounts of which the most waits and runs."""
    return await tx.all(OfAccount, "queues.accounts", rows_max=rows_max)


async def failures(tx: Transaction) -> list[Failed]:
    """The failures of the last hour by code, up to `COUNTED_MAX` of them."""
    return await tx.all(Failed, "queues.failures")
