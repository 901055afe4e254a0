"""Webhook secrets: what an account and this server share, so that deliveries can be verified."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec

from darkroom import signing
from darkroom.domain import accounts
from darkroom.storage.database import Transaction


class Secret(msgspec.Struct, frozen=True):
    """One live secret; the current one of an account has no end."""

    account_id: str
    secret: str
    created_at: datetime
    expires_at: datetime | None


async def live(tx: Transaction, account_ids: Collection[str]) -> dict[str, list[Secret]]:
    """The live secrets of each account, the current one first; who has none gets one."""
    found = await _live(tx, account_ids)
    if missing := [one for one in account_ids if one not in found]:
        await _add(tx, missing)
        found = await _live(tx, account_ids)
    return found


async def rotate(tx: Transaction, account_id: str, *, overlap_hours: int) -> list[Secret]:
    """Make a new current secret; the one before it signs on for so many hours."""
    await accounts.lock(tx, account_id)
    await tx.run("webhook_secrets.end", account_id=account_id, overlap_hours=overlap_hours)
    await _add(tx, [account_id])
    return (await _live(tx, [account_id]))[account_id]


async def _add(tx: Transaction, account_ids: Collection[str]) -> None:
    secrets = [signing.new_secret() for _ in account_ids]
    await tx.run("webhook_secrets.add", account_ids=list(account_ids), secrets=secrets)


async def _live(tx: Transaction, account_ids: Collection[str]) -> dict[str, list[Secret]]:
    rows = await tx.all(Secret, "webhook_secrets.live", account_ids=list(account_ids))
    found: dict[str, list[Secret]] = {}
    for row in rows:
        found.setdefault(row.account_id, []).append(row)
    return found
