"""Reconcile: payments looked at when an event tells of them, and when none does."""

from __future__ import annotations

import asyncio
import logging

from darkroom import errors
from darkroom.domain import payments, purchases
from darkroom.domain.payments import Due
from darkroom.domain.purchases import Stripe
from darkroom.storage.database import Database

_log = logging.getLogger(__name__)
# Looks at once, each some requests to Stripe.
_LOOKS_MAX = 8


async def look_at_payments(database: Database, stripe: Stripe) -> None:
    """Ask Stripe about the payments that are due; what fails is due again after its pause."""
    async with database.statement() as tx:
        due = await payments.claim(tx, rows_max=_LOOKS_MAX)
    await asyncio.gather(*(_look(database, stripe, one) for one in due))


async def _look(database: Database, stripe: Stripe, due: Due) -> None:
    try:
        await purchases.look(database, stripe, due)
    except errors.StripeFailed as fault:
        _log.warning("%s: %s", due.id, fault)


async def collect_debts(database: Database) -> None:
    """Take what accounts owe from what they have got meanwhile; one transaction each."""
    async with database.statement() as tx:
        owing = await payments.find_owing(tx)
    for account_id in owing:
        async with database.transaction() as tx:
            await payments.collect(tx, account_id)
