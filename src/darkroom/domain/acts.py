"""Acts: what operators did about accounts, tasks and models, written down with the deed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from darkroom.storage.database import Transaction, jsonb


class Actor(msgspec.Struct, frozen=True):
    """Who acts: an admin by e-mail address, with the request that asks for it, or the CLI."""

    name: str
    account_id: str | None = None
    request_id: str | None = None
    ip: str | None = None


CLI = Actor("cli")


class Deed(msgspec.Struct, frozen=True):
    """What is done: a verb such as account.grant, about what, of which account."""

    verb: str
    subject: str
    account_id: str | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


class Act(msgspec.Struct, frozen=True):
    """A deed as it was written down; `actor` "cli" is the command line."""

    id: int
    at: datetime
    actor: str
    actor_id: str | None
    verb: str
    subject: str
    account_id: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    request_id: str | None
    ip: str | None


class Filter(msgspec.Struct, frozen=True):
    """Which acts; None means any."""

    actor: str | None = None
    verb: str | None = None
    subject: str | None = None
    account_id: str | None = None


async def record(tx: Transaction, actor: Actor, deed: Deed) -> None:
    """Write down a deed, in the transaction that does it."""
    await tx.run(
        "acts.insert",
        actor=actor.name,
        actor_id=actor.account_id,
        verb=deed.verb,
        subject=deed.subject,
        account_id=deed.account_id,
        before=None if deed.before is None else jsonb(deed.before),
        after=None if deed.after is None else jsonb(deed.after),
        request_id=actor.request_id,
        ip=actor.ip,
    )


async def list_all(
    tx: Transaction, wanted: Filter, *, before: int | None = None, rows_max: int = 50
) -> list[Act]:
    """Acts, newest first, from behind the one with the id `before` on."""
    return await tx.all(
        Act, "acts.list", before=before, rows_max=rows_max, **msgspec.structs.asdict(wanted)
    )
