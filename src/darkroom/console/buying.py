"""Buying: from the button of a package to the credits, by Stripe or by the test checkout."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from starlette.responses import Response

from darkroom import errors
from darkroom.console.visit import Page, Visit
from darkroom.domain import accounts, packages, payments, purchases
from darkroom.domain.payments import Payment

_log = logging.getLogger(__name__)
# What a buyer who comes back waits at most for Stripe's word; the daemon goes on asking.
_ANSWER_SECONDS_MAX = 8.0
_PAUSE_SECONDS = 0.3


async def buy(visit: Visit) -> Response:
    """Open a payment for a package, and lead to where it is paid."""
    edge = visit.edge
    package = packages.get(edge.packages, (await visit.fields()).get("package", ""))
    if edge.stripe is None and not edge.config.test_checkout:
        raise errors.NotSold
    async with edge.database.transaction() as tx:
        payment = await payments.create(
            tx,
            visit.account_id,
            package,
            checkout="test" if edge.stripe is None else "stripe",
            is_test=edge.stripe is None or edge.stripe.is_test,
        )
    if edge.stripe is None:
        return visit.go(f"/api/pricing/test/{payment.id}")
    try:
        back_url = f"{visit.base_url}/api/pricing"
        await purchases.begin(edge.database, edge.stripe, payment, back_url)
    except errors.StripeFailed as fault:
        _log.error("%s: %s", payment.id, fault)
        raise errors.Unavailable(
            "The payment page cannot be opened right now. Nothing was charged: try again shortly."
        ) from fault
    return visit.go(f"/api/pricing/pay/{payment.id}")


async def leave(visit: Visit) -> Response:
    """Lead on to Stripe's page: by a page, since a form may not lead to another site."""
    payment = await _payment(visit)
    if payment.status != payments.OPEN or payment.checkout_url is None:
        return visit.go(f"/api/pricing/payments/{payment.id}")
    return visit.page("pricing/leaving.html", payment=payment)


async def show_test(visit: Visit) -> Response:
    """The test checkout."""
    payment = await _payment(visit)
    if payment.checkout != "test":
        raise errors.PaymentNotFound
    if payment.status != payments.OPEN:
        return visit.go(f"/api/pricing/payments/{payment.id}")
    return visit.page("pricing/test.html", payment=payment)


async def pay_test(visit: Visit) -> Response:
    """Pay at the test checkout, unless it was closed meanwhile."""
    if visit.edge.stripe is not None or not visit.edge.config.test_checkout:
        raise errors.NotSold("The test checkout is closed.")
    async with visit.edge.database.transaction() as tx:
        payment = await payments.pay_test(tx, visit.account_id, _id(visit))
    return visit.go(f"/api/pricing/paid/{payment.id}")


async def come_back(visit: Visit) -> Response:
    """Where a buyer comes back to: Stripe is asked at once, so that the credits are there."""
    payment = await _settled(visit)
    async with visit.edge.database.statement() as tx:
        account = await accounts.get(tx, visit.account_id)
    return visit.page("pricing/paid.html", payment=payment, account=account)


async def come_back_unpaid(visit: Visit) -> Response:
    """Where a buyer comes back to who changed their mind."""
    payment = await _payment(visit)
    if payment.status == payments.PAID:
        return visit.go(f"/api/pricing/paid/{payment.id}")
    return visit.page("pricing/left.html", payment=payment)


async def _settled(visit: Visit) -> Payment:
    """The payment, after Stripe has said how it stands, or as it is when that takes too long."""
    stripe = visit.edge.stripe
    payment = await _payment(visit)
    if stripe is None or payment.checkout_url is None:
        return payment
    with contextlib.suppress(TimeoutError, errors.StripeFailed):
        async with asyncio.timeout(_ANSWER_SECONDS_MAX):
            while payment.status == payments.OPEN:
                async with visit.edge.database.statement() as tx:
                    due = await payments.claim_one(tx, visit.account_id, payment.id)
                if due is None:
                    # Somebody looks already, the daemon or another tab.
                    await asyncio.sleep(_PAUSE_SECONDS)
                elif await purchases.look(visit.edge.database, stripe, due):
                    break
                payment = await _payment(visit)
    return await _payment(visit)


async def _payment(visit: Visit) -> Payment:
    async with visit.edge.database.statement() as tx:
        return await payments.get(tx, visit.account_id, _id(visit))


def _id(visit: Visit) -> str:
    return str(visit.request.path_params["payment_id"])


PAGES = (
    Page("POST", "/api/pricing/buy", buy),
    Page("GET", "/api/pricing/pay/{payment_id}", leave),
    Page("GET", "/api/pricing/test/{payment_id}", show_test),
    Page("POST", "/api/pricing/test/{payment_id}", pay_test),
    Page("GET", "/api/pricing/paid/{payment_id}", come_back),
    Page("GET", "/api/pricing/left/{payment_id}", come_back_unpaid),
)
