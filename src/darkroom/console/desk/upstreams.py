"""The desk's upstreams: every call to another service, what it cost, and those in doubt."""

from __future__ import annotations

from starlette.responses import Response

from darkroom.console.desk import asking
from darkroom.console.visit import Page, Visit
from darkroom.domain import powers, upstream_calls

_SPENT_HOURS = 24


async def show(visit: Visit) -> Response:
    """The newest calls, and what those of the last day came to."""
    state, backend = asking.asked(visit, "state"), asking.asked(visit, "backend")
    states = (*upstream_calls.STATES, upstream_calls.DOUBTFUL)
    async with visit.edge.database.transaction() as tx:
        found = await upstream_calls.list_all(
            tx,
            backend=backend,
            state=state if state in states else None,
            before=asking.asked(visit, "before"),
            rows_max=asking.ROWS_MAX,
        )
        spent = await upstream_calls.spent(tx, hours=_SPENT_HOURS)
    more = found[-1].id if len(found) == asking.ROWS_MAX else None
    return visit.page(
        "admin/upstreams.html",
        calls=found,
        spent=spent,
        states=states,
        newer=asking.newest(visit),
        older=asking.older(visit, more),
    )


async def review(visit: Visit) -> Response:
    """Whether a call in doubt was billed, as somebody has found out."""
    is_billed = (await visit.fields()).get("is_billed") == "yes"
    call_id = visit.request.path_params["call_id"]
    async with visit.edge.database.transaction() as tx:
        call = await powers.review_call(tx, asking.actor(visit), call_id, is_billed=is_billed)
    said = "was billed" if is_billed else "was not billed"
    return visit.go(f"/admin/tasks/{call.task_id}", f"Written down: the call {said}.")


PAGES = (
    Page("GET", "/admin/upstreams", show, "admin"),
    Page("POST", "/admin/upstreams/{call_id}", review, "admin"),
)
