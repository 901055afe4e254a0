"""Links: addresses that nobody can guess, each of which does its one thing once."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from darkroom.domain.sessions import hash_of
from darkroom.storage.database import Transaction, jsonb

Purpose = Literal["register", "invite", "verify", "reset", "sign_in", "code", "issuer"]

_HOUR = 3_600
_DAY = 24 * _HOUR
# How long each waits to be used.
SECONDS: Mapping[str, int] = {
    "register": _DAY,
    "invite": 7 * _DAY,
    "verify": 3 * _DAY,
    "reset": 2 * _HOUR,
    "sign_in": _DAY,
    "code": 600,
    "issuer": 600,
}
# Of these a newer one takes the place of the older ones for the same account or address.
_REPLACING = ("register", "invite", "verify", "reset", "sign_in")


class Link(msgspec.Struct, frozen=True):
    """What a link is for; `at_seconds` is the moment at which it was looked up."""

    purpose: Purpose
    account_id: str | None
    email: str | None
    browser: bytes | None
    data: dict[str, Any] | None
    at_seconds: int


class _Gone(msgspec.Struct, frozen=True):
    total: int


async def make(
    tx: Transaction,
    purpose: Purpose,
    *,
    account_id: str | None = None,
    email: str | None = None,
    browser_token: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> str:
    """Make a link and answer its token, of which only the hash is kept.

    With a `browser_token` only the browser that holds it can use the link.
    """
    token = secrets.token_urlsafe(32)
    await tx.run(
        "links.insert",
        hash=hash_of(token),
        purpose=purpose,
        account_id=account_id,
        email=email,
        browser=hash_of(browser_token) if browser_token else None,
        data=None if data is None else jsonb(data),
        seconds=SECONDS[purpose],
        replaces=purpose in _REPLACING,
    )
    return token


async def find(tx: Transaction, token: str) -> Link | None:
    """What a token's link is for, as long as it does something."""
    return await tx.first(Link, "links.find", hash=hash_of(token))


async def take(
    tx: Transaction, token: str, purpose: Purpose, *, browser_token: str | None = None
) -> Link | None:
    """Use a link up; None when it was used, ran out, or is another browser's."""
    return await tx.first(
        Link,
        "links.take",
        hash=hash_of(token),
        purpose=purpose,
        browser=hash_of(browser_token) if browser_token else None,
    )


async def take_invite(tx: Transaction, email: str) -> bool:
    """Use up what invites an address; False where nothing does."""
    return bool(await tx.all(Link, "links.take_invite", email=email))


async def drop(tx: Transaction, account_id: str) -> None:
    """End every link of an account."""
    await tx.run("links.drop", account_id=account_id)


async def forget(tx: Transaction, *, rows_max: int) -> int:
    """Remove up to `rows_max` links that ran out; answers how many."""
    return (await tx.one(_Gone, "links.forget", rows_max=rows_max)).total
