"""Documents: the quickstart, guides and references inside the console, open to everybody."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from starlette.responses import Response

from darkroom import errors
from darkroom.console import markdown, reference
from darkroom.console.markdown import Document
from darkroom.console.visit import Page, Visit
from darkroom.domain import api_keys

_FIRST = "quickstart"
_SECTIONS = {"howto": "Guides", "reference": "Reference", "architecture": "How it works"}
_FOUND_MAX = 50
_WORDS_MAX = 10


class Found(msgspec.Struct, frozen=True):
    """A heading that a search found, and the document it stands in."""

    title: str
    text: str
    address: str


async def show_first(visit: Visit) -> Response:
    """The quickstart."""
    return await _show(visit, _FIRST)


async def show(visit: Visit) -> Response:
    """One document."""
    parts = visit.request.path_params
    return await _show(visit, "/".join(parts[one] for one in ("section", "name") if one in parts))


async def _show(visit: Visit, name: str) -> Response:
    document = (await asyncio.to_thread(markdown.shelf)).get(name)
    if document is None:
        raise errors.PageNotFound
    return visit.page(
        "docs/document.html",
        document=document,
        text=document.shown(visit.base_url),
        **await _around(visit, name),
    )


async def show_reference(visit: Visit) -> Response:
    """Every route of the API."""
    groups = await asyncio.to_thread(reference.groups)
    return visit.page("docs/api.html", groups=groups, **await _around(visit, "api"))


async def search(visit: Visit) -> Response:
    """Headings that have every word that is asked for."""
    asked = visit.request.query_params.get("q", "").strip()[:200]
    words = asked.lower().split()[:_WORDS_MAX]
    found = await asyncio.to_thread(lambda: [*_found(words)] if words else [])
    return visit.page(
        "docs/search.html", asked=asked, found=found[:_FOUND_MAX], **await _around(visit, "")
    )


def _found(words: Sequence[str]) -> Iterator[Found]:
    for document in markdown.shelf().values():
        for heading in document.headings:
            text = f"{document.title} {heading.text}".lower()
            if all(word in text for word in words):
                yield Found(document.title, heading.text, f"/docs/{document.name}#{heading.mark}")
    for _, operations in reference.groups():
        for one in operations:
            text = f"{one.method} {one.path} {one.summary}".lower()
            if all(word in text for word in words):
                yield Found("API reference", f"{one.method} {one.path}", f"/docs/api#{one.mark}")


async def _around(visit: Visit, name: str) -> dict[str, Any]:
    """What stands beside every document: the list of all, and the keys of who is signed in."""
    keys: Sequence[api_keys.ApiKey] = ()
    if visit.visitor is not None:
        async with visit.edge.database.statement() as tx:
            keys = await api_keys.list_for(tx, visit.account_id)
    shelf = await asyncio.to_thread(markdown.shelf)
    return {
        "name": name,
        "first": [shelf[one] for one in (_FIRST, "faq", "glossary") if one in shelf],
        "sections": [(title, _of(section)) for section, title in _SECTIONS.items()],
        "keys": [one for one in keys if one.revoked_at is None],
    }


def _of(section: str) -> list[Document]:
    return [one for one in markdown.shelf().values() if one.section == section]


PAGES = (
    Page("GET", "/docs", show_first, "anyone"),
    Page("GET", "/docs/api", show_reference, "anyone"),
    Page("GET", "/docs/search", search, "anyone"),
    Page("GET", "/docs/{name}", show, "anyone"),
    Page("GET", "/docs/{section}/{name}", show, "anyone"),
)
