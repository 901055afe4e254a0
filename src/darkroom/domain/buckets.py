"""Buckets: the tokens of request limits, one a request, shared by every server on the database.

A token bucket holds a minute's worth of requests and fills up steadily, so that a caller who was
quiet may send a burst.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from darkroom.storage.database import Transaction


class Limit(NamedTuple):
    """Requests a minute of an account or an API key; `name` says which of the two on the wire."""

    name: str
    id: str
    per_minute: int


class Taken(msgspec.Struct, frozen=True):
    """Tokens that were granted, and how many the bucket still has."""

    id: str
    granted: int
    tokens: float


class _Gone(msgspec.Struct, frozen=True):
    total: int


async def take(tx: Transaction, wanted: Mapping[Limit, int]) -> dict[str, Taken]:
    """Take up to so many tokens of each limit; by the id of its account or key."""
    given = {
        "ids": [limit.id for limit in wanted],
        "per_minutes": [float(limit.per_minute) for limit in wanted],
    }
    await tx.run("buckets.fill", **given)
    rows = await tx.all(
        Taken, "buckets.take", **given, wanted=[float(count) for count in wanted.values()]
    )
    return {row.id: row for row in rows}


async def forget(tx: Transaction) -> int:
    """Remove buckets that are full again; answers how many."""
    return (await tx.one(_Gone, "buckets.forget")).total
