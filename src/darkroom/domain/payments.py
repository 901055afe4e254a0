"""Payments: packages bought, their credits given once, and taken back when the money goes back.

A payment is open until it is paid, expired or failed; each change is one guarded statement, and
whoever changes the credits of one has locked its account first. Credits of which the money went
back (refunded, or disputed and not won) are taken in proportion: what the account has is taken at
once, the rest is owed and taken from whatever it gets next, a grant or a purchase or a hold that is
given back. No balance goes below zero for it.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from darkroom import errors, ids
from darkroom.domain import accounts
from darkroom.domain.packages import CURRENCY, Package
from darkroom.storage.database import Transaction

OPEN, PAID, EXPIRED, FAILED = "open", "paid", "expired", "failed"
# Of one account; who opens more has begun and left as many checkouts within two hours.
OPEN_MAX = 20
_ROWS_MAX = 100


class Payment(msgspec.Struct, frozen=True):
    """One payment as its owner sees it; `package` is what was bought, as it was offered then."""

    id: str
    account_id: str
    package: str
    cents: int
    currency: str
    mill: int
    checkout: str
    is_test: bool
    status: str
    checkout_url: str | None
    receipt_number: int | None
    refunded_cents: int
    disputed_cents: int
    dispute: str | None
    back_mill: int
    taken_mill: int
    note: str | None
    created_at: datetime
    paid_at: datetime | None

    @property
    def owed_mill(self) -> int:
        """Credits whose money went back and that could not be taken yet."""
        return self.back_mill - self.taken_mill

    @property
    def receipt(self) -> str | None:
        """The number on the receipt: DR-000001 and on, TEST-000001 where no money moved."""
        if self.receipt_number is None:
            return None
        return f"{'TEST' if self.is_test else 'DR'}-{self.receipt_number:06d}"


class Due(msgspec.Struct, frozen=True):
    """A payment that is being looked at; `number` fences what the look brings."""

    id: str
    account_id: str
    cents: int
    currency: str
    session_id: str | None
    intent_id: str | None
    is_paid: bool
    number: int


class Told(msgspec.Struct, frozen=True):
    """How a payment stands by Stripe; the cents are all that went back until now."""

    status: str
    refunded_cents: int = 0
    disputed_cents: int = 0
    dispute: str | None = None


class Heard(msgspec.Struct, frozen=True):
    """An event of Stripe's: which payment it is about, by whichever name it says."""

    event_id: str
    type: str
    payment_id: str | None
    session_id: str | None
    intent_id: str | None


class _Id(msgspec.Struct, frozen=True):
    id: str


class _Owed(msgspec.Struct, frozen=True):
    mill: int


async def create(
    tx: Transaction, account_id: str, package: Package, *, checkout: str, is_test: bool
) -> Payment:
    """Open a payment for a package; nothing is bought yet."""
    await accounts.lock(tx, account_id)
    made = await tx.first(
        Payment,
        "payments.insert",
        id=ids.new("pay"),
        account_id=account_id,
        package=package.name,
        cents=package.cents,
        currency=CURRENCY,
        mill=package.mill,
        checkout=checkout,
        is_test=is_test,
        open_max=OPEN_MAX,
    )
    if made is None:
        raise errors.RateLimited(
            f"You have begun {OPEN_MAX} payments and finished none of them. Finish one, or try "
            "again in two hours.",
            retry_after_seconds=7200,
        )
    return made


async def begin(tx: Transaction, payment_id: str, session_id: str, url: str) -> None:
    """Keep where a payment is paid; from now on it is looked at."""
    await tx.run("payments.begin", payment_id=payment_id, session_id=session_id, checkout_url=url)


async def get(tx: Transaction, account_id: str, payment_id: str) -> Payment:
    """One payment of the account; another's is not found either."""
    found = await tx.first(Payment, "payments.get", account_id=account_id, payment_id=payment_id)
    if found is None:
        raise errors.PaymentNotFound
    return found


async def list_for(
    tx: Transaction, account_id: str, *, before: tuple[datetime, str] | None, rows_max: int
) -> list[Payment]:
    """The account's payments, newest first, from behind that of an instant and id on."""
    before_at, before_id = before or (None, None)
    return await tx.all(
        Payment,
        "payments.list",
        account_id=account_id,
        before_at=before_at,
        before_id=before_id,
        rows_max=rows_max,
    )


async def owed(tx: Transaction, account_id: str) -> int:
    """The mill that the account owes."""
    return (await tx.one(_Owed, "payments.owed", account_id=account_id)).mill


async def pay_test(tx: Transaction, account_id: str, payment_id: str) -> Payment:
    """Pay at the test checkout, where no money moves; a second time changes nothing."""
    await accounts.lock(tx, account_id)
    payment = await get(tx, account_id, payment_id)
    if payment.checkout != "test" or payment.status not in (OPEN, PAID):
        raise errors.PaymentNotFound
    await tx.run("payments.pay", payment_id=payment_id)
    await tx.run("payments.collect", account_id=account_id)
    return await get(tx, account_id, payment_id)


async def hear(tx: Transaction, heard: Heard) -> bool:
    """Remember an event and have its payment looked at; whether it was news of one of ours."""
    found = await tx.first(
        _Id,
        "payments.hear",
        event_id=heard.event_id,
        type=heard.type,
        payment_id=heard.payment_id,
        session_id=heard.session_id,
        intent_id=heard.intent_id,
    )
    return found is not None


async def claim(tx: Transaction, *, rows_max: int) -> list[Due]:
    """Payments that are due to be looked at; each is due again later, whatever becomes of it."""
    return await tx.all(Due, "payments.claim", rows_max=rows_max)


async def claim_one(tx: Transaction, account_id: str, payment_id: str) -> Due | None:
    """An open payment, to be looked at now; None: not open, or looked at this very moment."""
    return await tx.first(Due, "payments.claim_one", account_id=account_id, payment_id=payment_id)


async def learn(tx: Transaction, due: Due, intent_id: str) -> None:
    """Keep the payment's intent, before anything is asked about that."""
    await tx.run("payments.learn", payment_id=due.id, intent_id=intent_id)


async def fail(tx: Transaction, due: Due, note: str) -> None:
    """Keep why a look was in vain."""
    await tx.run("payments.fail", payment_id=due.id, number=due.number, note=note[:500])


async def conclude(tx: Transaction, due: Due, told: Told) -> bool:
    """Do what a look brought: give the credits once, take back or give again; False: overtaken."""
    await accounts.lock(tx, due.account_id)
    ours = await tx.first(
        _Id, "payments.conclude", payment_id=due.id, number=due.number, status=told.status
    )
    if ours is None:
        return False
    if told.status == PAID:
        await tx.run("payments.pay", payment_id=due.id)
        await tx.run(
            "payments.return_money",
            payment_id=due.id,
            refunded_cents=told.refunded_cents,
            disputed_cents=told.disputed_cents,
            dispute=told.dispute,
        )
        await tx.run("payments.collect", account_id=due.account_id)
    return True


async def collect(tx: Transaction, account_id: str) -> None:
    """Take what the account owes from what it has."""
    await accounts.lock(tx, account_id)
    await tx.run("payments.collect", account_id=account_id)


async def find_owing(tx: Transaction) -> list[str]:
    """Accounts from which something can be taken that they owe; a bounded number."""
    return [one.id for one in await tx.all(_Id, "payments.find_owing", rows_max=_ROWS_MAX)]


async def expire(tx: Transaction) -> None:
    """End open payments that nobody can pay any more; a bounded number."""
    await tx.run("payments.expire", rows_max=_ROWS_MAX)


async def forget_events(tx: Transaction) -> None:
    """Remove events that are not sent again; a bounded number."""
    await tx.run("payments.forget_events", rows_max=10_000)
