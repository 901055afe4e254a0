"""Cancel: one task, or every task of a batch."""

from __future__ import annotations

from typing import Any

from darkroom import errors
from darkroom.api.call import Call, Route
from darkroom.api.routes import status
from darkroom.domain import endings, ledger, spellings, tasks


async def cancel_task(call: Call) -> Any:
    """End one task of the caller, or ask the worker that runs it to stop."""
    shown = await _cancel(call, call.request.path_params["task_id"])
    call.trace.task_id, call.trace.batch_id = shown["task_id"], shown["batch_id"]
    return shown


async def cancel_batch(call: Call) -> Any:
    """Cancel every task of one batch of the caller, in order, each in a transaction of its own."""
    batch_id = status.batch_id(call)
    async with call.edge.database.statement() as tx:
        found = await tasks.of_batch(tx, call.principal.account_id, batch_id)
    call.trace.batch_id = batch_id
    # Those that wait come first: a worker that a canceled one leaves free would begin them.
    waiting_first = sorted(found, key=lambda task: task.status != tasks.PENDING)
    shown = {task.id: await _cancel(call, task.id) for task in waiting_first}
    return [shown[task.id] for task in found]


async def _cancel(call: Call, task_id: str) -> dict[str, Any]:
    if "\x00" in task_id:
        raise errors.TaskNotFound
    async with call.edge.database.transaction() as tx:
        done = await endings.cancel(tx, call.principal.account_id, task_id)
    task = done.task
    charged = None if task.charged_mill is None else ledger.credits_of(task.charged_mill)
    return spellings.task(task, call.principal.wire, call.base_url) | {
        "cancel": {
            "effect": done.effect,
            "asked_at": spellings.instant(task.cancel_asked_at),
            "ended_at": spellings.instant(task.finished_at),
            "charged": charged,
        }
    }


ROUTES = (
    Route(
        "POST",
        "/v1/generation/{task_id}/cancel",
        cancel_task,
        "Cancel one task: a waiting one ends at once, a running one is asked to stop.",
        (errors.Unauthenticated, errors.RateLimited, errors.TaskNotFound),
    ),
    Route(
        "POST",
        "/v1/generation/batch/{batch_id}/cancel",
        cancel_batch,
        "Cancel every task of a batch.",
        (errors.Unauthenticated, errors.RateLimited, errors.BatchNotFound),
    ),
)
