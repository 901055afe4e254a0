"""Welcome: the first page, and where who is signed in goes from it."""

from __future__ import annotations

from starlette.responses import Response

from darkroom.console.visit import Page, Visit


async def show(visit: Visit) -> Response:
    """What this is; who is signed in goes straight to work."""
    if visit.visitor is not None:
        return visit.go("/playground")
    return visit.page("welcome.html")


PAGES = (Page("GET", "/", show, "anyone"),)
