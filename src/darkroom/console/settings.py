"""Settings: an account's own sign-in, and the browsers in which it is signed in."""

from __future__ import annotations

from starlette.responses import Response

from darkroom.console.visit import Page, Visit
from darkroom.domain import sessions


async def show(visit: Visit) -> Response:
    """The account, and its sessions."""
    async with visit.edge.database.statement() as tx:
        found = await sessions.list_for(tx, visit.account_id)
    return visit.page("settings.html", sessions=found)


async def close_session(visit: Visit) -> Response:
    """Log one browser out."""
    fields = await visit.fields()
    async with visit.edge.database.statement() as tx:
        await sessions.close(tx, visit.account_id, fields.get("session_id", ""))
    return visit.go("/settings", "That session is over.")


async def close_others(visit: Visit) -> Response:
    """Log every browser out but this one."""
    async with visit.edge.database.statement() as tx:
        await sessions.close_others(tx, visit.account_id, visit.signed_in.session_id)
    return visit.go("/settings", "Every other session is over.")


PAGES = (
    Page("GET", "/settings", show),
    Page("POST", "/settings/sessions/close", close_session),
    Page("POST", "/settings/sessions/close-others", close_others),
)
