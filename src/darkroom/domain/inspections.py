"""Inspections: tasks and accounts of everybody, searched and opened by operators.

A search looks at a bounded number of rows, newest first, and says how far it came, so that looking
further is the operator's choice and no search is a burden.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from darkroom import errors, ids
from darkroom.domain import ledger, tasks
from darkroom.storage.database import Transaction

# How far the clock of who makes ids may be from the database's.
_CLOCKS_APART = timedelta(minutes=10)
# Behind every letter that an address may go on with.
_LAST_LETTER = chr(0x10FFFF)


class Search(msgspec.Struct, frozen=True):
    """Which tasks; None means any. `named` is a task's, batch's or request's id, or an e-mail."""

    named: str | None = None
    model: str | None = None
    status: str | None = None
    error_code: int | None = None
    since: datetime | None = None
    until: datetime | None = None


class Listed(msgspec.Struct, frozen=True):
    """One task of a list; amounts in mill."""

    id: str
    account_id: str
    email: str
    batch_id: int
    kind: str
    model: str
    status: str
    attempt: int
    progress: float
    error_code: int | None
    error: str | None
    price_mill: int
    charged_mill: int | None
    served_by: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class Page(msgspec.Struct, frozen=True):
    """Tasks that were found, and where to go on, if there is more.

    `is_cut`: the search has looked at as many as it may, and goes on from there when asked again.
    """

    rows: Sequence[Listed]
    next: str | None = None
    is_cut: bool = False


class Opened(msgspec.Struct, frozen=True):
    """Everything that is known of a task but its entries and deliveries; amounts in mill."""

    id: str
    account_id: str
    email: str
    batch_id: int
    position: int
    kind: str
    model: str
    input: dict[str, Any]
    status: str
    attempt: int
    strikes: int
    crashes: int
    worker_id: str | None
    lease_until: datetime | None
    not_before: datetime
    is_parked: bool
    priority: int
    size: int
    work_seconds: float
    progress: float
    seed: int
    served_by: str | None
    error_code: int | None
    error: str | None
    notes: dict[str, Any] | None
    price_mill: int
    charged_mill: int | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_asked_at: datetime | None
    deadline_at: datetime | None
    request_id: str
    api_key_id: str | None
    rate_id: int
    caller_id: int | None
    webhook_url: str | None
    webhook_events: list[str] | None
    base_url: str | None
    hold_mill: int | None
    hold_status: str | None
    held_at: datetime | None
    closed_at: datetime | None
    # Whether its key has a spend limit, against which another run of it counts.
    is_spend_limited: bool
    # Its owner has deleted it: the files are gone, the row stays for the books.
    deleted_at: datetime | None
    has_preview: bool
    files: list[str]


class Known(msgspec.Struct, frozen=True):
    """An account as operators see it; amounts in mill."""

    id: str
    email: str
    is_admin: bool
    available_mill: int
    held_mill: int
    created_at: datetime
    suspended_at: datetime | None


class Paid(msgspec.Struct, frozen=True):
    """A payment as operators see it; `owed_mill` went back and could not be taken yet."""

    id: str
    account_id: str
    email: str
    package: str
    cents: int
    mill: int
    checkout: str
    is_test: bool
    status: str
    refunded_cents: int
    disputed_cents: int
    dispute: str | None
    owed_mill: int
    note: str | None
    created_at: datetime
    paid_at: datetime | None


class _Seen(msgspec.Struct, frozen=True):
    """A task that fits, or the last that was looked at where as many were as may be."""

    id: str
    fits: bool


async def find(
    tx: Transaction, wanted: Search, *, before: str | None = None, rows_max: int = 50
) -> Page:
    """Tasks of all accounts, the newest first (of failed ones the last that ended)."""
    seen = await _look(tx, wanted, before, rows_max)
    found = [one.id for one in seen if one.fits]
    rows = await tx.all(Listed, "inspections.list", ids=found) if found else []
    if len(found) == rows_max:
        return Page(rows, next=found[-1])
    edge = next((one.id for one in seen if not one.fits), None)
    if edge is None or (wanted.since and edge < _first(wanted.since, -_CLOCKS_APART)):
        return Page(rows)
    return Page(rows, next=edge, is_cut=True)


async def _look(tx: Transaction, wanted: Search, before: str | None, rows_max: int) -> list[_Seen]:
    fitting = {
        "model": wanted.model,
        "error_code": wanted.error_code,
        "since": wanted.since,
        "until": wanted.until,
        "rows_max": rows_max,
    }
    named, failed = wanted.named, wanted.error_code is not None
    if named and named.startswith("task_"):
        return [_Seen(named, True)]
    if named and "@" not in named:
        batch_id = int(named) if re.fullmatch(r"\d{1,18}", named) else None
        request_id = None if batch_id else named
        return await tx.all(_Seen, "inspections.of_batch", batch_id=batch_id, request_id=request_id)
    status = wanted.status or (tasks.FAILED if failed else None)
    if named:
        return await tx.all(
            _Seen, "inspections.of_account", email=named, status=status, before=before, **fitting
        )
    if status == tasks.PROCESSING:
        return await tx.all(_Seen, "inspections.running", before=before, **fitting)
    if status == tasks.FAILED:
        return await tx.all(_Seen, "inspections.failed", before=before, **fitting)
    if wanted.until is not None:
        last = _first(wanted.until, _CLOCKS_APART)
        before = min(before, last) if before else last
    return await tx.all(_Seen, "inspections.recent", status=status, before=before, **fitting)


def _first(at: datetime, apart: timedelta) -> str:
    return ids.first_at("task", at + apart)


async def open_task(tx: Transaction, task_id: str) -> Opened:
    """Everything about one task, whoever's it is."""
    found = await tx.first(Opened, "inspections.open", task_id=task_id)
    if found is None:
        raise errors.TaskNotFound("No task has that id.")
    return found


async def accounts(
    tx: Transaction, begins: str, *, before: str | None = None, rows_max: int = 50
) -> list[Known]:
    """Accounts whose e-mail address begins so, or of this id; all, the newest first, without one.

    From behind the account with the id `before` on.
    """
    if begins.startswith("acc_"):
        return await tx.all(Known, "inspections.account", named=begins)
    if not begins:
        return await tx.all(Known, "inspections.accounts", before=before, rows_max=rows_max)
    return await tx.all(
        Known,
        "inspections.accounts_named",
        begins=begins.lower(),
        ends=f"{begins.lower()}{_LAST_LETTER}",
        before=before,
        rows_max=rows_max,
    )


async def exists(tx: Transaction, account_id: str) -> bool:
    """Whether there is an account with this id."""
    return bool(await tx.all(Known, "inspections.account", named=account_id))


async def entries(tx: Transaction, hold_id: str) -> list[ledger.Entry]:
    """The movements of a hold, in their order."""
    return await tx.all(ledger.Entry, "inspections.entries", hold_id=hold_id)


async def movements(
    tx: Transaction, account_id: str, *, before: int | None = None, rows_max: int = 50
) -> list[ledger.Entry]:
    """The movements of an account, the newest first, from behind one on."""
    return await tx.all(
        ledger.Entry,
        "inspections.movements",
        account_id=account_id,
        before=before,
        rows_max=rows_max,
    )


async def payments(
    tx: Transaction,
    *,
    status: str | None = None,
    email: str | None = None,
    before: str | None = None,
    rows_max: int = 50,
) -> list[Paid]:
    """Payments of all accounts, the newest first, from behind one on; among the newest 5,000."""
    return await tx.all(
        Paid, "inspections.payments", status=status, email=email, before=before, rows_max=rows_max
    )
