"""Rates: what a model costs a unit, kept in versions so that a pinned price stays true."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from darkroom.storage.database import Transaction


class Rate(msgspec.Struct, frozen=True):
    """One version of a price: whole mill a unit of one model and kind, from an instant on.

    Of tokens `mill` is for those that are answered, `input_mill` for those that are read.
    """

    id: int
    model: str
    kind: str
    unit: str
    mill: int
    effective_at: datetime
    input_mill: int = 0


class Asked(msgspec.Struct, frozen=True):
    """A price as the catalogue asks for it, before it has a version."""

    model: str
    kind: str
    unit: str
    mill: int
    input_mill: int = 0


class Amount(msgspec.Struct, frozen=True):
    """What one task makes or uses, in everything that a price may be for."""

    pixels: int = 0
    seconds: int = 1
    characters: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


def price_mill(rate: Rate, amount: Amount) -> int:
    """The price of one task, in whole mill; rounded up here and nowhere else."""
    match rate.unit:
        case "megapixel":
            return -(-rate.mill * amount.pixels // 1_000_000)
        case "second":
            return rate.mill * amount.seconds
        case "1000 characters":
            return -(-rate.mill * amount.characters // 1_000)
        case "million tokens":
            used = rate.input_mill * amount.input_tokens + rate.mill * amount.output_tokens
            return -(-used // 1_000_000)
        case _:  # an image, a call
            return rate.mill


async def publish(tx: Transaction, asked: Sequence[Asked]) -> dict[tuple[str, str], Rate]:
    """Append what changed, then answer the rates in force by model and kind."""
    await tx.run("rates.publish", **_columns(asked))
    return await in_force(tx)


async def schedule(tx: Transaction, asked: Sequence[Asked], effective_at: datetime | None) -> None:
    """Append prices that are in force from an instant on; None: from now on."""
    await tx.run("rates.schedule", effective_at=effective_at, **_columns(asked))


async def in_force(tx: Transaction) -> dict[tuple[str, str], Rate]:
    """The rates in force now by model and kind."""
    return {(rate.model, rate.kind): rate for rate in await tx.all(Rate, "rates.latest")}


async def pinned(tx: Transaction, task_id: str) -> Rate:
    """The rate that a task was submitted at."""
    return await tx.one(Rate, "rates.pinned", task_id=task_id)


async def of_model(tx: Transaction, model: str, *, rows_max: int = 100) -> list[Rate]:
    """A model's rates, those to come included, the last first."""
    return await tx.all(Rate, "rates.of_model", model=model, rows_max=rows_max)


def _columns(asked: Sequence[Asked]) -> dict[str, list[Any]]:
    return {
        "models": [one.model for one in asked],
        "kinds": [one.kind for one in asked],
        "units": [one.unit for one in asked],
        "mills": [one.mill for one in asked],
        "input_mills": [one.input_mill for one in asked],
    }
