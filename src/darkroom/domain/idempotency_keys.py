"""Idempotency keys: which batch a caller's key made, so that the same submit is answered again."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from darkroom.storage.database import Asked, Transaction

HOURS_KEPT = 24


class Kept(msgspec.Struct, frozen=True):
    """A key and the batch that it made; `fingerprint` tells what was asked with it."""

    account_id: str
    key: str
    fingerprint: bytes
    batch_id: int
    task_ids: Sequence[str]
    price_mill: int


class _Gone(msgspec.Struct, frozen=True):
    total: int


def fingerprint(kind: str, fields: Mapping[str, Any]) -> bytes:
    """SHA-256 over the kind and the body's JSON, its names sorted and its null fields left out."""
    sent = {name: value for name, value in fields.items() if value is not None}
    return hashlib.sha256(msgspec.json.encode([kind, sent], order="deterministic")).digest()


def ask(tx: Transaction, asked: Collection[tuple[str, str]]) -> Asked[Kept]:
    """Ask what stands under these (account id, key) pairs; an expired key counts as absent."""
    return tx.ask(
        Kept,
        "idempotency_keys.find",
        account_ids=[account_id for account_id, _ in asked],
        keys=[key for _, key in asked],
        hours=HOURS_KEPT,
    )


async def find(tx: Transaction, asked: Collection[tuple[str, str]]) -> dict[tuple[str, str], Kept]:
    """What stands under these (account id, key) pairs."""
    return {(one.account_id, one.key): one for one in await ask(tx, asked).all()}


async def keep(tx: Transaction, made: Sequence[Kept]) -> None:
    """Store keys that `find` did not find, under the same locks on their accounts."""
    if not made:
        return
    await tx.run(
        "idempotency_keys.keep",
        account_ids=[one.account_id for one in made],
        keys=[one.key for one in made],
        fingerprints=[one.fingerprint for one in made],
        batch_ids=[one.batch_id for one in made],
        hours=HOURS_KEPT,
    )


async def forget(tx: Transaction, *, rows_max: int) -> int:
    """Remove up to `rows_max` expired keys; answers how many."""
    gone = await tx.one(_Gone, "idempotency_keys.forget", hours=HOURS_KEPT, rows_max=rows_max)
    return gone.total
