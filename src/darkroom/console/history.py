"""Call history: an account's requests, searched, followed as they come, opened, and as a file."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlencode

from starlette.responses import Response, StreamingResponse

from darkroom import errors
from darkroom.api.routes.history import filtered, place_of, written
from darkroom.console import meanings
from darkroom.console.statement import harmless
from darkroom.console.visit import Page, Visit
from darkroom.domain import api_keys, call_records, deliveries, ledger, spellings, tasks

_ROWS_MAX = 50
_NEWER_MAX = 100
_DELIVERIES_MAX = 100
_FILTERS = ("method", "path", "status", "code", "api_key_id", "since", "until")
_METHODS = ("GET", "POST", "DELETE", "PUT", "PATCH", "HEAD")
_COLUMNS = (
    *("at", "request_id", "method", "path", "status", "code", "duration_ms", "credits"),
    *("api_key_id", "ip", "batch_id", "task_id", "error"),
)


async def show(visit: Visit) -> Response:
    """The account's requests, newest first; what is searched for is opened."""
    asked = _asked(visit)
    if searched := asked.pop("q", "").strip():
        request_id = await _searched(visit, searched)
        if request_id is not None:
            return visit.go(f"/api/history/{request_id}")
    problem, wanted = None, call_records.Filter()
    place: dict[str, call_records.Place | None] = {}
    try:
        wanted = filtered(asked)
        place = {name: place_of(name, asked.get(name)) for name in ("before", "after")}
    except errors.BadParameter as refused:
        problem = refused
    async with visit.edge.database.transaction() as tx:
        keys = await api_keys.list_for(tx, visit.account_id)
        page = await call_records.list_for(
            tx, visit.account_id, wanted, **place, rows_max=_ROWS_MAX
        )
    chosen = {name: asked[name] for name in _FILTERS if name in asked}
    is_live = "live" in asked and not (asked.keys() & {"before", "after"})
    return visit.page(
        "history.html",
        page=page,
        keys=keys,
        methods=_METHODS,
        chosen=chosen,
        values={name: asked.get(name, "") for name in _FILTERS},
        searched=searched,
        problem=problem,
        is_live=is_live,
        link=lambda **more: _link("/api/history", chosen, more),
        csv_link=_link("/api/history.csv", chosen, {}),
        live_link=_link("/api/history", chosen, {} if is_live else {"live": "1"}),
        tail_link=_tail(chosen, page.records[0].place if page.records else None),
        written=written,
    )


async def show_newer(visit: Visit) -> Response:
    """The records that came since a place, and the row that will ask for the next ones."""
    asked = _asked(visit)
    after = place_of("after", asked.get("after"))
    chosen = {name: asked[name] for name in _FILTERS if name in asked}
    async with visit.edge.database.statement() as tx:
        records = await call_records.newer(
            tx, visit.account_id, filtered(asked), after=after, rows_max=_NEWER_MAX
        )
    return visit.fragment(
        "history/newer.html",
        records=records,
        is_short=len(records) == _NEWER_MAX,
        tail_link=_tail(chosen, records[0].place if records else after),
    )


async def show_one(visit: Visit) -> Response:
    """One request: what was asked, what was answered, and all that came of it."""
    request_id = visit.request.path_params["request_id"]
    async with visit.edge.database.transaction() as tx:
        found = await call_records.find(tx, visit.account_id, request_id)
        if not found:
            raise errors.PageNotFound(
                "No request of this account has that id. A request is here half a second after its "
                f"answer, and for {visit.edge.config.history_days} days."
            )
        [record] = found
        keys = await api_keys.list_for(tx, visit.account_id)
        asked, made = None, []
        if record.batch_id is not None:
            asked = await tasks.asked_of(tx, visit.account_id, record.batch_id)
        if asked is not None:
            made = await tasks.of_batch(tx, visit.account_id, asked.id)
        told = await deliveries.of_tasks(
            tx, visit.account_id, [one.id for one in made], rows_max=_DELIVERIES_MAX
        )
    return visit.page(
        "history/record.html",
        record=record,
        key=next((one for one in keys if one.id == record.api_key_id), None),
        meaning=meanings.of_refusal(record.code, record.status),
        asked=asked,
        inputs=_inputs(asked) if asked else {},
        made=made,
        told=told,
    )


async def export(visit: Visit) -> Response:
    """Every record that the filters let through, as a file that spreadsheets open."""
    wanted = filtered(_asked(visit))
    return StreamingResponse(
        _lines(visit, wanted),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="call-history.csv"'},
    )


async def _lines(visit: Visit, wanted: call_records.Filter) -> AsyncIterator[str]:
    """The file in pieces, each read by itself: nothing is held while the reader is slow."""
    yield _line(_COLUMNS)
    page = call_records.Page((), None, None, None)
    is_first = True
    while is_first or page.older is not None:
        async with visit.edge.database.statement() as tx:
            page = await call_records.list_for(
                tx, visit.account_id, wanted, before=page.older, rows_max=200
            )
        is_first = False
        yield "".join(_line(_cells(one)) for one in page.records)
        # The requests that are waiting come first.
        await asyncio.sleep(0)


def _line(cells: tuple[object, ...]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(harmless(one) if isinstance(one, str) else one for one in cells)
    return text.getvalue()


def _cells(one: call_records.Shown) -> tuple[object, ...]:
    return (
        spellings.instant(one.at),
        one.request_id,
        one.method,
        one.path,
        one.status,
        one.code,
        round(one.duration_ms, 1),
        None if one.mill is None else ledger.credits_of(one.mill),
        one.api_key_id,
        one.ip,
        one.batch_id,
        one.task_id,
        one.error,
    )


def _asked(visit: Visit) -> dict[str, str]:
    """What the query asks for; a field of the form that was left empty is none."""
    asked = {name: text for name, text in visit.request.query_params.items() if text}
    if any("\x00" in text for text in asked.values()):
        raise errors.BadParameter("A text holds a NUL, which cannot be searched for.")
    return asked


async def _searched(visit: Visit, text: str) -> str | None:
    """The request with this id, or that made this task or batch."""
    async with visit.edge.database.statement() as tx:
        if text.startswith("task_"):
            return await call_records.of_submit(tx, visit.account_id, task_id=text)
        if re.fullmatch("[0-9]{1,18}", text):
            return await call_records.of_submit(tx, visit.account_id, batch_id=int(text))
        found = await call_records.find(tx, visit.account_id, text)
    return found[0].request_id if found else None


def _link(path: str, chosen: Mapping[str, str], more: Mapping[str, str]) -> str:
    query = urlencode({**chosen, **more})
    return f"{path}?{query}" if query else path


def _tail(chosen: Mapping[str, str], place: call_records.Place | None) -> str:
    return _link("/api/history/newer", chosen, {"after": text} if (text := written(place)) else {})


def _inputs(asked: tasks.Asked) -> dict[str, object]:
    """The fields of a submit, with the names of the files that some of them named."""
    return {**asked.input.get("fields", {}), **asked.input.get("files", {})}


PAGES = (
    Page("GET", "/api/history", show),
    Page("GET", "/api/history/newer", show_newer),
    Page("GET", "/api/history.csv", export),
    Page("GET", "/api/history/{request_id}", show_one),
)
