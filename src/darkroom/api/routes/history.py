"""History: the caller's own API requests, searched and paged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from darkroom import errors
from darkroom.api import query
from darkroom.api.call import Call, Route
from darkroom.domain import call_records, ledger, spellings

_ROWS_DEFAULT = 50


async def list_history(call: Call) -> Any:
    """The caller's requests, newest first; or the one with `request_id`."""
    asked = query.texts(call)
    async with call.edge.database.statement() as tx:
        if request_id := asked.get("request_id"):
            rows = await call_records.find(tx, call.principal.account_id, request_id)
            records = [_shown(row) for row in rows]
            return {"records": records, "next": None, "newer": None, "looked_to": None}
        rows_max = query.number(call, "limit", _ROWS_DEFAULT)
        page = await call_records.list_for(
            tx,
            call.principal.account_id,
            filtered(asked),
            before=place_of("before", asked.get("before")),
            after=place_of("after", asked.get("after")),
            rows_max=rows_max,
        )
    return {
        "records": [_shown(row) for row in page.records],
        "next": written(page.older),
        "newer": written(page.newer),
        "looked_to": spellings.instant(page.looked_to),
    }


def filtered(asked: Mapping[str, str]) -> call_records.Filter:
    """The filter that a query asks for; raises `BadParameter` for what is none."""
    status = asked.get("status")
    return call_records.Filter(
        method=asked["method"].upper() if "method" in asked else None,
        path=asked.get("path"),
        statuses=None if status in (None, "failed") else _statuses(status),
        is_failed=status == "failed",
        code=_number("code", asked["code"]) if "code" in asked else None,
        api_key_id=asked.get("api_key_id"),
        since=query.parsed("since", asked["since"]) if "since" in asked else None,
        until=query.parsed("until", asked["until"]) if "until" in asked else None,
    )


def _statuses(text: str) -> tuple[int, int]:
    """An HTTP status, or a class of them such as 4xx, from its first to its last."""
    if re.fullmatch("[1-5]xx", text):
        return int(text[0]) * 100, int(text[0]) * 100 + 99
    status = _number("status", text)
    return status, status


def _number(name: str, text: str) -> int:
    if not re.fullmatch("[0-9]{1,4}", text):
        raise errors.BadParameter(f"{name} is not a whole number: {text[:40]}", field=name)
    return int(text)


def place_of(name: str, text: str | None) -> call_records.Place | None:
    """A place as `written` wrote it."""
    if text is None:
        return None
    at, _, request_id = text.partition("~")
    return call_records.Place(query.parsed(name, at), request_id)


def written(place: call_records.Place | None) -> str | None:
    """A place in the history as a text for an address."""
    return f"{place.at.isoformat()}~{place.request_id}" if place else None


def _shown(row: call_records.Shown) -> dict[str, Any]:
    return {
        "request_id": row.request_id,
        "at": spellings.instant(row.at),
        "method": row.method,
        "path": row.path,
        "status": row.status,
        "code": row.code,
        "duration_ms": round(row.duration_ms, 1),
        "api_key_id": row.api_key_id,
        "ip": row.ip,
        "batch_id": row.batch_id,
        "task_id": row.task_id,
        "credits": None if row.mill is None else ledger.credits_of(row.mill),
        "error": row.error,
    }


ROUTES = (
    Route(
        "GET",
        "/v1/history",
        list_history,
        "The account's API requests, newest first, searched by id, method, path, status and time.",
        (errors.Unauthenticated, errors.RateLimited, errors.BadParameter),
    ),
)
