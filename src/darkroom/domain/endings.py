"""Endings that no worker writes: canceled by the owner, past a deadline, lost with its worker."""

from __future__ import annotations

import msgspec

from darkroom import errors
from darkroom.domain import leases, tasks
from darkroom.storage.database import Transaction

# What a cancel did: ended a waiting task, asked a running one to stop, or came after the end.
ENDED, ASKED, FINISHED = "ended", "asked", "already finished"


class Cancel(msgspec.Struct, frozen=True):
    """A task after a cancel, and what the cancel did: ENDED, ASKED or FINISHED."""

    task: tasks.Task
    effect: str


class Lost(msgspec.Struct, frozen=True):
    """A task whose lease ran out."""

    id: str
    attempt: int
    strikes: int
    is_canceled: bool = False


class _Changed(msgspec.Struct, frozen=True):
    id: str
    account_id: str
    status: str


async def cancel(tx: Transaction, account_id: str, task_id: str) -> Cancel:
    """End and refund a waiting task, or ask for the stop of a running one; repeating is harmless.

    Closes at most one hold; raises `TaskNotFound` for another account's task.
    """
    error = errors.Canceled()
    changed = await tx.first(
        _Changed,
        "tasks.cancel",
        account_id=account_id,
        task_id=task_id,
        error_code=error.code,
        error=error.message,
    )
    effect = FINISHED
    if changed is not None and changed.status == tasks.FAILED:
        effect = ENDED
        await leases.close_free(tx, account_id, task_id)
    elif changed is not None:
        effect = ASKED
        await tx.run("tasks.notify_cancel", task_id=task_id)
    found = await tasks.get_many(tx, [(account_id, task_id)])
    if not found:
        raise errors.TaskNotFound
    return Cancel(found[account_id, task_id], effect)


async def expire(tx: Transaction) -> str | None:
    """End and refund the waiting task whose deadline passed first; None when there is none."""
    error = errors.DeadlinePassed()
    expired = await tx.first(_Changed, "tasks.expire", error_code=error.code, error=error.message)
    if expired is None:
        return None
    await leases.close_free(tx, expired.account_id, expired.id)
    return expired.id


async def lost(tx: Transaction, *, tasks_max: int) -> list[Lost]:
    """Tasks whose lease ran out, the longest lost first."""
    return await tx.all(Lost, "tasks.lost", tasks_max=tasks_max)


async def recover(tx: Transaction, task: Lost, *, strikes_max: int) -> bool:
    """Requeue a lost task, or fail and refund it when it is canceled or has its last strike.

    False when it came back, or was canceled since it was seen: then it is still among the lost.
    """
    if not task.is_canceled and task.strikes + 1 < strikes_max:
        row = await tx.first(_Changed, "tasks.requeue_lost", task_id=task.id, attempt=task.attempt)
        await tx.run("tasks.notify")
        return row is not None
    error = errors.Canceled() if task.is_canceled else errors.AttemptsExhausted()
    row = await tx.first(
        _Changed,
        "tasks.fail_lost",
        task_id=task.id,
        attempt=task.attempt,
        error_code=error.code,
        error=error.message,
    )
    if row is None:
        return False
    await leases.close_free(tx, row.account_id, task.id)
    return True
