"""Credits taken back when money goes back: in proportion, owed where they are spent."""

from __future__ import annotations

import pytest
from buying import bought, spend, standing, went_back

from darkroom.domain import ledger, payments
from darkroom.domain.packages import Package


@pytest.mark.parametrize(
    ("refunded", "available"), [(0, 100), (1, 99.9), (333, 66.7), (999, 0.1), (1_000, 0)]
)
def test_a_refund_takes_credits_in_proportion(ground, refunded, available):
    account = ground.account(credits_given=0)

    async def story(database):
        due = await bought(database, account.id)
        await went_back(database, due, refunded=refunded)
        return await standing(database, due)

    assert ground.run(story) == (available, 0)


def test_parts_of_a_mill_stay_with_the_buyer(ground):
    account = ground.account(credits_given=0)

    async def story(database):
        due = await bought(database, account.id, Package("odd", "Odd", 300, 1_000, 0))
        await went_back(database, due, refunded=100)
        return await standing(database, due)

    assert ground.run(story) == (0.667, 0)


def test_refunds_add_up_and_never_take_more_than_was_bought(ground):
    account = ground.account(credits_given=0)

    async def story(database):
        due = await bought(database, account.id)
        seen = []
        for cents in (400, 700, 700, 1_000, 5_000):
            await went_back(database, due, refunded=cents)
            seen.append((await standing(database, due))[0])
        return seen

    assert ground.run(story) == [60, 30, 30, 0, 0]


def test_a_refund_that_failed_gives_the_credits_again(ground):
    account = ground.account(credits_given=0)

    async def story(database):
        due = await bought(database, account.id)
        await went_back(database, due, refunded=400)
        await went_back(database, due, refunded=0)
        async with database.statement() as tx:
            entries = await ledger.entries(tx, account.id)
        return await standing(database, due), [one.type for one in entries]

    assert ground.run(story) == ((100, 0), ["purchase", "reversal", "reinstatement"])


def test_credits_that_are_spent_are_owed_and_the_balance_stays_at_zero(ground):
    account = ground.account(credits_given=0)

    async def story(database):
        due = await bought(database, account.id)
        await spend(database, account.id, 70)
        await went_back(database, due, refunded=1_000)
        return await standing(database, due)

    assert ground.run(story) == (0, 70)


def test_held_credits_are_not_touched_and_taken_when_they_come_back(ground):
    account = ground.account(credits_given=0)

    async def story(database):
        due = await bought(database, account.id)
        async with database.transaction() as tx:
            await ledger.hold(tx, [ledger.Hold("task_x", account.id, 60_000)])
        await went_back(database, due, refunded=1_000)
        before = await standing(database, due)
        async with database.transaction() as tx:
            await ledger.refund(tx, "task_x")
        async with database.transaction() as tx:
            assert await payments.find_owing(tx) == [account.id]
            await payments.collect(tx, account.id)
            assert await payments.find_owing(tx) == []
        return before, await standing(database, due)

    assert ground.run(story) == ((0, 60), (0, 0))


def test_a_next_purchase_pays_what_is_owed_in_the_same_moment(ground):
    account = ground.account(credits_given=0)

    async def story(database):
        first = await bought(database, account.id)
        await spend(database, account.id, 70)
        await went_back(database, first, refunded=1_000)
        second = await bought(database, account.id)
        return await standing(database, second)

    assert ground.run(story) == (30, 0)


def test_what_is_owed_for_the_oldest_payment_is_taken_first(ground):
    account = ground.account(credits_given=0)

    async def story(database):
        dues = [await bought(database, account.id) for _ in range(2)]
        await spend(database, account.id, 200)
        for due in dues:
            await went_back(database, due, refunded=1_000)
        async with database.transaction() as tx:
            await ledger.grant(tx, account.id, 130_000, None)
            await payments.collect(tx, account.id)
            rows = await payments.list_for(tx, account.id, before=None, rows_max=10)
        return await standing(database, dues[0]), [one.owed_mill for one in rows]

    assert ground.run(story) == ((0, 70), [70_000, 0])


def test_a_dispute_takes_the_credits_and_winning_it_gives_them_again(ground):
    account = ground.account(credits_given=0)

    async def story(database):
        due = await bought(database, account.id)
        await spend(database, account.id, 30)
        await went_back(database, due, disputed=1_000)
        disputed = await standing(database, due)
        await went_back(database, due, disputed=0)
        return disputed, await standing(database, due)

    assert ground.run(story) == ((0, 30), (70, 0))
