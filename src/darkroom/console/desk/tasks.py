"""The desk's tasks: everybody's, searched, opened, canceled and run again."""

from __future__ import annotations

import json

from starlette.responses import Response

from darkroom import errors
from darkroom.api.routes import previews as routes
from darkroom.console.desk import asking
from darkroom.console.visit import Page, Visit
from darkroom.domain import (
    acts,
    deliveries,
    endings,
    inspections,
    powers,
    previews,
    tasks,
    upstream_calls,
)
from darkroom.domain.acts import Filter
from darkroom.domain.inspections import Search

_STATES = (tasks.PENDING, tasks.PROCESSING, tasks.SUCCESS, tasks.FAILED)
_DELIVERIES_MAX = 50


async def search(visit: Visit) -> Response:
    """Tasks of all accounts by what is asked for; a single task's id leads to it."""
    named = asking.asked(visit, "q")
    problem, page = None, inspections.Page([])
    try:
        wanted = Search(
            named=named,
            model=asking.asked(visit, "model"),
            status=_status(asking.asked(visit, "status")),
            error_code=asking.number("code", asking.asked(visit, "code")),
            since=asking.instant("since", asking.asked(visit, "since")),
            until=asking.instant("until", asking.asked(visit, "until")),
        )
        async with visit.edge.database.transaction() as tx:
            page = await inspections.find(
                tx, wanted, before=asking.asked(visit, "before"), rows_max=asking.ROWS_MAX
            )
    except errors.BadParameter as refused:
        problem = refused
    if named and named.startswith("task_") and page.rows:
        return visit.go(f"/admin/tasks/{page.rows[0].id}")
    return visit.page(
        "admin/tasks.html",
        status=422 if problem else 200,
        problem=problem,
        found=page,
        states=_STATES,
        models=sorted({*visit.edge.catalogue.models, *visit.edge.catalogue.hidden}),
        newer=asking.newest(visit),
        older=asking.older(visit, page.next),
    )


def _status(text: str | None) -> str | None:
    if text is not None and text not in _STATES:
        raise errors.BadParameter(f"status is one of {', '.join(_STATES)}.", field="status")
    return text


async def show(visit: Visit) -> Response:
    """One task's whole story."""
    task_id = visit.request.path_params["task_id"]
    async with visit.edge.database.transaction() as tx:
        task = await inspections.open_task(tx, task_id)
        entries = await inspections.entries(tx, task_id)
        told = await deliveries.list_for(
            tx,
            task.account_id,
            deliveries.Filter(task_id=task_id),
            before=None,
            rows_max=_DELIVERIES_MAX,
        )
        done = await acts.list_all(tx, Filter(subject=task_id))
        calls = await upstream_calls.of_task(tx, task_id)
    return visit.page(
        "admin/task.html",
        task=task,
        entries=entries,
        deliveries=told,
        acts=done,
        calls=calls,
        input=json.dumps(task.input, indent=2, ensure_ascii=False),
        notes=json.dumps(task.notes, indent=2, ensure_ascii=False) if task.notes else None,
    )


async def preview(visit: Visit) -> Response:
    """What a running task looks like so far."""
    async with visit.edge.database.statement() as tx:
        picture = await previews.inspect(tx, visit.request.path_params["task_id"])
    return routes.answer(picture)


async def cancel(visit: Visit) -> Response:
    """End a waiting task, or ask for the stop of a running one."""
    task_id = visit.request.path_params["task_id"]
    async with visit.edge.database.transaction() as tx:
        done = await powers.cancel_task(tx, asking.actor(visit), task_id)
    said = (
        "The task is canceled." if done.effect == endings.ENDED else "Its worker is asked to stop."
    )
    return visit.go(f"/admin/tasks/{task_id}", said)


async def retry(visit: Visit) -> Response:
    """Run a failed task again, as a new batch of its account."""
    task_id = visit.request.path_params["task_id"]
    async with visit.edge.database.transaction() as tx:
        batch = await powers.retry_task(tx, asking.actor(visit), task_id)
    return visit.go(f"/admin/tasks/{batch.task_ids[0]}", f"Submitted again as batch {batch.id}.")


PAGES = (
    Page("GET", "/admin/tasks", search, "admin"),
    Page("GET", "/admin/tasks/{task_id}", show, "admin"),
    Page("GET", "/admin/tasks/{task_id}/preview", preview, "admin"),
    Page("POST", "/admin/tasks/{task_id}/cancel", cancel, "admin"),
    Page("POST", "/admin/tasks/{task_id}/retry", retry, "admin"),
)
