"""Statement: every movement of an account's credits, filtered, paged, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode

from starlette.responses import Response, StreamingResponse

from darkroom import errors
from darkroom.console import paging
from darkroom.console.visit import Page, Visit
from darkroom.domain import ledger, spellings
from darkroom.domain.ledger import Entry, Filter

_ROWS = 50
_ROWS_EXPORTED_TOGETHER = 1_000
_COLUMNS = (
    "entry", "time", "type", "available", "held", "charged", "task_id", "payment_id", "note",
)  # fmt: skip
# What a table of a spreadsheet would take for a formula when a text begins with it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
# The words of the page; those of the CSV are the ledger's.
LABELS = {
    "purchase": "Purchase",
    "grant": "Grant",
    "hold": "Hold for a task",
    "settle": "Charge for a task",
    "refund": "Hold returned",
    "reversal": "Taken back",
    "reinstatement": "Given again",
}


async def show(visit: Visit) -> Response:
    """The movements, newest first."""
    wanted, before = _filter(visit), _before(visit)
    async with visit.edge.database.statement() as tx:
        found = await ledger.statement(
            tx, visit.account_id, wanted, before=before, rows_max=_ROWS + 1
        )
    shown = found[:_ROWS]
    filters = {
        name: text
        for name, text in visit.request.query_params.items()
        if name in ("type", "since", "until") and text
    }
    asked = f"?{urlencode(filters)}" if filters else ""
    return visit.page(
        "statement.html",
        entries=shown,
        labels=LABELS,
        filters=filters,
        export=f"/api/pricing/statement.csv{asked}",
        newer=f"/api/pricing/statement{asked}" if before else "",
        older=paging.after(visit, shown[-1]) if len(found) > _ROWS else "",
    )


async def export(visit: Visit) -> Response:
    """The same as CSV, all of it, read piece by piece while it is sent."""
    headers = {"Content-Disposition": 'attachment; filename="darkroom-statement.csv"'}
    return StreamingResponse(_lines(visit, _filter(visit)), 200, headers, "text/csv; charset=utf-8")


async def _lines(visit: Visit, wanted: Filter) -> AsyncIterator[str]:
    yield _csv([_COLUMNS])
    before: tuple[datetime, int] | None = None
    while True:
        async with visit.edge.database.statement() as tx:
            found = await ledger.statement(
                tx, visit.account_id, wanted, before=before, rows_max=_ROWS_EXPORTED_TOGETHER
            )
        if found:
            yield _csv([_cells(entry) for entry in found])
        if len(found) < _ROWS_EXPORTED_TOGETHER:
            return
        before = (found[-1].created_at, found[-1].id)


def _cells(entry: Entry) -> tuple[object, ...]:
    return (
        entry.id,
        spellings.instant(entry.created_at),
        entry.type,
        ledger.credits_of(entry.available_mill),
        ledger.credits_of(entry.held_mill),
        ledger.credits_of(entry.system_mill) if entry.type == "settle" else "",
        entry.hold_id or "",
        entry.payment_id or "",
        harmless(entry.note or ""),
    )


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _csv(rows: list[tuple[object, ...]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()


def _filter(visit: Visit) -> Filter:
    asked = visit.request.query_params
    kind = asked.get("type") or None
    if kind is not None and kind not in ledger.TYPES:
        raise errors.BadParameter(f"There is no movement of type {kind[:40]}.", field="type")
    since, until = _day(asked.get("since"), "since"), _day(asked.get("until"), "until")
    return Filter(kind, since, until + timedelta(days=1) if until else None)


def _day(text: str | None, name: str) -> datetime | None:
    """Midnight of a day, in UTC."""
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError as exc:
        raise errors.BadParameter(f"{name} is no day, such as 2026-01-31.", field=name) from exc


def _before(visit: Visit) -> tuple[datetime, int] | None:
    place = paging.read(visit)
    if place is None:
        return None
    if not place[1].isdecimal():
        raise errors.BadParameter("before names no place of this table.", field="before")
    return place[0], int(place[1])


PAGES = (
    Page("GET", "/api/pricing/statement", show),
    Page("GET", "/api/pricing/statement.csv", export),
)
