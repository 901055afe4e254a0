"""Letters: written in the transaction that causes them, and sent later by whoever claims them.

A letter holds no password and no session, only a link that does its one thing once; of that only a
hash stays when the letter has gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from darkroom import config, ids
from darkroom.domain import links
from darkroom.domain.sessions import hash_of
from darkroom.storage.database import Transaction

Kind = Literal["register", "taken", "invite", "verify", "reset", "changed", "moved"]
PENDING, SENT, SHOWN, FAILED = "PENDING", "SENT", "SHOWN", "FAILED"


class _Form(NamedTuple):
    subject: str
    text: str


_FORMS: Mapping[Kind, _Form] = {
    "register": _Form(
        "Complete your account",
        "Somebody, probably you, wants an account at {address} for this e-mail address.\n\n"
        "To complete it and choose a password, open this link within a day:\n\n{link}\n\n"
        "If that was not you, do nothing: without the link there will be no account.",
    ),
    "taken": _Form(
        "You have an account already",
        "Somebody, probably you, wanted to register at {address} with this e-mail address. It has "
        "an account already.\n\n"
        "Log in: {address}/login\nPassword forgotten: {address}/reset\n\n"
        "If that was not you, do nothing.",
    ),
    "invite": _Form(
        "You are invited to Darkroom",
        "The operator of {address} invites you.\n\n"
        "To make your account and choose a password, open this link within a week:\n\n{link}",
    ),
    "verify": _Form(
        "Verify your e-mail address",
        "To verify that this is the e-mail address of your account at {address}, open this link "
        "within three days:\n\n{link}\n\n"
        "If you have no account there, do nothing.",
    ),
    "reset": _Form(
        "Choose a new password",
        "Somebody, probably you, asked for a new password for your account at {address}.\n\n"
        "To choose one, open this link within two hours:\n\n{link}\n\n"
        "It ends every session of the account. If that was not you, do nothing: your password "
        "stays as it is.",
    ),
    "changed": _Form(
        "Your password was changed",
        "The password of your account at {address} was changed.\n\n"
        "If that was not you, choose a new one now: {address}/reset",
    ),
    "moved": _Form(
        "Your account has another e-mail address",
        "The e-mail address of your account at {address} is now another one, and this one is no "
        "longer of any use there.\n\n"
        "If that was not you, write to the operator of {address}.",
    ),
}


class Claimed(msgspec.Struct, frozen=True):
    """A letter leased to a daemon; `number` fences what is recorded of the attempt."""

    id: str
    kind: str
    recipient: str
    subject: str
    text: str
    link: str | None
    number: int
    created_at: datetime
    is_late: bool


class Letter(msgspec.Struct, frozen=True):
    """A letter as the operator sees it; `link` as long as it does something and is not sent."""

    id: str
    kind: str
    recipient: str
    status: str
    attempts: int
    error: str | None
    link: str | None
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None


class _Gone(msgspec.Struct, frozen=True):
    total: int


def link_to(address: str, token: str) -> str:
    """Where a link's token leads, at the instance with this address."""
    return f"{address}/link/{token}"


async def write(
    tx: Transaction,
    kind: Kind,
    recipient: str,
    *,
    address: str,
    account_id: str | None = None,
    token: str | None = None,
) -> None:
    """Write a letter in the name of the instance at `address`; `token` is that of its link.

    It is given up once the link does nothing any more.
    """
    form = _FORMS[kind]
    link = None if token is None else link_to(address, token)
    await tx.run(
        "letters.insert",
        id=ids.new("let"),
        account_id=account_id,
        kind=kind,
        recipient=recipient,
        subject=form.subject,
        text=form.text.format(address=address, link=link),
        link=link,
        link_hash=None if token is None else hash_of(token),
        seconds=links.SECONDS.get(kind, config.LETTER_SECONDS_MAX),
    )


async def claim(tx: Transaction, *, rows_max: int, lease_seconds: float) -> list[Claimed]:
    """Lease letters that are due, the longest due first."""
    return await tx.all(Claimed, "letters.claim", rows_max=rows_max, lease_seconds=lease_seconds)


async def record(
    tx: Transaction,
    claimed: Claimed,
    status: str,
    *,
    error: str | None = None,
    pause_seconds: float = 0.0,
) -> None:
    """Keep what came of an attempt; PENDING: the letter is due again after the pause."""
    await tx.run(
        "letters.record",
        id=claimed.id,
        number=claimed.number,
        status=status,
        error=error,
        pause_seconds=pause_seconds,
    )


async def list_all(tx: Transaction, *, with_link: bool, rows_max: int = 1_000) -> list[Letter]:
    """Letters for the operator, the newest first; `with_link`: those whose link does something."""
    return await tx.all(Letter, "letters.list", with_link=with_link, rows_max=rows_max)


async def forget(tx: Transaction, *, rows_max: int) -> int:
    """Remove up to `rows_max` old letters, and what the others said; answers how many."""
    gone = await tx.one(_Gone, "letters.forget", rows_max=rows_max, days=config.LETTER_DAYS)
    return gone.total
