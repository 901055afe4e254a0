"""Status: one task, or all tasks of a batch."""

from __future__ import annotations

from typing import Any

from darkroom import errors
from darkroom.api.call import Call, Route
from darkroom.domain import spellings, tasks
from darkroom.domain.kinds.table import KINDS

# Kinds with whose tasks another goes on.
_CONTINUED = {kind.continues for kind in KINDS.values() if kind.continues}
_BATCH_ID_DIGITS_MAX = 18


async def of_task(call: Call) -> Any:
    """One task of the caller, with its results when it has ended well."""
    task_id = call.request.path_params["task_id"]
    caller = call.principal
    shown = await call.edge.statuses.show(caller.account_id, task_id, caller.wire, call.base_url)
    call.trace.task_id, call.trace.batch_id = task_id, shown.task.batch_id
    if shown.task.is_ended and shown.task.kind in _CONTINUED:
        later = await call.edge.statuses.continuation(caller.account_id, task_id)
        if later is not None:
            return spellings.continued(shown.task, later, caller.wire, call.base_url)
    return shown.data


async def of_batch(call: Call) -> Any:
    """Every task of one batch of the caller, in order."""
    number = batch_id(call)
    async with call.edge.database.statement() as tx:
        found = await tasks.of_batch(tx, call.principal.account_id, number)
    call.trace.batch_id = number
    return [spellings.task(task, call.principal.wire, call.base_url) for task in found]


def batch_id(call: Call) -> int:
    """The batch id of the path; raises `BatchNotFound` for what cannot be one."""
    text = call.request.path_params["batch_id"]
    if not text.isascii() or not text.isdecimal() or len(text) > _BATCH_ID_DIGITS_MAX:
        raise errors.BatchNotFound
    return int(text)


ROUTES = (
    Route(
        "GET",
        "/v1/generation/{task_id}/status",
        of_task,
        "The state of one task, and its results when it is done.",
        (errors.Unauthenticated, errors.RateLimited, errors.TaskNotFound),
    ),
    Route(
        "GET",
        "/v1/generation/batch/{batch_id}/status",
        of_batch,
        "The state of every task of a batch.",
        (errors.Unauthenticated, errors.RateLimited, errors.BatchNotFound),
    ),
)
