"""Deletions: tasks whose owner wants them gone; the row stays for the books, without words."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from darkroom import errors
from darkroom.domain import tasks
from darkroom.storage.database import Transaction


class Deletion(msgspec.Struct, frozen=True):
    """A task that is deleted, and the files whose bytes are to be removed once that is committed.

    Whoever dies before it has removed them leaves them to the sweep.
    """

    task: tasks.Task
    files: Sequence[str]


class _Name(msgspec.Struct, frozen=True):
    file: str


class _Batch(msgspec.Struct, frozen=True):
    id: int


async def delete(tx: Transaction, account_id: str, task_id: str) -> Deletion:
    """Mark a task and its files as deleted; repeating is harmless.

    With the last task of a request goes what was asked for: prompt, other fields, names of inputs,
    and the inputs that came with the request itself. Uploads stay.

    Raises `TaskNotFound` for another account's task, `TaskUnfinished` for one that has not ended.
    """
    await tx.all(_Batch, "tasks.delete_in_turn", account_id=account_id, task_id=task_id)
    files = await tx.all(_Name, "tasks.delete", account_id=account_id, task_id=task_id)
    files += await tx.all(_Name, "tasks.forget", account_id=account_id, task_id=task_id)
    found = await tasks.get_many(tx, [(account_id, task_id)])
    if not found:
        raise errors.TaskNotFound
    task = found[account_id, task_id]
    if task.deleted_at is None:
        raise errors.TaskUnfinished
    return Deletion(task, [row.file for row in files])
