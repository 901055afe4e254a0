"""Credits: grant, hold, settle, refund, purchase, and the proof that they add up.

Invariants, each with a test of its name:

1. every movement is an entry, over one account and at most one system account;
2. entries never change (a trigger refuses it);
3. available and held never go below zero (CHECK);
4. a hold is closed once, by settle or by refund;
5. settle takes at most the hold, and the rest returns;
6. replaying an account's entries gives its balances;
7. the sum over all accounts, system accounts included, is zero;
8. amounts are whole mill, thousandths of a credit.

The system accounts (`issued`, `sold`, `earned`) have no row that every settle would queue for:
their balance is the sum of their entries. Close at most one hold a transaction: two transactions
that close several in different orders deadlock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from darkroom import errors
from darkroom.storage.database import Transaction

MILL_PER_CREDIT = 1000
# Movements that no submit and no success writes; the last three are those of `payments`.
RARE_TYPES = ("grant", "refund", "purchase", "reversal", "reinstatement")
TYPES = ("hold", "settle", *RARE_TYPES)
# A grant above this is a slip of the keyboard, not a purchase: 10 billion credits.
GRANT_MILL_MAX = 10_000_000_000 * MILL_PER_CREDIT


class Entry(msgspec.Struct, frozen=True):
    """One movement of credits, in mill; the three amounts sum to zero."""

    id: int
    account_id: str
    type: str
    available_mill: int
    held_mill: int
    system_account: str | None
    system_mill: int
    hold_id: str | None
    payment_id: str | None
    note: str | None
    created_at: datetime


class Hold(msgspec.Struct, frozen=True):
    """Credits to reserve: the hold's id is the id of the task that will close it.

    `origin_id` names the key whose spend limit it counts against, None where there is none.
    """

    id: str
    account_id: str
    mill: int
    origin_id: str | None = None


class Filter(msgspec.Struct, frozen=True):
    """Which movements; None means any. `until` is not within."""

    type: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Finding(msgspec.Struct, frozen=True):
    """Something the audit found wrong: which check, about what, and how."""

    check: str
    subject: str
    detail: str


class Totals(msgspec.Struct, frozen=True):
    """How much of everything the audit looked at; amounts in mill."""

    accounts: int
    holds: int
    holds_open: int
    entries: int
    tasks: int
    issued_mill: int
    sold_mill: int
    earned_mill: int
    available_mill: int
    held_mill: int


class _Found(msgspec.Struct, frozen=True):
    subject: str
    detail: str


AUDIT_CHECKS = {
    "replaying the entries gives every balance": "ledger.audit_balances",
    "the sum over all accounts is zero": "ledger.audit_sum",
    "every hold is opened once and closed at most once": "ledger.audit_holds",
    "held credits are the open holds": "ledger.audit_held",
    "every task's money fits its state": "ledger.audit_tasks",
    "every row has the rows that it names": "ledger.audit_references",
    "every lane counts its account's tasks": "lanes.audit",
    "every payment bought its credits once": "payments.audit",
    "receipts are numbered without gaps": "payments.audit_receipts",
    "every key with a spend limit has spent what its holds took": "spend_limits.audit",
}


def mill(amount: Decimal) -> int:
    """Whole mill for an amount of credits; refuses more than three decimals."""
    if not amount.is_finite():
        raise errors.BadParameter(f"{amount} is no amount of credits.")
    scaled = amount * MILL_PER_CREDIT
    if scaled != scaled.to_integral_value():
        raise errors.BadParameter(f"{amount} credits: at most three decimals, please.")
    return int(scaled)


def credits_of(amount_mill: int) -> int | float:
    """An amount of mill as the wire's credits: an integer where it is whole."""
    whole, rest = divmod(amount_mill, MILL_PER_CREDIT)
    return whole if rest == 0 else amount_mill / MILL_PER_CREDIT


async def grant(tx: Transaction, account_id: str, amount_mill: int, note: str | None) -> Entry:
    """Give an account credits, issued by the system."""
    if not 0 < amount_mill <= GRANT_MILL_MAX:
        raise errors.BadParameter("Grant more than 0 and at most 10 billion credits.")
    return await tx.one(Entry, "ledger.grant", account_id=account_id, mill=amount_mill, note=note)


async def hold(tx: Transaction, holds: Sequence[Hold]) -> None:
    """Reserve credits; the caller has locked the accounts and seen that they suffice."""
    await tx.run("ledger.hold", holds=msgspec.json.encode(holds).decode())


async def settle(tx: Transaction, hold_id: str, amount_mill: int) -> Entry:
    """Close a hold: keep the amount, give back the rest; raises `HoldNotOpen` on a second close."""
    entry = await tx.first(Entry, "ledger.settle", hold_id=hold_id, mill=amount_mill)
    if entry is None:
        raise errors.HoldNotOpen(f"The hold {hold_id} is not open, or holds less than asked.")
    return entry


async def refund(tx: Transaction, hold_id: str) -> Entry:
    """Close a hold and give all of it back; raises `HoldNotOpen` on a second close."""
    entry = await tx.first(Entry, "ledger.refund", hold_id=hold_id)
    if entry is None:
        raise errors.HoldNotOpen(f"The hold {hold_id} is not open.")
    return entry


async def entries(tx: Transaction, account_id: str, *, rows_max: int = 1000) -> list[Entry]:
    """An account's movements, oldest first."""
    return await tx.all(Entry, "ledger.entries", account_id=account_id, rows_max=rows_max)


async def statement(
    tx: Transaction,
    account_id: str,
    wanted: Filter,
    *,
    before: tuple[datetime, int] | None,
    rows_max: int,
) -> list[Entry]:
    """An account's movements, newest first, from behind that of an instant and id on."""
    before_at, before_id = before or (None, None)
    is_rare = wanted.type in RARE_TYPES
    return await tx.all(
        Entry,
        "ledger.statement_rare" if is_rare else "ledger.statement",
        account_id=account_id,
        before_at=before_at,
        before_id=before_id,
        rows_max=rows_max,
        **msgspec.structs.asdict(wanted),
    )


async def verify(tx: Transaction) -> tuple[Totals, list[Finding]]:
    """Check every invariant over the whole database, within the caller's snapshot."""
    totals = await tx.one(Totals, "ledger.totals")
    findings = [
        Finding(check, found.subject, found.detail)
        for check, name in AUDIT_CHECKS.items()
        for found in await tx.all(_Found, name)
    ]
    return totals, findings
