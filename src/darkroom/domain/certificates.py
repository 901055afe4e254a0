"""Certificates: the instance's own, with which its files are signed, made once for all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from darkroom.authority import Authority
from darkroom.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class _Kept:
    chain: str
    private: str


@dataclass(frozen=True, slots=True)
class _Instant:
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
