"""Upstream calls: what is asked of other services, in a row before the request leaves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from darkroom import ids
from darkroom.domain.leases import Claim
from darkroom.storage.database import Transaction

_ABANDONED_MAX = 1000


@dataclass(frozen=True, slots=True)
class Going:
    """A call that goes on: its id, which is the key that was sent, and what is known of it."""

    id: str
    state: str
    remote_id: str | None


@dataclass(frozen=True, slots=True)
class UpstreamCall:
    """A call as operators see it; `is_billed` is None where nobody knows.

    `cost_micro` is in millionths of a US dollar, None where the service does not tell.
    """

    id: str
    backend: str
    state: str
    remote_id: str | None
    is_billed: bool | None
    cost_micro: int | None
    error: str | None
    attempt: int
    created_at: datetime
    changed_at: datetime


async def open_call(tx: Transaction, claimed: Claim, backend: str) -> tuple[Going, bool] | None:
    """The task's call by this backend that still goes on, or a new one; and whether it is new.

    None when the lease was lost.
    """
    new_id = ids.new("upc")
    going = await tx.first(
        Going,
        "upstream_calls.open",
        id=new_id,
        task_id=claimed.id,
        attempt=claimed.attempt,
        backend=backend,
    )
    return (going, going.id == new_id) if going else None


async def accept(tx: Transaction, call_id: str, remote_id: str) -> None:
    """Store what the service calls it."""
    await tx.run("upstream_calls.accept", id=call_id, remote_id=remote_id)


async def close(
    tx: Transaction,
    claimed: Claim,
    state: str,
    *,
    is_billed: bool | None,
    cost_micro: int | None,
    error: str | None,
) -> None:
    """Store how the call of an attempt ended, unless another attempt goes on with it."""
    await tx.run(
        "upstream_calls.close",
        task_id=claimed.id,
        attempt=claimed.attempt,
        state=state,
        is_billed=is_billed,
        cost_micro=cost_micro,
        error=error,
    )


async def abandon(tx: Transaction) -> None:
    """Mark calls as unknown whose task ended without them: stopped, timed out, killed."""
    await tx.run("upstream_calls.abandon", rows_max=_ABANDONED_MAX)


async def of_task(tx: Transaction, task_id: str) -> list[UpstreamCall]:
    """Every call for a task, in their order."""
    return await tx.all(UpstreamCall, "upstream_calls.of_task", task_id=task_id)
