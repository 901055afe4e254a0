"""Signing keys: the server's own pair, made once for all its processes."""

from __future__ import annotations

from dataclasses import dataclass

from darkroom.signing import SigningKey
from darkroom.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class _Kept:
    private: str


async def ours(tx: Transaction) -> SigningKey:
    """The server's key; the first who asks makes it."""
    kept = await tx.first(_Kept, "signing_keys.get")
    if kept is None:
        await tx.run("signing_keys.add", private=SigningKey.make().dump())
        kept = await tx.one(_Kept, "signing_keys.get")
    return SigningKey.load(kept.private)
