"""Call records: one row an API request, searched by its owner, forgotten after the retention."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from darkroom import config, errors
from darkroom.storage.database import Transaction

# No answer has a status below or above.
_ANY_STATUS = (100, 999)
_FAILED_STATUSES = (200, *range(400, 600))


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
    # What a refusal said.
    error: str | None = None


class Shown(msgspec.Struct, frozen=True):
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
    error: str | None

    @property
    def place(self) -> Place:
        return Place(self.at, self.request_id)

    @property
    def is_failed(self) -> bool:
        """Whether it was refused; the reference spelling answers many refusals as HTTP 200."""
        return self.status >= 400 or bool(self.code)


class _Looked(Shown, frozen=True):
    fits: bool
    nth: int


class Place(NamedTuple):
    """Where a record stands in an account's history."""

    at: datetime
    request_id: str = ""


class Filter(msgspec.Struct, frozen=True):
    """What to list; None means any. `path` matches as a prefix, `statuses` from one to another.

    `is_failed` asks for refusals alone, whatever their HTTP status.
    """

    method: str | None = None
    path: str | None = None
    statuses: tuple[int, int] | None = None
    is_failed: bool = False
    code: int | None = None
    api_key_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def led_by(self) -> str:
        """The index to read: of what failed, of the key, or of all of the account."""
        lowest = self.statuses[0] if self.statuses else 0
        if self.api_key_id and lowest < 500:
            return "key"
        return "failed" if self.is_failed or lowest >= 400 or self.code else "account"

    @property
    def is_exact(self) -> bool:
        """Whether all that the index has is wanted."""
        rest: list[object] = [self.method, self.path, self.code]
        if self.led_by != "key":
            rest.append(self.api_key_id)
        if self.led_by != "failed":
            rest += [self.statuses, self.is_failed or None]
        return all(one is None for one in rest)


class Page(msgspec.Struct, frozen=True):
    """Records, newest first; the places from which older and newer ones go on, None at the end.

    `looked_to`: not all of the asked time was looked at for so few records, only down (or up) to
    this instant; the place on that side goes on from there.
    """

    records: Sequence[Shown]
    older: Place | None
    newer: Place | None
    looked_to: datetime | None


class Counters(msgspec.Struct, frozen=True):
    """What one server process received, wrote and had to drop since it started."""

    received: int
    written: int
    dropped: int


class Counts(msgspec.Struct, frozen=True):
    """The same over all server processes; a `killed` one may have lost its last half second."""

    received: int
    written: int
    dropped: int
    killed: int


class _Submit(msgspec.Struct, frozen=True):
    request_id: str


class _Gone(msgspec.Struct, frozen=True):
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


async def of_submit(
    tx: Transaction,
    account_id: str,
    *,
    batch_id: int | None = None,
    task_id: str | None = None,
) -> str | None:
    """The request id of the submit that made this batch or task of the account."""
    found = await tx.first(
        _Submit,
        "call_records.of_submit",
        account_id=account_id,
        batch_id=batch_id,
        task_id=task_id,
    )
    return found.request_id if found else None


async def list_for(
    tx: Transaction,
    account_id: str,
    wanted: Filter,
    *,
    before: Place | None = None,
    after: Place | None = None,
    rows_max: int,
) -> Page:
    """The account's records, newest first: from `before` on, or those next newer than `after`."""
    if not 1 <= rows_max <= 200:
        raise errors.BadParameter("limit is 1 to 200.", field="limit")
    looked_at_max = rows_max if wanted.is_exact else _looked_at_max(wanted)
    rows = await tx.all(
        _Looked,
        "call_records.list" if after is None else "call_records.list_rising",
        account_id=account_id,
        rows_max=rows_max,
        looked_at_max=looked_at_max,
        **_bounds(wanted, before, after),
        **_fitting(wanted),
    )
    is_cut = bool(rows) and rows[-1].nth == looked_at_max
    more = rows[-1].place if is_cut or len(rows) == rows_max else None
    looked_to = rows[-1].at if is_cut and not wanted.is_exact and len(rows) < rows_max else None
    shown = [row for row in rows if row.fits]
    if after is not None:
        shown.reverse()
        return Page(shown, shown[-1].place if shown else after, more, looked_to)
    return Page(shown, more, shown[0].place if shown and before else None, looked_to)


async def newer(
    tx: Transaction, account_id: str, wanted: Filter, *, after: Place | None, rows_max: int
) -> list[Shown]:
    """The newest records behind a place, newest first: what a watcher has not seen yet."""
    rows = await tx.all(
        _Looked,
        "call_records.list",
        account_id=account_id,
        rows_max=rows_max,
        looked_at_max=_looked_at_max(wanted),
        **_bounds(wanted, None, after),
        **_fitting(wanted),
    )
    return [row for row in rows if row.fits]


def _looked_at_max(wanted: Filter) -> int:
    if wanted.led_by == "failed":
        return config.HISTORY_FAILURES_LOOKED_AT_MAX
    return config.HISTORY_LOOKED_AT_MAX


def _bounds(wanted: Filter, before: Place | None, after: Place | None) -> dict[str, Any]:
    """Between which places to look: since is included, until is not."""
    above = max((one for one in (after, _at(wanted.since)) if one), default=None)
    below = min((one for one in (before, _at(wanted.until)) if one), default=None)
    return {
        "above_at": above and above.at,
        "above_id": above and above.request_id,
        "below_at": below and below.at,
        "below_id": below and below.request_id,
    }


def _at(instant: datetime | None) -> Place | None:
    return Place(instant) if instant else None


def _fitting(wanted: Filter) -> dict[str, Any]:
    prefix = None
    if wanted.path is not None:
        escaped = wanted.path.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        prefix = f"{escaped}%"
    status_min, status_max = wanted.statuses or _ANY_STATUS
    return {
        "led_by": wanted.led_by,
        "method": wanted.method,
        "path": prefix,
        "status_min": status_min,
        "status_max": status_max,
        "failed_statuses": _failed_statuses(wanted),
        "is_failed": wanted.is_failed,
        "code": wanted.code,
        "api_key_id": wanted.api_key_id,
    }


def _failed_statuses(wanted: Filter) -> list[int]:
    """The HTTP statuses under which what is wanted may stand: a code has few, each has an index."""
    if wanted.led_by != "failed":
        return []
    first, last = wanted.statuses or _ANY_STATUS
    known = _statuses_of().get(wanted.code) if wanted.code else None
    return [one for one in known or _FAILED_STATUSES if first <= one <= last]


@functools.cache
def _statuses_of() -> dict[int, set[int]]:
    """The HTTP statuses of each business code; the reference spelling answers most as 200."""
    found: dict[int, set[int]] = {}
    kinds = [errors.Refusal]
    for kind in kinds:
        found.setdefault(kind.code, {200}).add(kind.status)
        kinds += kind.__subclasses__()
    return found


async def forget(tx: Transaction, *, retention_days: int, rows_max: int) -> int:
    """Remove up to `rows_max` records older than the retention; answers how many."""
    gone = await tx.one(
        _Gone, "call_records.forget", retention_days=retention_days, rows_max=rows_max
    )
    return gone.total
