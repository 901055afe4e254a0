"""Signing keys: the server's own pair, made once for all its processes."""

from __future__ import annotations

import msgspec

from darkroom.signing import SigningKey
from darkroom.storage.database import Transaction


class _Kept(msgspec.Struct, frozen=True):
    private: str


async def ours(tx: Transaction) -> SigningKey:
    """The server's key; the first who asks makes it."""
    kept = await tx.first(_Kept, "signing_keys.get")
    if kept is None:
        await tx.run("signing_keys.add", private=SigningKey.make().dump())
        kept = await tx.one(_Kept, "signing_keys.get")
    return SigningKey.load(kept.private)
