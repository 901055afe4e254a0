"""Upstream calls: what is asked of other services, in a row before the request leaves."""

from __future__ import annotations

from datetime import datetime

import msgspec

from darkroom import errors, ids
from darkroom.domain.leases import Claim
from darkroom.storage.database import Transaction

STATES = ("sending", "accepted", "delivered", "refused", "failed", "canceled", "unknown")
# Asked for in a state's place: ended, and nobody knows whether it cost something.
DOUBTFUL = "in doubt"
_ABANDONED_MAX = 1000


class Going(msgspec.Struct, frozen=True):
    """A call that goes on: its id, which is the key that was sent, and what is known of it."""

    id: str
    state: str
    remote_id: str | None


class UpstreamCall(msgspec.Struct, frozen=True):
    """A call as operators see it; `is_billed` is None where nobody knows.

    `cost_micro` is in millionths of a US dollar, None where the service does not tell.
    """

    id: str
    task_id: str
    attempt: int
    model: str
    backend: str
    state: str
    remote_id: str | None
    is_billed: bool | None
    cost_micro: int | None
    error: str | None
    created_at: datetime
    changed_at: datetime

    @property
    def is_doubtful(self) -> bool:
        """Whether it has ended and nobody knows if it cost something."""
        return self.is_billed is None and self.state in ("failed", "canceled", "unknown")


class Spent(msgspec.Struct, frozen=True):
    """What a backend's calls came to; `doubtful` of them may have cost something more."""

    backend: str
    calls: int
    delivered: int
    cost_micro: int
    doubtful: int


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


async def list_all(
    tx: Transaction,
    *,
    backend: str | None,
    state: str | None,
    before: str | None,
    rows_max: int,
) -> list[UpstreamCall]:
    """Of the newest calls before one, those that fit; `state` DOUBTFUL: all that are in doubt."""
    if state == DOUBTFUL:
        return await tx.all(
            UpstreamCall,
            "upstream_calls.doubtful",
            backend=backend,
            before=before,
            rows_max=rows_max,
        )
    return await tx.all(
        UpstreamCall,
        "upstream_calls.list",
        backend=backend,
        state=state,
        before=before,
        rows_max=rows_max,
    )


async def spent(tx: Transaction, *, hours: int) -> list[Spent]:
    """What the calls of the last hours cost by backend, of the newest twenty thousand."""
    return await tx.all(Spent, "upstream_calls.spent", hours=hours)


async def review(tx: Transaction, call_id: str, *, is_billed: bool) -> UpstreamCall:
    """Store what was found out of a call in doubt; raises `NotFound` for one that is in none."""
    found = await tx.first(UpstreamCall, "upstream_calls.review", id=call_id, is_billed=is_billed)
    if found is None:
        raise errors.NotFound("No call that is in doubt has that id.")
    return found
