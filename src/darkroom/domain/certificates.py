"""Certificates: the instance's own, with which its files are signed, made once for all."""

from __future__ import annotations

from datetime import datetime

import msgspec

from darkroom.authority import Authority
from darkroom.storage.database import Transaction


class _Kept(msgspec.Struct, frozen=True):
    chain: str
    private: str


class _Instant(msgspec.Struct, frozen=True):
    at: datetime


async def ours(tx: Transaction) -> Authority:
    """The instance's certificate and key; the first who asks makes them."""
    kept = await find(tx)
    if kept is None:
        made = Authority.make((await tx.one(_Instant, "certificates.now")).at)
        await tx.run("certificates.add", chain=made.chain, private=made.key)
        kept = await find(tx)
        assert kept is not None, "a certificate was just added"
    return kept


async def find(tx: Transaction) -> Authority | None:
    """The instance's certificate and key, if somebody has asked for them yet."""
    kept = await tx.first(_Kept, "certificates.get")
    return None if kept is None else Authority(kept.chain, kept.private)
