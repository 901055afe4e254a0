"""Spend limits of API keys: never passed, given back, renewed, shared by rotation, audited."""

from __future__ import annotations

import asyncio
import random

import psycopg
import pytest
from plans import explained
from spending import Till, run

from darkroom import errors, ids
from darkroom.domain import ledger, spend_limits
from darkroom.domain.tasks import Batch
from ground import Ground


def test_a_limit_refuses_its_own_submits_of_a_group_and_no_other(ground):
    async def story(till: Till):
        limited, other, free = await till.key(250), await till.key(100), await till.key()
        asked = [till.asked(key, 100) for key in (limited, limited, free, limited, other)]
        outcomes = await till.submit(*asked)
        return outcomes, [await till.spent(key) for key in (limited, other, free)]

    outcomes, spent = run(ground, story)
    assert [isinstance(one, Batch) for one in outcomes] == [True, True, True, False, True]
    assert isinstance(outcomes[3], errors.InsufficientCredits)
    assert str(outcomes[3]).startswith(
        'insufficient credits: this costs 0.1, and the API key "default" has 0.05 left of its '
        "spend limit of 0.25 credits. Raise"
    )
    assert spent == [200, 100, 0]


def test_a_batch_is_within_the_limit_as_a_whole_or_refused(ground):
    async def story(till: Till):
        key = await till.key(250)
        fourth, second = await till.submit(till.asked(key, 100, 3), till.asked(key, 100, 2))
        return fourth, second, await till.spent(key)

    refused, made, spent = run(ground, story)
    assert isinstance(refused, errors.InsufficientCredits)
    assert len(made.task_ids) == 2
    assert spent == 200


def test_what_is_free_passes_a_limit_that_is_used_up(ground):
    async def story(till: Till):
        key = await till.key(100)
        await till.submit(till.asked(key, 100))
        await till.limit(key, 10)
        return await till.submit(till.asked(key, 0), till.asked(key, 1))

    free, refused = run(ground, story)
    assert isinstance(free, Batch)
    assert "has 0 left of its spend limit of 0.01 credits" in str(refused)


def test_the_account_is_asked_for_credits_before_the_key_for_its_limit(ground):
    async def story(till: Till):
        return await till.submit(till.asked(await till.key(10), 2000))

    assert "the account has 1 available" in str(run(ground, story, credits_given=1)[0])


def test_many_submits_at_once_use_a_limit_up_and_never_pass_it(ground):
    async def story(till: Till):
        key = await till.key(1000)
        wanted = [till.asked(key, 7) for _ in range(300)]
        groups = [wanted[at : at + 3] for at in range(0, 300, 3)]
        outcomes = [one for got in await asyncio.gather(*map(_one(till), groups)) for one in got]
        return sum(isinstance(one, Batch) for one in outcomes), await till.spent(key)

    assert run(ground, story) == (142, 994)


def _one(till):
    async def submit(group):
        return await till.submit(*group)

    return submit


def test_submits_ends_and_rotations_at_once_stay_within_the_limit(ground):
    async def story(till: Till):
        key = await till.key(300)
        keys = [key, await till.rotate(key)]

        async def work(seed: int) -> int:
            chance, most = random.Random(seed), 0
            for _ in range(12):
                asked = till.asked(chance.choice(keys), chance.randint(1, 60))
                [made] = await till.submit(asked)
                most = max(most, await till.spent(key))
                if isinstance(made, Batch) and chance.random() < 0.6:
                    await till.cancel(made.task_ids[0])
                elif chance.random() < 0.5:
                    await till.succeed()
            return most

        return await asyncio.gather(*(work(seed) for seed in range(8)))

    assert max(run(ground, story)) <= 300


def test_a_refund_gives_the_limit_back_and_a_success_does_not(ground):
    async def story(till: Till):
        key = await till.key(200)
        first, second = await till.submit(till.asked(key, 100), till.asked(key, 100))
        assert await till.cancel(second.task_ids[0])
        assert await till.succeed() == first.task_ids[0]
        spent = await till.spent(key)
        return spent, await till.submit(till.asked(key, 101), till.asked(key, 100))

    spent, (refused, made) = run(ground, story)
    assert spent == 100
    assert isinstance(refused, errors.InsufficientCredits)
    assert isinstance(made, Batch)


@pytest.mark.parametrize(("charged", "spent"), [(100, 100), (30, 30), (0, 0)])
def test_a_settle_of_less_gives_the_rest_of_the_limit_back(ground, charged, spent):
    async def story(till: Till):
        key = await till.key(200)
        hold = ledger.Hold(ids.new("task"), till.account_id, 100, key.origin_id)
        async with till.database.transaction() as tx:
            await ledger.hold(tx, [hold])
            await spend_limits.add(tx, {key.origin_id: 100})
        async with till.database.transaction() as tx:
            await ledger.settle(tx, hold.id, charged)
        return await till.spent(key)

    assert run(ground, story) == spent


def test_a_replay_spends_nothing_again_even_when_the_limit_is_used_up(ground):
    async def story(till: Till):
        key = await till.key(100)
        again = [till.asked(key, 100, idempotency_key="a", fingerprint=b"f") for _ in range(3)]
        outcomes = [*await till.submit(*again[:2]), *await till.submit(again[2])]
        return [(one.id, one.replayed) for one in outcomes], await till.spent(key)

    answers, spent = run(ground, story)
    assert [replayed for _, replayed in answers] == [False, True, True]
    assert len({batch for batch, _ in answers}) == 1
    assert spent == 100


def test_a_month_s_limit_is_renewed_and_what_comes_back_is_of_its_own_month(ground):
    async def story(till: Till):
        key = await till.key(100, "month")
        [old] = await till.submit(till.asked(key, 100))
        [refused] = await till.submit(till.asked(key, 1))
        await till.pass_month()
        spent = [await till.spent(key)]
        [new] = await till.submit(till.asked(key, 60))
        await till.cancel(old.task_ids[0])
        spent.append(await till.spent(key))
        return refused, new, spent

    refused, new, spent = run(ground, story)
    assert "limit of 0.1 credits a month. It is renewed on the first of the month" in str(refused)
    assert isinstance(new, Batch)
    assert spent == [0, 60]


def test_a_total_limit_counts_every_month(ground):
    async def story(till: Till):
        key = await till.key(100)
        await till.submit(till.asked(key, 60))
        await till.pass_month()
        await till.submit(till.asked(key, 40))
        await till.pass_month()
        return await till.spent(key), await till.submit(till.asked(key, 1))

    spent, [refused] = run(ground, story)
    assert spent == 100
    assert isinstance(refused, errors.InsufficientCredits)


def test_keys_that_were_rotated_share_their_limit(ground):
    async def story(till: Till):
        first = await till.key(100)
        second = await till.rotate(first)
        third = await till.rotate(second)
        keys = (first, second, third)
        made = await till.submit(*(till.asked(key, 40) for key in keys))
        return made, [await till.spent(key) for key in keys]

    made, spent = run(ground, story)
    assert [isinstance(one, Batch) for one in made] == [True, True, False]
    assert spent == [80, 80, 80]


def test_a_key_without_a_limit_is_counted_nowhere(ground):
    async def story(till: Till):
        key = await till.key()
        await till.submit(till.asked(key, 100))
        limited = await till.limit(key, 100, "month")
        await till.submit(till.asked(limited, 100))
        await till.limit(limited, None)
        await till.submit(till.asked(limited, 100))  # as a server that has not heard of it yet
        return await till.spent(key)

    assert run(ground, story) == 100
    with psycopg.connect(ground.conninfo) as connection:
        found = connection.execute("SELECT origin_id IS NULL FROM holds ORDER BY id").fetchall()
    assert [one for (one,) in found] == [True, False, True]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE key_spending SET mill = mill + 1",
        "DELETE FROM key_spending",
        "INSERT INTO key_spending SELECT origin_id, '2020-01-01', 1 FROM key_spending",
        "UPDATE holds SET created_at = created_at - interval '40 days'",
    ],
)
def test_the_audit_sees_spending_that_its_holds_do_not_bear_out(database_conninfo, change):
    ground = Ground(database_conninfo)

    async def story(till: Till):
        await till.submit(till.asked(await till.key(500), 100, 2))
        await till.succeed()

    run(ground, story)
    assert ground.audit() == []
    with psycopg.connect(database_conninfo) as connection:
        connection.execute(change)
    assert {one.check for one in ground.audit()} == {
        "every key with a spend limit has spent what its holds took"
    }


def test_the_end_of_a_task_reads_one_month_of_its_own_key_or_nothing(ground):
    async def story(till: Till):
        limited, free = await till.key(500), await till.key()
        made = await till.submit(till.asked(limited, 100), till.asked(free, 100))
        return limited, [one.task_ids[0] for one in made]

    key, held = run(ground, story)
    with psycopg.connect(ground.conninfo) as connection:
        # Not to be kept: what the books say against it is not asked.
        connection.execute(
            "INSERT INTO key_spending SELECT %s, date '2026-01-01' - n, 1"
            " FROM generate_series(1, 50000) AS n",
            [key.origin_id],
        )
        connection.execute("ANALYZE key_spending")
        for mode in ("force_custom_plan", "force_generic_plan"):
            for name, given in (("ledger.settle", {"mill": 40}), ("ledger.refund", {})):
                for hold_id in held:
                    connection.execute("SAVEPOINT before")
                    plan = explained(connection, name, {"hold_id": hold_id} | given, mode)
                    [counting] = [
                        one for one in plan["Plans"] if one.get("Relation Name") == "key_spending"
                    ]
                    blocks = counting["Shared Hit Blocks"] + counting["Shared Read Blocks"]
                    assert blocks <= (20 if hold_id == held[0] else 0), (name, mode, blocks)
                    connection.execute("ROLLBACK TO before")
        connection.rollback()
