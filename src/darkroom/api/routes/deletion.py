"""Deletion: a task's files and words removed, or one file; its row, and what it cost, stay."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from darkroom import errors
from darkroom.api.call import Call, Edge, Route
from darkroom.domain import assets, deletions, spellings, tasks
from darkroom.storage import files


async def delete_task(call: Call) -> Any:
    """Delete one task of the caller that has ended."""
    task_id, caller = call.request.path_params["task_id"], call.principal
    task = await delete(call.edge, caller.account_id, task_id)
    call.trace.task_id, call.trace.batch_id = task.id, task.batch_id
    return spellings.task(task, caller.wire, call.base_url)


async def delete(edge: Edge, account_id: str, task_id: str) -> tasks.Task:
    """Mark the task, then remove its bytes: what a crash leaves between is the sweep's."""
    if "\x00" in task_id:
        raise errors.TaskNotFound
    async with edge.database.transaction() as tx:
        gone = await deletions.delete(tx, account_id, task_id)
    edge.statuses.forget(account_id, task_id)
    await _remove(edge, gone.files)
    return gone.task


async def delete_file(call: Call) -> Any:
    """Delete one file of the caller's, a result or an upload."""
    name, caller = call.request.path_params["name"], call.principal
    files.check_name(name)
    async with call.edge.database.transaction() as tx:
        task_id = await assets.delete(tx, caller.account_id, name)
    if task_id is not None:
        call.edge.statuses.forget(caller.account_id, task_id)
        call.trace.task_id = task_id
    await _remove(call.edge, [name])
    return {"file": name, "deleted": True}


async def _remove(edge: Edge, names: Sequence[str]) -> None:
    """Remove what is deleted already; while the store is away that is left to the sweep."""
    with contextlib.suppress(errors.FilesUnavailable):
        await edge.files.remove(names)


ROUTES = (
    Route(
        "DELETE",
        "/v1/files/{name}",
        delete_file,
        "Delete one file, a result or an upload; its address answers 410 from then on.",
        (
            errors.Unauthenticated,
            errors.RateLimited,
            errors.FileNotFound,
            errors.FileDeleted,
        ),
    ),
    Route(
        "POST",
        "/v1/generation/{task_id}/delete",
        delete_task,
        "Delete a task that has ended: its files, and what was asked for; ids and cost stay.",
        (
            errors.Unauthenticated,
            errors.RateLimited,
            errors.TaskNotFound,
            errors.TaskUnfinished,
        ),
    ),
)
