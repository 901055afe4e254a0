"""Spend limits: what those of API keys are used for, exact behind the account's lock."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from darkroom import errors
from darkroom.domain import ledger
from darkroom.storage.database import Asked, Transaction


class Spending(msgspec.Struct, frozen=True):
    """The spend limit of a key, and what is used of it in its period, in mill.

    A key shares its limit with those that it was rotated from and into: they have one `origin_id`.
    """

    api_key_id: str
    origin_id: str
    name: str
    spend_mill_max: int
    spend_period: str
    spent_mill: int

    @property
    def left_mill(self) -> int:
        return max(0, self.spend_mill_max - self.spent_mill)


def ask(tx: Transaction, api_key_ids: Collection[str]) -> Asked[Spending]:
    """Ask for the spend limits of keys whose accounts this transaction has locked.

    Whoever spends or gives back holds that lock until he has committed, so the answer is true as
    long as the lock lasts.
    """
    return tx.ask(Spending, "spend_limits.read", api_key_ids=list(api_key_ids))


async def add(tx: Transaction, mill_of: Mapping[str, int]) -> None:
    """Count what new holds take, by origin; settle and refund give back what was not charged."""
    await tx.run("spend_limits.add", origin_ids=list(mill_of), mills=list(mill_of.values()))


def refusal(one: Spending, cost_mill: int, left_mill: int) -> errors.InsufficientCredits:
    """What a caller is told whose key may not spend that much."""
    period = " a month" if one.spend_period == "month" else ""
    until = " It is renewed on the first of the month (UTC)." if period else ""
    return errors.InsufficientCredits(
        f"insufficient credits: this costs {ledger.credits_of(cost_mill)}, and the API key "
        f'"{one.name}" has {ledger.credits_of(left_mill)} left of its spend limit of '
        f"{ledger.credits_of(one.spend_mill_max)} credits{period}.{until} Raise the key's limit, "
        "or ask for less."
    )
