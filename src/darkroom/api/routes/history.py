"""History: the caller's own API requests, searched and paged."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from darkroom import errors
from darkroom.api.call import Call, Route
from darkroom.domain import call_records, ledger, spellings

_ROWS_DEFAULT = 50


async def list_history(call: Call) -> Any:
    """The caller's requests, newest first; or the one with `request_id`."""
    query = call.request.query_params
    for name, value in query.items():
        if "\x00" in value:
            raise errors.BadParameter(f"{name} has a NUL character.", field=name)
    async with call.edge.database.statement() as tx:
        if request_id := query.get("request_id"):
            rows = await call_records.find(tx, call.principal.account_id, request_id)
            return {"records": [_shown(row) for row in rows], "next": None}
        rows_max = _number(call, "limit", _ROWS_DEFAULT)
        wanted = call_records.Filter(
            method=query["method"].upper() if "method" in query else None,
            path=query.get("path"),
            status=_number(call, "status", 0) or None,
            since=_instant(call, "since"),
            until=_instant(call, "until"),
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


def _number(call: Call, name: str, default: int) -> int:
    text = call.request.query_params.get(name, str(default))
    if not text.isascii() or not text.isdecimal() or len(text) > 4:
        raise errors.BadParameter(f"{name} is not a whole number: {text[:40]}", field=name)
    return int(text)


def _instant(call: Call, name: str) -> datetime | None:
    text = call.request.query_params.get(name)
    return None if text is None else _parsed(name, text)


def _parsed(name: str, text: str) -> datetime:
    try:
        # A plus sign that was not escaped arrives as a space.
        at = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as exc:
        raise errors.BadParameter(
            f"{name} is no instant: send such as 2026-01-31T12:00:00Z.", field=name
        ) from exc
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _place(call: Call) -> tuple[datetime, str] | None:
    text = call.request.query_params.get("before")
    if text is None:
        return None
    at, _, request_id = text.partition("~")
    return _parsed("before", at), request_id


ROUTES = (
    Route(
        "GET",
        "/v1/history",
        list_history,
        "The account's API requests, newest first, searched by id, method, path, status and time.",
        (errors.Unauthenticated, errors.RateLimited, errors.BadParameter),
    ),
)
