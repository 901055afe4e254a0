"""What tests of payments do: buy, look as an event asks for it, send money back, spend."""

from __future__ import annotations

from darkroom import ids
from darkroom.domain import accounts, ledger, payments
from darkroom.domain.packages import Package
from darkroom.domain.payments import Due, Told

# 100 credits for $10.
TEN = Package("ten", "Ten", 1_000, 100_000, 0)


async def bought(database, account_id, package=TEN):
    """A paid payment of Stripe's, with a claim on it to look again."""
    async with database.transaction() as tx:
        payment = await payments.create(tx, account_id, package, checkout="stripe", is_test=False)
        await payments.begin(tx, payment.id, f"cs_{payment.id}", "https://pay.example")
    due = await look(database, account_id, payment.id)
    await told(database, due, payments.PAID)
    return due


async def look(database, account_id, payment_id):
    """A claim on the payment as an event makes it due."""
    heard = payments.Heard(ids.new("evt"), "a.test", payment_id, None, None)
    async with database.statement() as tx:
        await payments.hear(tx, heard)
        return next(one for one in await payments.claim(tx, rows_max=100) if one.id == payment_id)


async def told(database, due: Due, status=payments.PAID, *, refunded=0, disputed=0) -> bool:
    """Do what a look brought."""
    async with database.transaction() as tx:
        return await payments.conclude(tx, due, Told(status, refunded, disputed))


async def went_back(database, due, *, refunded=0, disputed=0):
    """Money of a paid payment went back; so much has in all."""
    due = await look(database, due.account_id, due.id)
    assert await told(database, due, refunded=refunded, disputed=disputed)


async def standing(database, due):
    """The account's available credits and what it owes, in credits."""
    async with database.statement() as tx:
        account = await accounts.get(tx, due.account_id)
        return account.available_mill / 1000, await payments.owed(tx, due.account_id) / 1000


async def spend(database, account_id, amount):
    """Credits that are gone for good."""
    hold = ids.new("task")
    async with database.transaction() as tx:
        await ledger.hold(tx, [ledger.Hold(hold, account_id, amount * 1000)])
    async with database.transaction() as tx:
        await ledger.settle(tx, hold, amount * 1000)
