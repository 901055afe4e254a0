"""Purchases over the official library and a real server: late, twice, out of order, never."""

from __future__ import annotations

import psycopg
import pytest

from darkroom import errors, ids
from darkroom.domain import accounts, ledger, payments, purchases
from darkroom.domain.packages import Package
from darkroom.engine import reconcile
from darkroom.stripe_checkout import StripeCheckout
from stripes import KEY, SECRET

# The library hands its body to httpx in a way that httpx does not like any more.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

TEN = Package("ten", "Ten", 1_000, 100_000, 0)
BACK = "http://darkroom.example/api/pricing"


class Shop:
    """One account that buys from one Stripe, over a database."""

    def __init__(self, database, ground, account_id, stripe_server):
        self.database, self.ground, self.account_id = database, ground, account_id
        self.server = stripe_server
        self.stripe = StripeCheckout(KEY, SECRET, stripe_server.address)

    async def open(self):
        """A payment as a row, of which Stripe knows nothing yet."""
        async with self.database.transaction() as tx:
            return await payments.create(
                tx, self.account_id, TEN, checkout="stripe", is_test=self.stripe.is_test
            )

    async def order(self):
        """A payment with a session at Stripe; the payment, and the session's id."""
        payment = await self.open()
        url = await purchases.begin(self.database, self.stripe, payment, BACK)
        return payment, url.rpartition("/")[2]

    async def buy(self, means="visa"):
        """A payment that is paid; the credits came because we looked."""
        payment, session_id = await self.order()
        self.server.pay(session_id, means)
        await self.look(payment)
        return payment

    async def look(self, payment):
        """The look of a moment at which it is due."""
        with psycopg.connect(self.ground.conninfo) as connection:
            connection.execute("UPDATE payments SET look_at = now() WHERE id = %s", [payment.id])
        await reconcile.look_at_payments(self.database, self.stripe)

    async def hear(self, event):
        """An event comes, and the daemon goes its rounds."""
        async with self.database.statement() as tx:
            news = await payments.hear(tx, purchases.read_event(event))
        await reconcile.look_at_payments(self.database, self.stripe)
        await reconcile.collect_debts(self.database)
        return news

    def intent(self, payment):
        """The id of what took the money."""
        with psycopg.connect(self.ground.conninfo) as connection:
            query = "SELECT intent_id FROM payments WHERE id = %s"
            return connection.execute(query, [payment.id]).fetchone()[0]

    async def spend(self, amount):
        """Credits that are gone for good."""
        hold = ids.new("task")
        async with self.database.transaction() as tx:
            await ledger.hold(tx, [ledger.Hold(hold, self.account_id, amount * 1000)])
        async with self.database.transaction() as tx:
            await ledger.settle(tx, hold, amount * 1000)

    async def standing(self, payment):
        """The status, and what the account has and owes in credits."""
        async with self.database.statement() as tx:
            one = await payments.get(tx, self.account_id, payment.id)
            account = await accounts.get(tx, self.account_id)
            owed = await payments.owed(tx, self.account_id)
        return one.status, account.available_mill / 1000, owed / 1000


@pytest.fixture
def shop(ground, stripe_server):
    """Run a story of a shop whose buyer has no credits yet."""
    account = ground.account(credits_given=0)

    def run(story):
        async def told(database):
            one = Shop(database, ground, account.id, stripe_server)
            try:
                return await story(one)
            finally:
                await one.stripe.close()

        return ground.run(told)

    return run


def test_credits_come_though_stripe_never_tells(shop):
    async def story(shop):
        payment, session_id = await shop.order()
        await shop.look(payment)
        before = await shop.standing(payment)
        shop.server.pay(session_id)
        await shop.look(payment)
        await shop.look(payment)
        return before, await shop.standing(payment)

    assert shop(story) == (("open", 0, 0), ("paid", 100, 0))


def test_an_event_that_comes_many_times_gives_the_credits_once(shop):
    async def story(shop):
        payment, session_id = await shop.order()
        shop.server.pay(session_id)
        [event] = shop.server.events(session_id)
        news = [await shop.hear(event) for _ in range(3)]
        return news, await shop.standing(payment)

    assert shop(story) == ([True, False, False], ("paid", 100, 0))


def test_an_event_that_comes_before_the_answer_to_create_gives_the_credits(shop):
    async def story(shop):
        payment = await shop.open()
        parameters = purchases.session_parameters(payment, BACK)
        session = await shop.stripe.create_session(parameters, payment.id)
        shop.server.pay(session["id"])
        [event] = shop.server.events(session["id"])
        await shop.hear(event)
        paid = await shop.standing(payment)
        async with shop.database.statement() as tx:
            await payments.begin(tx, payment.id, session["id"], session["url"])
        return paid, await shop.standing(payment)

    paid = ("paid", 100, 0)
    assert shop(story) == (paid, paid)


def test_a_crash_between_the_row_and_the_answer_leaves_what_can_be_taken_up_again(shop):
    async def story(shop):
        payment = await shop.open()
        parameters = purchases.session_parameters(payment, BACK)
        lost = await shop.stripe.create_session(parameters, payment.id)
        url = await purchases.begin(shop.database, shop.stripe, payment, BACK)
        return lost["url"] == url, await shop.standing(payment)

    assert shop(story) == (True, ("open", 0, 0))


def test_a_crash_before_stripe_heard_of_it_ends_as_expired(shop):
    async def story(shop):
        payment = await shop.open()
        with psycopg.connect(shop.ground.conninfo) as connection:
            connection.execute("UPDATE payments SET created_at = now() - interval '3 h'")
        async with shop.database.statement() as tx:
            await payments.expire(tx)
        return await shop.standing(payment)

    assert shop(story) == ("expired", 0, 0)


def test_a_refund_that_is_told_before_the_payment_is_known_is_done(shop):
    async def story(shop):
        payment, session_id = await shop.order()
        shop.server.pay(session_id)
        session = await shop.stripe.session(session_id)
        refund = shop.server.refund(session["payment_intent"], 400)
        [completed] = shop.server.events(session_id)
        await shop.hear(refund)
        await shop.hear(completed)
        return await shop.standing(payment)

    assert shop(story) == ("paid", 60, 0)


def test_refunds_in_parts_take_the_credits_in_parts(shop):
    async def story(shop):
        payment = await shop.buy()
        seen = []
        for cents in (250, 250, 500):
            event = shop.server.refund(shop.intent(payment), cents)
            await shop.hear(event)
            await shop.hear(event)
            seen.append(await shop.standing(payment))
        return seen

    assert shop(story) == [("paid", 75, 0), ("paid", 50, 0), ("paid", 0, 0)]


def test_a_refund_of_credits_that_are_spent_is_owed_and_taken_from_the_next_grant(shop):
    async def story(shop):
        payment = await shop.buy()
        await shop.spend(80)
        await shop.hear(shop.server.refund(shop.intent(payment)))
        owing = await shop.standing(payment)
        async with shop.database.transaction() as tx:
            await ledger.grant(tx, shop.account_id, 100_000, None)
        await reconcile.collect_debts(shop.database)
        return owing, await shop.standing(payment)

    assert shop(story) == (("paid", 0, 80), ("paid", 20, 0))


def test_a_refund_that_nobody_told_is_found_within_a_day(shop):
    async def story(shop):
        payment = await shop.buy()
        shop.server.refund(shop.intent(payment))
        with psycopg.connect(shop.ground.conninfo) as connection:
            [seconds] = connection.execute(
                "SELECT extract(epoch FROM look_at - now()) FROM payments"
            ).fetchone()
        await shop.look(payment)
        return 0 < seconds <= 86_400, await shop.standing(payment)

    assert shop(story) == (True, ("paid", 0, 0))


@pytest.mark.parametrize(("verdict", "left"), [("won", 100), ("lost", 40)])
def test_a_dispute_takes_the_credits_until_it_is_won(shop, verdict, left):
    async def story(shop):
        payment = await shop.buy()
        intent = shop.intent(payment)
        dispute = shop.server.do("bank/disputes", payment_intent=intent, amount=600)
        *_, created = shop.server.events(dispute["id"])
        await shop.hear(created)
        disputed = await shop.standing(payment)
        shop.server.do(f"bank/disputes/{dispute['id']}", status=verdict)
        *_, closed = shop.server.events(dispute["id"])
        await shop.hear(closed)
        # What comes late changes nothing.
        await shop.hear({**created, "id": "evt_late"})
        return disputed, await shop.standing(payment)

    assert shop(story) == (("paid", 40, 0), ("paid", left, 0))


def test_an_inquiry_takes_nothing(shop):
    async def story(shop):
        payment = await shop.buy()
        dispute = shop.server.do(
            "bank/disputes", payment_intent=shop.intent(payment), amount=1_000, inquiry="yes"
        )
        *_, created = shop.server.events(dispute["id"])
        await shop.hear(created)
        return await shop.standing(payment)

    assert shop(story) == ("paid", 100, 0)


def test_a_session_that_expired_ends_the_payment(shop):
    async def story(shop):
        payment, session_id = await shop.order()
        shop.server.client.v1.checkout.sessions.expire(session_id)
        [event] = shop.server.events(session_id)
        await shop.hear(event)
        return await shop.standing(payment)

    assert shop(story) == ("expired", 0, 0)


@pytest.mark.parametrize(
    ("means", "end"), [("sepa", ("paid", 100)), ("sepa declined", ("failed", 0))]
)
def test_a_bank_that_takes_its_time_gives_credits_when_the_money_came(shop, means, end):
    async def story(shop):
        payment, session_id = await shop.order()
        shop.server.pay(session_id, means)
        await shop.look(payment)
        waiting = await shop.standing(payment)
        for _ in range(1_000):
            await shop.look(payment)
            status, available, _ = await shop.standing(payment)
            if status != "open":
                break
        return waiting, (status, available)

    assert shop(story) == (("open", 0, 0), end)


def test_a_stripe_that_fails_loses_nothing_and_says_so(shop):
    async def story(shop):
        payment, session_id = await shop.order()
        shop.server.pay(session_id)
        # The library tries three times.
        shop.server.do("weather/GET/3")
        await shop.look(payment)
        async with shop.database.statement() as tx:
            note = (await payments.get(tx, shop.account_id, payment.id)).note
        await shop.look(payment)
        return note[:7], await shop.standing(payment)

    assert shop(story) == ("Stripe:", ("paid", 100, 0))


def test_a_sum_that_is_not_what_was_asked_gives_no_credits_and_says_so(shop):
    async def story(shop):
        payment, session_id = await shop.order()
        with psycopg.connect(shop.ground.conninfo) as connection:
            connection.execute("UPDATE payments SET cents = cents + 1")
        shop.server.pay(session_id)
        await shop.look(payment)
        async with shop.database.statement() as tx:
            note = (await payments.get(tx, shop.account_id, payment.id)).note
        return note, await shop.standing(payment)

    said = "Paid were 1000 usd, not the 1001 usd that were asked: no credits were given."
    assert shop(story) == (said, ("open", 0, 0))


def test_a_session_of_another_payment_gives_no_credits(shop):
    async def story(shop):
        payment, session_id = await shop.order()
        stolen = await shop.open()
        shop.server.pay(session_id)
        with psycopg.connect(shop.ground.conninfo) as connection:
            connection.execute("UPDATE payments SET session_id = NULL WHERE id = %s", [payment.id])
            connection.execute(
                "UPDATE payments SET session_id = %s WHERE id = %s", [session_id, stolen.id]
            )
        await shop.look(stolen)
        return await shop.standing(stolen)

    assert shop(story) == ("open", 0, 0)


def test_a_session_that_stripe_does_not_open_is_a_fault_and_leaves_the_row(shop):
    async def story(shop):
        payment = await shop.open()
        shop.server.do("weather/POST/3")
        with pytest.raises(errors.StripeFailed):
            await purchases.begin(shop.database, shop.stripe, payment, BACK)
        return await shop.standing(payment)

    assert shop(story) == ("open", 0, 0)


@pytest.mark.parametrize(
    "event",
    [
        {"id": "evt_1", "type": "invoice.paid", "data": {"object": {"id": "in_1"}}},
        {"id": "evt_2", "type": "odd", "data": []},
        {"id": "evt_3", "type": "odd"},
        {"id": "evt_4", "type": "v", "data": {"object": {"metadata": {"darkroom_payment": "?"}}}},
    ],
)
def test_an_event_about_something_else_is_kept_and_changes_nothing(shop, event):
    async def story(shop):
        payment = await shop.buy()
        return await shop.hear(event), await shop.standing(payment)

    assert shop(story) == (False, ("paid", 100, 0))
