"""Lanes: nobody's thousand tasks hold up another's one, and no lane loses count."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import psycopg
import pytest
from queueing import Queue, opened

from darkroom import errors
from darkroom.domain import lanes, leases
from darkroom.domain.tasks import Batch
from darkroom.engine import sweep


def _story(ground, told):
    async def story(database):
        return await told(await opened(database))

    return ground.run(story)


def test_a_single_task_passes_a_thousand_that_wait(ground):
    many, one = ground.account(), ground.account()

    async def told(queue: Queue):
        await queue.submit(many.id, 1000)
        await queue.claim(3)
        [mine] = await queue.submit(one.id)
        return [claimed.id for claimed in await queue.claim()] == [mine]

    assert _story(ground, told)


def test_who_was_away_is_neither_paid_nor_punished_for_it(ground):
    first, second = ground.account(), ground.account()

    async def told(queue: Queue):
        await queue.submit(first.id, 40)
        await queue.serve(40)
        # The first has used the machine alone for long, the second never: both have half of it now.
        await queue.submit(first.id, 40)
        await queue.submit(second.id, 40)
        return Counter(claimed.account_id for claimed in await queue.serve(20))

    assert _story(ground, told) == {first.id: 10, second.id: 10}


def test_many_small_submits_get_no_more_than_one_large(ground):
    small, large = ground.account(), ground.account()

    async def told(queue: Queue):
        await queue.submit(large.id, 30)
        for _ in range(30):
            await queue.submit(small.id)
        return Counter(claimed.account_id for claimed in await queue.serve(20))

    assert _story(ground, told) == {small.id: 10, large.id: 10}


@pytest.mark.parametrize(("weight", "share"), [(1, 20), (3, 30), (0.25, 8)])
def test_accounts_share_by_weight(ground, weight: float, share: int):
    heavy, plain = ground.account(), ground.account()

    async def told(queue: Queue):
        await queue.limit(heavy.id, weight=weight)
        for one in (heavy, plain):
            await queue.submit(one.id, 60)
        return Counter(claimed.account_id for claimed in await queue.serve(40))

    assert _story(ground, told)[heavy.id] == pytest.approx(share, abs=1)


def test_work_is_shared_in_seconds_not_in_tasks(ground):
    slow, quick = ground.account(), ground.account()

    async def told(queue: Queue):
        await queue.learn("M", 10.0)
        await queue.learn("N", 1.0)
        await queue.submit(slow.id, 30, model="M")
        await queue.submit(quick.id, 60, model="N")
        return Counter(claimed.account_id for claimed in await queue.serve(44))

    assert _story(ground, told) == {slow.id: 4, quick.id: 40}


def test_canceled_work_is_given_back_to_its_lane(ground):
    regret, other = ground.account(), ground.account()

    async def told(queue: Queue):
        for task_id in await queue.submit(regret.id, 100):
            await queue.cancel(regret.id, task_id)
        for one in (other, regret):
            await queue.submit(one.id, 10)
        return Counter(claimed.account_id for claimed in await queue.serve(10))

    assert _story(ground, told) == {regret.id: 5, other.id: 5}


def test_over_its_cap_an_account_waits_and_goes_on_when_a_task_ends(ground):
    capped, free = ground.account(), ground.account()

    async def told(queue: Queue):
        await queue.limit(capped.id, running_max=2)
        first = await queue.submit(capped.id, 4)
        running = await queue.claim(8)
        assert [claimed.id for claimed in running] == [*first[:2]]
        # Who is over the cap holds up nobody.
        other = await queue.submit(free.id)
        assert [claimed.id for claimed in await queue.claim(8)] == [*other]
        await queue.end(running[0])
        return [claimed.id for claimed in await queue.claim(8)] == [first[2]]

    assert _story(ground, told)


def test_a_raised_cap_is_filled_at_the_next_end(ground):
    account = ground.account()

    async def told(queue: Queue):
        await queue.limit(account.id, running_max=1)
        await queue.submit(account.id, 10)
        [running] = await queue.claim(8)
        await queue.limit(account.id, running_max=4)
        await queue.end(running)
        return len(await queue.claim(8))

    assert _story(ground, told) == 4


def test_a_raised_cap_needs_no_end_to_be_filled(ground):
    account = ground.account()

    async def told(queue: Queue):
        await queue.limit(account.id, running_max=1)
        await queue.submit(account.id, 10)
        await queue.limit(account.id, running_max=4)
        await sweep.fill_lanes(queue.database)
        return len(await queue.claim(8))

    assert _story(ground, told) == 4


def test_a_parked_task_whose_cancel_failed_is_admitted_all_the_same(ground):
    """A cancel that has the task's row and is cut before its end: the end passes the task over."""
    account = ground.account()

    async def told(queue: Queue):
        await queue.limit(account.id, running_max=1)
        _, second = await queue.submit(account.id, 2)
        [running] = await queue.claim()
        async with await psycopg.AsyncConnection.connect(ground.conninfo) as cut:
            await cut.execute("SELECT 1 FROM tasks WHERE id = %s FOR UPDATE", [second])
            await queue.end(running)
            assert await queue.claim() == []
            await cut.rollback()
        await sweep.fill_lanes(queue.database)
        return [one.id for one in await queue.claim()] == [second]

    assert _story(ground, told)


def test_a_full_queue_refuses_one_account_and_costs_it_nothing(ground):
    full, other = ground.account(), ground.account()

    async def told(queue: Queue):
        await queue.limit(full.id, running_max=1, waiting_max=2)
        [key] = ["once"]
        first = await queue.try_submit(full.id, 3, idempotency_key=key, fingerprint=b"f")
        refused = await queue.try_submit(full.id)
        again = await queue.try_submit(full.id, 3, idempotency_key=key, fingerprint=b"f")
        assert isinstance(await queue.try_submit(other.id), Batch)
        async with queue.database.transaction() as tx:
            left = (await lanes.lock(tx, [full.id]))[full.id].available_mill
        return first, refused, again, left

    first, refused, again, left = _story(ground, told)
    assert isinstance(refused, errors.QueueFull)
    assert (refused.code, refused.status) == (1007, 503)
    assert refused.retry_after_seconds
    assert (again.task_ids, again.replayed) == (first.task_ids, True)
    assert left == 1_000_000 - 3


def test_a_higher_priority_begins_first_of_its_own_account_only(ground):
    account, other = ground.account(), ground.account()

    async def told(queue: Queue):
        await queue.limit(account.id, running_max=3)
        plain = await queue.submit(account.id, 5)
        [others] = await queue.submit(other.id)
        urgent = await queue.submit(account.id, 2, priority=5)
        served = [claimed.id for claimed in await queue.serve(8)]
        assert others in served[:2]
        return [one for one in served if one != others], [*urgent, *plain]

    served, expected = _story(ground, told)
    assert served == expected


def test_a_task_that_is_tried_again_keeps_its_place(ground):
    account = ground.account()

    async def told(queue: Queue):
        ids = await queue.submit(account.id, 3)
        [claimed] = await queue.claim()
        async with queue.database.transaction() as tx:
            await leases.requeue(tx, claimed, delay_seconds=0, strikes=1)
        again = await queue.claim(3, worker_id="wrk_other")
        return [one.id for one in again] == [*ids]

    assert _story(ground, told)


def test_the_present_outlives_its_workers(ground):
    old, new = ground.account(), ground.account()

    async def told(queue: Queue):
        await queue.submit(old.id, 20)
        await queue.serve(20)
        await queue.register("wrk_next")
        async with queue.database.statement() as tx:
            await tx.run("workers.finish", id="wrk_test")
        await queue.submit(old.id, 10)
        await queue.submit(new.id, 10)
        claims = [*await queue.claim(10, worker_id="wrk_next")]
        return Counter(claimed.account_id for claimed in claims)

    assert _story(ground, told) == {old.id: 5, new.id: 5}


def test_workers_apart_do_not_move_each_other_s_present(ground):
    """Model M has a worker of its own that is far ahead; the order among N's does not feel it."""
    crowd, single = ground.account(), ground.account()

    async def told(queue: Queue):
        await queue.register("wrk_m", ["M"])
        await queue.register("wrk_n", ["N"])
        await queue.submit(crowd.id, 30, model="N")
        await queue.submit(single.id, 60, model="M")
        await queue.claim(60, models=["M"], worker_id="wrk_m")
        [mine] = await queue.submit(single.id, model="N")
        # Only the last of its own tasks on M, as long as one on N, stands before it.
        return mine in [one.id for one in await queue.claim(3, models=["N"], worker_id="wrk_n")]

    assert _story(ground, told)


def test_any_history_of_many_at_once_keeps_count(ground):
    """Submits, claims, ends and cancels at the same moment: no deadlock, and the audit is clean."""
    owners = [ground.account() for _ in range(4)]
    chance = random.Random(20261125)

    async def told(queue: Queue):
        for owner in owners[:2]:
            await queue.limit(owner.id, running_max=2)
        known: list[tuple[str, str]] = []
        running: list[leases.Claim] = []

        async def step() -> None:
            choice, owner = chance.random(), chance.choice(owners)
            if choice < 0.35:
                more = {"priority": chance.choice([0, 0, 3])}
                made = await queue.submit(owner.id, chance.randint(1, 4), **more)
                known.extend((owner.id, task_id) for task_id in made)
            elif choice < 0.6:
                running.extend(await queue.claim(2))
            elif choice < 0.8 and running:
                claimed = running.pop(chance.randrange(len(running)))
                async with queue.database.transaction() as tx:
                    await leases.fail(tx, claimed, errors.Canceled(), served_by=None)
            elif known:
                await queue.cancel(*chance.choice(known))

        for _ in range(60):
            await asyncio.gather(*(step() for _ in range(10)))
        return len(known)

    assert _story(ground, told) > 100


def test_locks_of_many_accounts_in_any_order_never_deadlock(ground):
    owners = [ground.account().id for _ in range(4)]

    async def lock(database, number):
        async with database.transaction() as tx:
            chosen = owners[number % 4 :] + owners[: number % 4]
            return len(await lanes.lock(tx, set(chosen[:3])))

    async def story(database):
        return await asyncio.gather(*(lock(database, number) for number in range(60)))

    assert ground.run(story) == [3] * 60


def test_a_submit_waits_for_nobody_who_only_names_its_account(ground):
    """A worker names it with its outputs and locks it after that, while the submit may hold it."""
    account = ground.account()

    async def told(queue: Queue):
        named = await psycopg.AsyncConnection.connect(queue.database.conninfo)
        async with named:
            await named.execute(
                "INSERT INTO assets (id, account_id, file, media_type, bytes, sha256)"
                " VALUES ('a', %s, 'a.png', 'image/png', 1, '')",
                [account.id],
            )
            made = await queue.submit(account.id)
            await named.rollback()
        return len(made)

    assert _story(ground, told) == 1
