"""The desk's pages, all of them for admins alone."""

from __future__ import annotations

from darkroom.console.desk import accounts, books, catalogue, overview, tasks, upstreams
from darkroom.console.visit import Page

PAGES: tuple[Page, ...] = (
    *overview.PAGES,
    *tasks.PAGES,
    *accounts.PAGES,
    *catalogue.PAGES,
    *upstreams.PAGES,
    *books.PAGES,
)
