"""Purchases: a payment's way through Stripe, which may tell of it late, twice or never.

An event is a hint and no more: whatever it says, the payment is looked at, and what Stripe answers
then is done. So repeats and disorder change nothing, and what no event told is found by looking.
The steps are commits of their own, and no transaction is open while Stripe is asked. What an answer
may be late for, another look or an event meanwhile, is seen by the payment's number: then it is
dropped, and the next look brings what is true since.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import msgspec

from darkroom import errors
from darkroom.domain import ledger, payments
from darkroom.domain.payments import Due, Heard, Payment, Told
from darkroom.storage.database import Database

Json = Mapping[str, Any]
# How long a buyer has on Stripe's page; Stripe takes 30 minutes to 24 hours.
_SESSION_LIFE = timedelta(hours=2)
# Under which metadata of Stripe's objects the payment's id stands.
_MARK = "darkroom_payment"


class Stripe(Protocol):
    """What is asked of Stripe; `stripe_checkout` does it. All raise `StripeFailed`."""

    async def create_session(self, parameters: Json, idempotency_key: str) -> Json:
        """A new Checkout Session; under the same key the same one again."""

    async def session(self, session_id: str) -> Json:
        """A Checkout Session."""

    async def intent(self, intent_id: str) -> Json:
        """A PaymentIntent with its latest charge inside."""

    async def disputes(self, intent_id: str) -> Json:
        """The disputes over what a PaymentIntent took, as a list object."""


class _Session(msgspec.Struct):
    id: str
    url: str | None = None
    status: str | None = None
    payment_status: str | None = None
    payment_intent: str | None = None
    amount_total: int | None = None
    currency: str | None = None
    client_reference_id: str | None = None


class _Charge(msgspec.Struct):
    amount_refunded: int
    disputed: bool


class _Intent(msgspec.Struct):
    status: str
    latest_charge: _Charge | None = None


class _Movement(msgspec.Struct):
    amount: int


class _Dispute(msgspec.Struct):
    status: str
    amount: int
    balance_transactions: list[_Movement]


class _Disputes(msgspec.Struct):
    data: list[_Dispute]


class _Object(msgspec.Struct):
    id: str | None = None
    object: str | None = None
    client_reference_id: str | None = None
    payment_intent: str | None = None
    metadata: dict[str, str] | None = None


class _Data(msgspec.Struct):
    object: _Object


class _Event(msgspec.Struct):
    id: str
    type: str
    data: _Data


Shape = TypeVar("Shape", bound=msgspec.Struct)


async def begin(database: Database, stripe: Stripe, payment: Payment, back_url: str) -> str:
    """Open a session at Stripe for a payment that is a row already; the address to pay at.

    The buyer comes back to `back_url` with `/paid/<payment id>` or `/left/<payment id>` behind it.
    """
    parameters = session_parameters(payment, back_url)
    session = _read(await stripe.create_session(parameters, payment.id), _Session)
    if session.url is None:
        raise errors.StripeFailed("Stripe gave no address to pay at.")
    async with database.statement() as tx:
        await payments.begin(tx, payment.id, session.id, session.url)
    return session.url


def session_parameters(payment: Payment, back_url: str) -> Json:
    """What Stripe takes for a session; the same payment says the same, so that it may be resent."""
    said = f"{ledger.credits_of(payment.mill):,} credits"
    return {
        "mode": "payment",
        "client_reference_id": payment.id,
        # In another currency, shares of what went back could not be told.
        "adaptive_pricing": {"enabled": False},
        "expires_at": int((payment.created_at + _SESSION_LIFE).timestamp()),
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": payment.currency,
                    "unit_amount": payment.cents,
                    "product_data": {"name": f"{payment.package}: {said}"},
                },
            }
        ],
        "metadata": {_MARK: payment.id},
        "payment_intent_data": {"metadata": {_MARK: payment.id}, "description": said},
        "success_url": f"{back_url}/paid/{payment.id}",
        "cancel_url": f"{back_url}/left/{payment.id}",
    }


async def look(database: Database, stripe: Stripe, due: Due) -> bool:
    """Ask Stripe how a payment stands, and do it; False: overtaken. Raises `StripeFailed`."""
    try:
        told = await _ask(database, stripe, due)
    except errors.StripeFailed as fault:
        async with database.statement() as tx:
            await payments.fail(tx, due, str(fault))
        raise
    async with database.transaction() as tx:
        return await payments.conclude(tx, due, told)


async def _ask(database: Database, stripe: Stripe, due: Due) -> Told:
    if due.is_paid and due.intent_id is not None:
        return await _money(stripe, due.intent_id)
    if due.session_id is None:
        return Told(payments.OPEN)
    session = _read(await stripe.session(due.session_id), _Session)
    if session.client_reference_id != due.id:
        raise errors.StripeFailed(f"Stripe's session {session.id} is of another payment.")
    if session.status == "expired":
        return Told(payments.EXPIRED)
    if session.status != "complete" or session.payment_intent is None:
        return Told(payments.OPEN)
    # Before the intent is asked for: see `payments.learn`.
    async with database.statement() as tx:
        await payments.learn(tx, due, session.payment_intent)
    if session.payment_status == "paid":
        if (session.amount_total, session.currency) != (due.cents, due.currency):
            raise errors.StripeFailed(
                f"Paid were {session.amount_total} {session.currency}, not the {due.cents} "
                f"{due.currency} that were asked: no credits were given."
            )
        return await _money(stripe, session.payment_intent)
    # A bank that takes days: Stripe has the order, not the money.
    intent = _read(await stripe.intent(session.payment_intent), _Intent)
    is_lost = intent.status in ("requires_payment_method", "canceled")
    return Told(payments.FAILED if is_lost else payments.OPEN)


async def _money(stripe: Stripe, intent_id: str) -> Told:
    """What of a paid payment has gone back: refunds, and disputes that took money from us.

    Stripe lists what a dispute moved: it takes the money at first and, if it is won, gives it back.
    An inquiry moves nothing.
    """
    charge = _read(await stripe.intent(intent_id), _Intent).latest_charge
    if charge is None:
        raise errors.StripeFailed("Stripe says that it is paid, and names no charge.")
    disputes: list[_Dispute] = []
    if charge.disputed:
        disputes = _read(await stripe.disputes(intent_id), _Disputes).data
    return Told(
        payments.PAID,
        refunded_cents=charge.amount_refunded,
        disputed_cents=sum(
            one.amount
            for one in disputes
            if sum(movement.amount for movement in one.balance_transactions) < 0
        ),
        dispute=disputes[0].status if disputes else None,
    )


def read_event(event: Json) -> Heard:
    """Which payment a verified event is about; of one that is about none only its name is known."""
    try:
        read = msgspec.convert(event, _Event)
    except msgspec.ValidationError:
        return Heard(str(event.get("id")), str(event.get("type")), None, None, None)
    about = read.data.object
    is_session = about.object == "checkout.session"
    marked = (about.metadata or {}).get(_MARK)
    return Heard(
        read.id,
        read.type,
        payment_id=about.client_reference_id if is_session else marked,
        session_id=about.id if is_session else None,
        intent_id=about.payment_intent,
    )


def _read(answer: Json, shape: type[Shape]) -> Shape:
    try:
        return msgspec.convert(answer, shape)
    except msgspec.ValidationError as exc:
        raise errors.StripeFailed(f"Stripe answered something else: {exc}") from exc
