"""localstripe with what it lacks, after Stripe's public API: Checkout Sessions and disputes.

Run as a process; it prints its address. Beside the API it takes, without a key as all that stands
under `/_config`, what no API can do: a buyer pays on the session's page, a bank disputes, the
weather makes Stripe fail, and an event is told. Events are in `GET /v1/events`, and go to the
addresses of `/_config/webhooks`, as localstripe has it.
"""

from __future__ import annotations

import socket
import sys
import time
from typing import Any

from aiohttp import web
from localstripe import resources, server
from localstripe.errors import UserError
from localstripe.resources import Charge, Event, PaymentIntent, PaymentMethod, StripeObject

CARDS = {"visa": "4242424242424242", "declined": "4000000000000341"}
IBANS = {"sepa": "DE89370400440532013000", "sepa declined": "DE62370400440532013001"}


def say(kind: str, about: StripeObject) -> Event:
    """An event, kept and on its way to whoever is registered."""
    event = Event(kind, about)
    resources.schedule_webhook(event)
    return event


class CheckoutSession(StripeObject):
    """https://docs.stripe.com/api/checkout/sessions, as far as one payment needs it."""

    object = "checkout.session"
    _id_prefix = "cs_test_"

    def __init__(self, **given: Any) -> None:
        if given.get("mode") != "payment" or not given.get("success_url", "").startswith("http"):
            raise UserError(400, "Bad request")
        expires_at = int(given.get("expires_at", time.time() + 86_400))
        if not 1_800 - 60 <= expires_at - time.time() <= 86_400:
            raise UserError(400, "expires_at must be 30 minutes to 24 hours from now.")
        [line] = given["line_items"]
        super().__init__()
        self.mode = "payment"
        self.amount_total = int(line["price_data"]["unit_amount"]) * int(line["quantity"])
        self.currency = line["price_data"]["currency"]
        self.client_reference_id = given.get("client_reference_id")
        self.metadata = given.get("metadata", {})
        self.success_url, self.cancel_url = given["success_url"], given.get("cancel_url")
        self.expires_at = expires_at
        self.customer_email = given.get("customer_email")
        self.url = f"{ADDRESS}/_config/buyer/{self.id}"
        self.payment_intent: str | None = None
        self._intent_metadata = given.get("payment_intent_data", {}).get("metadata", {})
        self._is_expired = False

    @property
    def status(self) -> str:
        if self.payment_intent is not None:
            return "complete"
        return "expired" if self._is_expired else "open"

    @property
    def payment_status(self) -> str:
        if self.payment_intent is None:
            return "unpaid"
        intent = PaymentIntent._api_retrieve(self.payment_intent)
        return "paid" if intent.status == "succeeded" else "unpaid"

    def _pay(self, means: str) -> None:
        """What happens when the buyer presses the button."""
        if self.status != "open":
            raise UserError(400, "This session is not open.")
        if means in CARDS:
            card = {"number": CARDS[means], "exp_month": 12, "exp_year": 2040, "cvc": "123"}
            method = PaymentMethod(type="card", card=card)
        else:
            method = PaymentMethod(type="sepa_debit", sepa_debit={"iban": IBANS[means]})
        intent = PaymentIntent(
            amount=self.amount_total,
            currency=self.currency,
            payment_method=method.id,
            metadata=self._intent_metadata,
        )
        PaymentIntent._api_confirm(intent.id)
        intent.latest_charge.metadata = dict(intent.metadata)
        intent.latest_charge.payment_intent = intent.id
        if intent.status == "requires_payment_method":
            raise UserError(402, "Your card was declined.")
        self.payment_intent = intent.id
        say("checkout.session.completed", self)


class Dispute(StripeObject):
    """https://docs.stripe.com/api/disputes: money is taken at once, and comes back if it is won."""

    object = "dispute"
    _id_prefix = "du_"

    def __init__(self, payment_intent: str, amount: int, *, is_inquiry: bool) -> None:
        intent = PaymentIntent._api_retrieve(payment_intent)
        super().__init__()
        self.payment_intent = payment_intent
        self.charge = intent.latest_charge.id
        self.amount, self.currency = amount, intent.currency
        self.status = "warning_needs_response" if is_inquiry else "needs_response"
        self.balance_transactions = [] if is_inquiry else [{"amount": -amount}]
        say("charge.dispute.created", self)

    def _close(self, status: str) -> None:
        """The bank decided."""
        self.status = status
        if status == "won":
            self.balance_transactions = [{"amount": -self.amount}, {"amount": self.amount}]
        say("charge.dispute.closed", self)

    @classmethod
    def _api_list_all(cls, url: str, payment_intent: str | None = None, **kwargs: Any) -> Any:
        found = super()._api_list_all(url, **kwargs)
        found._list = [one for one in found._list if one.payment_intent == payment_intent]
        return found


def is_disputed(charge: Charge) -> bool:
    key = Dispute.object + ":"
    every = [one for name, one in resources.store.items() if name.startswith(key)]
    return any(one.charge == charge.id for one in every)


Charge.disputed = property(is_disputed)
FAILING: dict[str, int] = {}  # how many requests of a method still fail
BY_KEY: dict[str, CheckoutSession] = {}


@web.middleware
async def weather(request: web.Request, handler: Any) -> web.StreamResponse:
    if FAILING.get(request.method) and request.path.startswith("/v1/"):
        FAILING[request.method] -= 1
        raise web.HTTPInternalServerError
    return await handler(request)


async def create_session(request: web.Request) -> web.Response:
    data = await server.get_post_data(request)
    key = request.headers["Idempotency-Key"]
    if key not in BY_KEY:
        BY_KEY[key] = CheckoutSession(**data)
    return server.json_response(BY_KEY[key]._export())


async def visit_page(request: web.Request) -> web.Response:
    session = CheckoutSession._api_retrieve(request.match_info["id"])
    form = f'<form method="post" action="{session.url}"><button>Pay</button></form>'
    back = f'<a href="{session.cancel_url}">Back</a>'
    return web.Response(text=form + back, content_type="text/html")


async def pay(request: web.Request) -> web.Response:
    session = CheckoutSession._api_retrieve(request.match_info["id"])
    data = await request.post()
    session._pay(str(data.get("means", "visa")))
    raise web.HTTPSeeOther(session.success_url)


async def expire(request: web.Request) -> web.Response:
    session = CheckoutSession._api_retrieve(request.match_info["id"])
    session._is_expired = True
    say("checkout.session.expired", session)
    return server.json_response(session._export())


async def dispute(request: web.Request) -> web.Response:
    data = await request.post()
    is_inquiry = data.get("inquiry") == "yes"
    made = Dispute(str(data["payment_intent"]), int(str(data["amount"])), is_inquiry=is_inquiry)
    return server.json_response(made._export())


async def close(request: web.Request) -> web.Response:
    data = await request.post()
    one = Dispute._api_retrieve(request.match_info["id"])
    one._close(str(data["status"]))
    return server.json_response(one._export())


async def tell(request: web.Request) -> web.Response:
    about = StripeObject._get_class_for_id(request.match_info["id"])
    event = say(request.match_info["type"], about._api_retrieve(request.match_info["id"]))
    return server.json_response(event._export())


async def fail(request: web.Request) -> web.Response:
    FAILING[request.match_info["method"]] = int(request.match_info["count"])
    return web.Response()


def main() -> None:
    app = server.app
    app.middlewares.insert(0, weather)
    for method, path, handler in (
        ("POST", "/v1/checkout/sessions", create_session),
        ("POST", "/v1/checkout/sessions/{id}/expire", expire),
        ("GET", "/v1/disputes", server.api_list_all(Dispute, "/v1/disputes")),
        ("GET", "/v1/checkout/sessions/{id}", server.api_retrieve(CheckoutSession, "")),
        ("GET", "/_config/buyer/{id}", visit_page),
        ("POST", "/_config/buyer/{id}", pay),
        ("POST", "/_config/bank/disputes", dispute),
        ("POST", "/_config/bank/disputes/{id}", close),
        ("POST", "/_config/tell/{type}/{id}", tell),
        ("POST", "/_config/weather/{method}/{count}", fail),
    ):
        app.router.add_route(method, path, handler)
    web.run_app(app, sock=LISTENING, print=None)


# It keeps nothing on the disk.
resources.store.dump_to_disk = lambda: None
LISTENING = socket.create_server(("127.0.0.1", 0))
ADDRESS = f"http://127.0.0.1:{LISTENING.getsockname()[1]}"

if __name__ == "__main__":
    print(ADDRESS, flush=True)
    sys.exit(main())
