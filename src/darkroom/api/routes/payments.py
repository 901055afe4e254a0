"""Payments: where Stripe tells what happened to them."""

from __future__ import annotations

import logging
from typing import Any

from darkroom import errors
from darkroom.api import wire
from darkroom.api.call import Call, Route
from darkroom.domain import payments, purchases

_log = logging.getLogger(__name__)
_EVENT_BYTES_MAX = 2**20


async def hear(call: Call) -> Any:
    """Take an event; the answer is success once it is kept, or was kept before.

    The payment is looked at by the daemon: nothing that takes time is done here.
    """
    stripe = call.edge.stripe
    if stripe is None or not stripe.hears:
        raise errors.RouteNotFound(
            "This server takes no events: DARKROOM_STRIPE_KEY or DARKROOM_STRIPE_WEBHOOK_SECRET "
            "is not set."
        )
    body = await wire.read_bytes(call.request, _EVENT_BYTES_MAX)
    event = stripe.event(body, call.request.headers.get("stripe-signature"))
    heard = purchases.read_event(event)
    async with call.edge.database.statement() as tx:
        is_news = await payments.hear(tx, heard)
    _log.info("Stripe told %s %s%s", heard.type, heard.event_id, "" if is_news else ", no news")
    return {"received": True}


ROUTES = (
    Route(
        "POST",
        "/stripe/events",
        hear,
        "Take an event that Stripe signed, about a payment.",
        (errors.RouteNotFound, errors.SignatureRefused, errors.BodyTooLarge),
        needs_key=False,
    ),
)
