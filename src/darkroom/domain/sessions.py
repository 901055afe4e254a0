"""Sessions: who is signed in to the console, by a token that only their browser holds."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from datetime import datetime

import msgspec

from darkroom import config, ids
from darkroom.storage.database import Transaction


class Visitor(msgspec.Struct, frozen=True):
    """A signed-in account as its pages need it; amounts in mill."""

    hash: bytes
    session_id: str
    account_id: str
    email: str
    is_admin: bool
    available_mill: int
    held_mill: int
    requests_per_minute: int | None
    verified_at: datetime | None
    suspended_at: datetime | None
    suspended_reason: str | None
    # Its session was not touched for a while, and lives longer when it is now.
    is_due: bool


class Session(msgspec.Struct, frozen=True):
    """One session as its owner sees it; `agent` is what the browser calls itself."""

    id: str
    ip: str | None
    agent: str | None
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


class _Gone(msgspec.Struct, frozen=True):
    total: int


def make_token() -> str:
    """A fresh token for a browser: 256 random bits."""
    return secrets.token_urlsafe(32)


def hash_of(token: str) -> bytes:
    """What is stored of a token: its SHA-256 (a token is random, a slow hash would add nothing)."""
    return hashlib.sha256(token.encode()).digest()


def form_token(token: str) -> str:
    """What every form of the browser with this token carries, and no other site can know."""
    return hmac.new(token.encode(), b"form", hashlib.sha256).hexdigest()


def is_form_token(token: str, sent: str) -> bool:
    """Whether a form came from a page that was made for the browser with this token."""
    return hmac.compare_digest(form_token(token).encode(), sent.encode())


async def open_for(
    tx: Transaction, account_id: str, *, ip: str | None, agent: str | None
) -> tuple[str, Session]:
    """Open a session; the first of the pair is the token for the browser's cookie."""
    token = make_token()
    session = await tx.one(
        Session,
        "sessions.insert",
        id=ids.new("ses"),
        account_id=account_id,
        hash=hash_of(token),
        ip=ip,
        agent=agent,
        days=config.SESSION_DAYS,
    )
    return token, session


async def find(tx: Transaction, tokens: Collection[str]) -> dict[str, Visitor]:
    """Who is signed in, by the texts of their tokens."""
    token_of = {hash_of(token): token for token in tokens}
    rows = await tx.all(Visitor, "sessions.find", hashes=list(token_of))
    return {token_of[row.hash]: row for row in rows}


async def touch(tx: Transaction, session_id: str, *, ip: str | None) -> None:
    """Keep a session alive that is used."""
    await tx.run("sessions.touch", session_id=session_id, ip=ip, days=config.SESSION_DAYS)


async def list_for(tx: Transaction, account_id: str) -> list[Session]:
    """An account's sessions, the one used last first."""
    return await tx.all(Session, "sessions.list", account_id=account_id)


async def close(tx: Transaction, account_id: str, session_id: str) -> None:
    """End one session of an account."""
    await tx.run("sessions.close", account_id=account_id, session_id=session_id)


async def close_others(tx: Transaction, account_id: str, session_id: str | None) -> None:
    """End every session of an account but this one."""
    await tx.run("sessions.close_others", account_id=account_id, session_id=session_id)


async def forget(tx: Transaction, *, rows_max: int) -> int:
    """Remove up to `rows_max` sessions that ran out; answers how many."""
    return (await tx.one(_Gone, "sessions.forget", rows_max=rows_max)).total
