"""Suspensions: accounts that may ask for nothing more until an operator ends it.

What an account submitted before is run to its end, or canceled where the operator wants that: its
waiting tasks then end one by one, each with its refund, and what runs is left to its end.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from darkroom import errors
from darkroom.storage.database import Transaction


class Suspension(msgspec.Struct, frozen=True):
    """Since when an account is suspended and why; both None: it is not."""

    account_id: str
    suspended_at: datetime | None
    reason: str | None
    # Its waiting tasks are being canceled.
    is_emptying: bool
    # For ever.
    is_deleted: bool = False


class _Id(msgspec.Struct, frozen=True):
    id: str


class _Waiting(msgspec.Struct, frozen=True):
    account_id: str
    id: str | None


async def begin(
    tx: Transaction, account_id: str, reason: str, *, cancel_waiting: bool
) -> Suspension:
    """Suspend an account, or change why; an admin's and a deleted one are refused."""
    if not 0 < len(reason.strip()) <= 500:
        raise errors.BadParameter(
            "A suspension needs a reason, in 1 to 500 characters.", field="reason"
        )
    found = await tx.first(
        Suspension,
        "suspensions.begin",
        account_id=account_id,
        reason=reason.strip(),
        cancel_waiting=cancel_waiting,
    )
    if found is None:
        raise errors.BadParameter(
            "This account cannot be suspended: it is deleted, or an admin's: take its admin rights "
            "first."
        )
    return found


async def end(tx: Transaction, account_id: str) -> Suspension:
    """Let an account ask again; tasks that are still to be canceled are left."""
    ended = await tx.first(Suspension, "suspensions.finish", account_id=account_id)
    if ended is None:
        raise errors.BadParameter("This account is deleted: nobody can have it back.")
    return ended


async def get(tx: Transaction, account_id: str) -> Suspension:
    """Whether an account, which must exist, is suspended."""
    return await tx.one(Suspension, "suspensions.get", account_id=account_id)


async def waiting(tx: Transaction, *, tasks_max: int) -> list[tuple[str, str]]:
    """(account id, task id) of waiting tasks that are to be canceled, of one account.

    An account that has none is emptied. Parked ones come first: the end of a queued one would only
    admit them.
    """
    found = await tx.all(_Waiting, "suspensions.waiting", tasks_max=tasks_max)
    left = [(row.account_id, row.id) for row in found if row.id is not None]
    if found and not left:
        await tx.run("suspensions.emptied", account_id=found[0].account_id)
    return left
