"""The desk's first page: what waits, runs and fails now, and whether the books are right."""

from __future__ import annotations

import functools
from importlib import metadata

from starlette.responses import Response

from darkroom.console.visit import Page, Visit
from darkroom.domain import acts, audits, queues, workers

_ACTS_SHOWN = 6


async def show(visit: Visit) -> Response:
    """Everything at a glance."""
    async with visit.edge.database.transaction() as tx:
        overview = await queues.overview(tx)
        failures = await queues.failures(tx)
        audit = await audits.latest(tx)
        done = await acts.list_all(tx, acts.Filter(), rows_max=_ACTS_SHOWN)
    return visit.page(
        "admin/overview.html",
        overview=overview,
        failures=failures,
        audit=audit,
        acts=done,
        counted_max=queues.COUNTED_MAX,
        version=_version(),
    )


@functools.cache
def _version() -> str:
    return metadata.version("darkroom")


async def show_queue(visit: Visit) -> Response:
    """What waits and runs, by model and by account."""
    async with visit.edge.database.transaction() as tx:
        overview = await queues.overview(tx)
        by_model = await queues.by_model(tx)
        by_account = await queues.by_account(tx)
    return visit.page(
        "admin/queue.html", overview=overview, by_model=by_model, by_account=by_account
    )


async def show_workers(visit: Visit) -> Response:
    """Who runs tasks, and what it holds."""
    async with visit.edge.database.statement() as tx:
        found = await workers.list_all(tx)
    return visit.page("admin/workers.html", workers=found)


async def show_settings(visit: Visit) -> Response:
    """The settings of this server, each with its source."""
    return visit.page("admin/settings.html", settings=visit.edge.settings)


PAGES = (
    Page("GET", "/admin", show, "admin"),
    Page("GET", "/admin/queue", show_queue, "admin"),
    Page("GET", "/admin/workers", show_workers, "admin"),
    Page("GET", "/admin/settings", show_settings, "admin"),
)
