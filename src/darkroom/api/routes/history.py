"""History: the caller's own API requests, searched and paged."""

from __future__ import annotations

from datetime import datetime
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
            return {"records": [_shown(row) for row in rows], "next": None}
        rows_max = query.number(call, "limit", _ROWS_DEFAULT)
        wanted = call_records.Filter(
            method=asked["method"].upper() if "method" in asked else None,
            path=asked.get("path"),
            status=query.number(call, "status", 0) or None,
            since=query.instant(call, "since"),
            until=query.instant(call, "until"),
        )
        rows = await call_records.list_for(
            tx, call.principal.account_id, wanted, before=_place(call), rows_max=rows_max
        )
    last = rows[-1] if len(rows) == rows_max else None
    return {
        "records": [_shown(row) for row in rows],
        "next": f"{last.at.isoformat()}~{last.request_id}" if last else None,
    }


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
    }


def _place(call: Call) -> tuple[datetime, str] | None:
    text = call.request.query_params.get("before")
    if text is None:
        return None
    at, _, request_id = text.partition("~")
    return query.parsed("before", at), request_id


ROUTES = (
    Route(
        "GET",
        "/v1/history",
        list_history,
        "The account's API requests, newest first, searched by id, method, path, status and time.",
        (errors.Unauthenticated, errors.RateLimited, errors.BadParameter),
    ),
)
