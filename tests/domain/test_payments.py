"""Payments: credits once, however often and in whatever order they are told; races included."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from buying import TEN, bought, look, standing, told, went_back

from darkroom import errors
from darkroom.domain import ledger, payments
from ground import Ground


def test_a_payment_gives_its_credits_once_however_often_it_is_told(ground):
    account = ground.account(credits_given=0)

    async def story(database):
        due = await bought(database, account.id)
        for _ in range(3):
            await told(database, await look(database, account.id, due.id), payments.PAID)
        return await standing(database, due)

    assert ground.run(story) == (100, 0)


def test_tellers_racing_on_a_payment_pay_it_once(ground):
    account = ground.account(credits_given=0)

    async def story(database):
        async with database.transaction() as tx:
            made = await payments.create(tx, account.id, TEN, checkout="stripe", is_test=False)
            await payments.begin(tx, made.id, "cs_1", "https://pay.example")
        due = await look(database, account.id, made.id)
        done = await asyncio.gather(*(told(database, due) for _ in range(20)))
        return done.count(True), await standing(database, due)

    assert ground.run(story) == (20, (100, 0))


def test_test_checkout_pays_once_when_it_is_pressed_many_times(ground):
    account = ground.account(credits_given=0)

    async def press(database, payment_id):
        async with database.transaction() as tx:
            return await payments.pay_test(tx, account.id, payment_id)

    async def story(database):
        async with database.transaction() as tx:
            made = await payments.create(tx, account.id, TEN, checkout="test", is_test=True)
        pressed = await asyncio.gather(*(press(database, made.id) for _ in range(10)))
        async with database.statement() as tx:
            [entry] = await ledger.entries(tx, account.id)
        return {one.receipt for one in pressed}, entry.note, entry.available_mill

    assert ground.run(story) == ({"TEST-000001"}, "Test payment: Ten", 100_000)


def test_a_payment_of_stripe_s_is_not_paid_at_the_test_checkout(ground):
    account = ground.account(credits_given=0)

    async def story(database):
        async with database.transaction() as tx:
            made = await payments.create(tx, account.id, TEN, checkout="stripe", is_test=True)
            await payments.pay_test(tx, account.id, made.id)

    with pytest.raises(errors.PaymentNotFound):
        ground.run(story)


def test_another_account_s_payment_is_not_found(ground):
    mine, other = ground.account(), ground.account()

    async def story(database):
        async with database.transaction() as tx:
            made = await payments.create(tx, mine.id, TEN, checkout="stripe", is_test=False)
            await payments.begin(tx, made.id, "cs_1", "https://pay.example")
            assert await payments.claim_one(tx, other.id, made.id) is None
            assert await payments.claim_one(tx, mine.id, made.id) is not None
            await payments.get(tx, other.id, made.id)

    with pytest.raises(errors.PaymentNotFound):
        ground.run(story)


def test_an_answer_that_was_asked_for_before_something_happened_is_dropped(ground):
    account = ground.account(credits_given=0)

    async def story(database):
        due = await bought(database, account.id)
        early = await look(database, account.id, due.id)
        await went_back(database, due, refunded=1_000)
        is_ours = await told(database, early, refunded=0)
        return is_ours, await standing(database, due)

    assert ground.run(story) == (False, (0, 0))


def test_a_payment_that_was_given_up_is_paid_when_it_is_paid_after_all(ground):
    account = ground.account(credits_given=0)

    async def story(database):
        async with database.transaction() as tx:
            made = await payments.create(tx, account.id, TEN, checkout="stripe", is_test=False)
        for status in (payments.EXPIRED, payments.FAILED, payments.PAID):
            due = await look(database, account.id, made.id)
            await told(database, due, status)
        # What is paid does not become anything else again.
        await told(database, await look(database, account.id, made.id), payments.EXPIRED)
        async with database.statement() as tx:
            return (await payments.get(tx, account.id, made.id)).status

    assert ground.run(story) == "paid"


def test_an_event_that_was_heard_before_changes_nothing(ground):
    account = ground.account(credits_given=0)

    async def story(database):
        async with database.transaction() as tx:
            made = await payments.create(tx, account.id, TEN, checkout="stripe", is_test=False)
            heard = payments.Heard("evt_1", "a.test", made.id, "cs_1", None)
            news = [await payments.hear(tx, heard) for _ in range(3)]
            claimed = [len(await payments.claim(tx, rows_max=9)) for _ in range(2)]
            stranger = payments.Heard("evt_2", "a.test", "pay_of_others", "cs_2", "pi_2")
            return news, claimed, await payments.hear(tx, stranger)

    assert ground.run(story) == ([True, False, False], [1, 0], False)


def test_looks_that_bring_nothing_come_ever_more_seldom(ground):
    account = ground.account(credits_given=0)
    pauses = []

    async def story(database):
        async with database.transaction() as tx:
            made = await payments.create(tx, account.id, TEN, checkout="stripe", is_test=False)
            await payments.begin(tx, made.id, "cs_1", "https://pay.example")
        for _ in range(6):
            with psycopg.connect(ground.conninfo) as connection:
                pauses.append(
                    connection.execute(
                        "UPDATE payments SET look_at = now() - interval '1 s' RETURNING looks"
                    ).fetchone()[0]
                )
            async with database.statement() as tx:
                await payments.claim(tx, rows_max=1)
            with psycopg.connect(ground.conninfo) as connection:
                [minutes] = connection.execute(
                    "SELECT extract(epoch FROM look_at - looked_at) / 60 FROM payments"
                ).fetchone()
            pauses[-1] = float(minutes)

    ground.run(story)
    assert pauses == [1, 2, 4, 8, 10, 10]


def test_receipts_are_numbered_without_gaps_when_purchases_race_and_break(ground):
    buyers = [ground.account(credits_given=0) for _ in range(8)]

    async def buy(database, account_id, *, breaks):
        async with database.transaction() as tx:
            made = await payments.create(tx, account_id, TEN, checkout="test", is_test=True)
        try:
            async with database.transaction() as tx:
                await payments.pay_test(tx, account_id, made.id)
                if breaks:
                    raise errors.Unavailable
        except errors.Unavailable:
            return None
        async with database.statement() as tx:
            return (await payments.get(tx, account_id, made.id)).receipt_number

    async def story(database):
        return await asyncio.gather(
            *(buy(database, one.id, breaks=n % 3 == 0) for n, one in enumerate(buyers * 3))
        )

    numbers = sorted(one for one in ground.run(story) if one is not None)
    assert numbers == list(range(1, 17))


def test_an_account_may_have_so_many_open_payments_and_no_more(ground):
    account = ground.account()

    async def story(database):
        for _ in range(payments.OPEN_MAX + 1):
            async with database.transaction() as tx:
                await payments.create(tx, account.id, TEN, checkout="test", is_test=True)

    with pytest.raises(errors.RateLimited, match="try again in two hours"):
        ground.run(story)


def test_a_payment_that_nobody_went_on_with_expires(ground):
    account = ground.account()

    async def story(database):
        async with database.transaction() as tx:
            made = await payments.create(tx, account.id, TEN, checkout="test", is_test=True)
            await payments.expire(tx)
            fresh = await payments.get(tx, account.id, made.id)
        with psycopg.connect(ground.conninfo) as connection:
            connection.execute("UPDATE payments SET created_at = now() - interval '3 h'")
        async with database.transaction() as tx:
            await payments.expire(tx)
            return fresh.status, (await payments.get(tx, account.id, made.id)).status

    assert ground.run(story) == ("open", "expired")


TAMPERINGS = {
    "every payment bought its credits once": [
        "UPDATE payments SET mill = mill + 1",
        "UPDATE payments SET refunded_cents = 1000, taken_mill = 100000",
        "UPDATE payments SET status = 'open', paid_at = NULL, receipt_number = NULL",
    ],
    "receipts are numbered without gaps": [
        "UPDATE payments SET receipt_number = 7",
        "UPDATE receipt_series SET last = last + 1 WHERE NOT is_test",
    ],
}


@pytest.mark.parametrize(
    ("check", "change"), [(check, one) for check, every in TAMPERINGS.items() for one in every]
)
def test_the_audit_sees_a_payment_that_was_tampered_with(database_conninfo, check, change):
    ground = Ground(database_conninfo)
    account = ground.account(credits_given=0)
    ground.run(lambda database: bought(database, account.id))
    assert ground.audit() == []
    with psycopg.connect(database_conninfo) as connection:
        connection.execute(change)
    assert check in {finding.check for finding in ground.audit()}


def test_the_schema_refuses_a_second_purchase_of_a_payment(ground):
    account = ground.account(credits_given=0)
    ground.run(lambda database: bought(database, account.id))
    with (
        psycopg.connect(ground.conninfo) as connection,
        pytest.raises(psycopg.errors.UniqueViolation),
    ):
        connection.execute(
            "INSERT INTO ledger_entries (account_id, type, available_mill, held_mill,"
            " system_account, system_mill, payment_id) SELECT account_id, type, available_mill,"
            " held_mill, system_account, system_mill, payment_id FROM ledger_entries"
        )
