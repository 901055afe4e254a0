"""Events of Stripe's at a real server: signed, kept before they are answered, and acted on."""

from __future__ import annotations

import json
import time

import httpx
import psycopg
import pytest

from darkroom import ids
from darkroom.domain import accounts, payments, purchases
from darkroom.domain.packages import Package
from darkroom.stripe_checkout import StripeCheckout
from ground import wait_until
from stripes import KEY, SECRET, signed

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

TEN = Package("ten", "Ten", 1_000, 100_000, 0)


@pytest.fixture
def paid(shop, stripe_server):
    """A payment that was paid at Stripe and of which nobody told, and the session's event."""
    ground = shop.ground
    account = ground.account(credits_given=0)

    async def story(database):
        stripe = StripeCheckout(KEY, SECRET, stripe_server.address)
        async with database.transaction() as tx:
            made = await payments.create(tx, account.id, TEN, checkout="stripe", is_test=True)
        session = await stripe.create_session(
            purchases.session_parameters(made, "http://darkroom.example/api/pricing"), made.id
        )
        await stripe.close()
        return made, session["id"]

    payment, session_id = ground.run(story)
    stripe_server.pay(session_id)
    [event] = stripe_server.events(session_id)
    return payment, json.dumps(event).encode()


def _credits(ground, account_id):
    async def story(database):
        async with database.statement() as tx:
            return (await accounts.get(tx, account_id)).available_mill / 1000

    return ground.run(story)


def test_credits_are_there_soon_after_the_event_however_often_it_comes(shop, paid):
    ground = shop.ground
    payment, body = paid
    for _ in range(3):
        answer = httpx.post(f"{shop.url}/stripe/events", content=body, headers=signed(body))
        assert answer.status_code == 200, answer.text
    wait_until(lambda: _credits(ground, payment.account_id) == 100, what="the purchase")


def test_localstripe_s_own_delivery_arrives(shop, stripe_server, paid):
    """The double signs and sends by itself too; not only what these tests sign."""
    ground = shop.ground
    payment, body = paid
    hook = {"url": f"{shop.url}/stripe/events", "secret": SECRET}
    httpx.post(f"{stripe_server.address}/_config/webhooks/shop", json=hook).raise_for_status()
    session_id = json.loads(body)["data"]["object"]["id"]
    stripe_server.do(f"tell/checkout.session.completed/{session_id}")
    wait_until(lambda: _credits(ground, payment.account_id) == 100, what="the purchase")


@pytest.mark.parametrize("fault", ["secret", "old", "body", "none", "odd"])
def test_an_event_that_stripe_did_not_sign_changes_nothing(shop, paid, fault):
    ground = shop.ground
    _, body = paid
    headers = {
        "secret": signed(body, "whsec_other"),
        "old": signed(body, timestamp=int(time.time()) - 600),
        "body": signed(body + b" "),
        "none": {},
        "odd": {"Stripe-Signature": "t=x,v1=y"},
    }[fault]
    answer = httpx.post(f"{shop.url}/stripe/events", content=body, headers=headers)
    assert answer.status_code == 400
    assert "signature" in answer.json()["message"]
    with psycopg.connect(ground.conninfo) as connection:
        event = json.loads(body)["id"]
        assert not connection.execute(
            "SELECT 1 FROM stripe_events WHERE id = %s", [event]
        ).fetchall()


@pytest.mark.parametrize("text", ["[]", "{}", '{"id": 3}', '{"id": "e", "type": "x", "data": 0}'])
def test_a_signed_event_of_an_unknown_kind_is_taken(shop, text):
    body = text.encode()
    answer = httpx.post(f"{shop.url}/stripe/events", content=body, headers=signed(body))
    assert answer.status_code == (400 if text == "[]" else 200)


def test_an_event_that_is_too_large_is_refused(shop):
    body = b"x" * (2**20 + 1)
    answer = httpx.post(f"{shop.url}/stripe/events", content=body, headers=signed(body))
    assert answer.status_code == 413


def test_a_server_without_a_stripe_key_takes_no_events(server):
    body = json.dumps({"id": ids.new("evt"), "type": "x"}).encode()
    answer = httpx.post(f"{server.url}/stripe/events", content=body, headers=signed(body))
    assert answer.status_code == 404
