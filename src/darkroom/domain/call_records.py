"""Call records: one row an API request, searched by its owner, forgotten after the retention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from darkroom import errors
from darkroom.storage.database import Transaction


class CallRecord(msgspec.Struct, frozen=True):
    """One answered request; `duration_ms` from the first byte in to the last byte out."""

    request_id: str
    at: datetime
    method: str
    path: str
    status: int
    duration_ms: float
    account_id: str | None = None
    api_key_id: str | None = None
    code: int | None = None
    ip: str | None = None
    batch_id: int | None = None
    task_id: str | None = None
    mill: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A call record as its owner sees it."""

    request_id: str
    api_key_id: str | None
    at: datetime
    method: str
    path: str
    status: int
    code: int | None
    duration_ms: float
    ip: str | None
    batch_id: int | None
    task_id: str | None
    mill: int | None


@dataclass(frozen=True, slots=True)
class Filter:
    """What to list; None means any. `path` matches as a prefix."""

    method: str | None = None
    path: str | None = None
    status: int | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Counters:
    """What one server process received, wrote and had to drop since it started."""

    received: int
    written: int
    dropped: int


@dataclass(frozen=True, slots=True)
class Counts:
    """The same over all server processes; a `killed` one may have lost its last half second."""

    received: int
    written: int
    dropped: int
    killed: int


@dataclass(frozen=True, slots=True)
class _Gone:
    total: int


async def write(tx: Transaction, records: Sequence[CallRecord]) -> None:
    """Store many records at once; a repeat changes nothing."""
    # One JSON text costs the server's loop far less than thirteen arrays.
    await tx.run("call_records.insert", records=msgspec.json.encode(records).decode())


async def count(tx: Transaction, server_id: str, counters: Counters, *, closed: bool) -> None:
    """Record how many records this process received, wrote and dropped so far."""
    await tx.run(
        "call_records.count",
        server_id=server_id,
        received=counters.received,
        written=counters.written,
        dropped=counters.dropped,
        closed=closed,
    )


async def counts(tx: Transaction) -> Counts:
    """The sums over all server processes that ever ran."""
    return await tx.one(Counts, "call_records.counts")


async def find(tx: Transaction, account_id: str, request_id: str) -> list[Shown]:
    """The account's record with this request id, if any."""
    return await tx.all(Shown, "call_records.find", account_id=account_id, request_id=request_id)


async def list_for(
    tx: Transaction,
    account_id: str,
    wanted: Filter,
    *,
    before: tuple[datetime, str] | None,
    rows_max: int,
) -> list[Shown]:
    """The account's records, newest first, from the place `before` on."""
    if not 1 <= rows_max <= 200:
        raise errors.BadParameter("limit is 1 to 200.", field="limit")
    at, request_id = before or (None, None)
    prefix = None
    if wanted.path is not None:
        escaped = wanted.path.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        prefix = f"{escaped}%"
    return await tx.all(
        Shown,
        "call_records.list",
        account_id=account_id,
        before_at=at,
        before_id=request_id,
        since=wanted.since,
        until=wanted.until,
        method=wanted.method,
        path=prefix,
        status=wanted.status,
        rows_max=rows_max,
    )


async def forget(tx: Transaction, *, retention_days: int, rows_max: int) -> int:
    """Remove up to `rows_max` records older than the retention; answers how many."""
    gone = await tx.one(
        _Gone, "call_records.forget", retention_days=retention_days, rows_max=rows_max
    )
    return gone.total
