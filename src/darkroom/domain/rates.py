"""Rates: what a model costs a unit, kept in versions so that a pinned price stays true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from darkroom.domain.sizes import Size
from darkroom.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class Rate:
    """One version of a price: whole mill a unit of one model and kind."""

    id: int
    model: str
    kind: str
    unit: str
    mill: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """A price as the catalogue asks for it, before it has a version."""

    model: str
    kind: str
    unit: str
    mill: int


def price_mill(rate: Rate, size: Size) -> int:
    """The price of one task, in whole mill; rounded up here and nowhere else."""
    if rate.unit == "image":
        return rate.mill
    return -(-rate.mill * size.pixels // 1_000_000)


async def publish(tx: Transaction, asked: Sequence[Asked]) -> dict[tuple[str, str], Rate]:
    """Append what changed, then answer the rates in force by model and kind."""
    await tx.run(
        "rates.publish",
        models=[one.model for one in asked],
        kinds=[one.kind for one in asked],
        units=[one.unit for one in asked],
        mills=[one.mill for one in asked],
    )
    return {(rate.model, rate.kind): rate for rate in await tx.all(Rate, "rates.latest")}
