"""Cancel and deadline: exactly one end wins, and the money follows it."""

from __future__ import annotations

import asyncio
import random

import psycopg
import pytest

from darkroom import errors, ids
from darkroom.domain import accounts, endings, leases, ledger, rates, tasks
from darkroom.domain.assets import Asset
from darkroom.domain.endings import ASKED, ENDED, FINISHED
from darkroom.domain.tasks import FAILED, PENDING, PROCESSING, SUCCESS, Submission
from darkroom.engine import sweep

KIND = "text-to-image"
GIVEN = 1_000_000
PRICE = 100
CANCELED, LATE = errors.Canceled.code, errors.DeadlinePassed.code


async def _one(database, account_id, *, count=1, deadline_seconds=None):
    """The ids of the waiting tasks of one submit."""
    async with database.transaction() as tx:
        found = await rates.publish(tx, [rates.Asked("M", KIND, "image", PRICE)])
        asked = Submission(
            account_id=account_id,
            api_key_id=None,
            request_id=ids.new("req"),
            kind=KIND,
            model="M",
            input={"fields": {}, "files": {}},
            rate_id=found["M", KIND].id,
            price_mill=PRICE,
            count=count,
            seed=7,
            deadline_seconds=deadline_seconds,
        )
        [batch] = await tasks.submit(tx, [asked])
    return batch.task_ids


async def _claim(database, lease_seconds=60.0):
    async with database.statement() as tx:
        return await leases.claim(
            tx, ids.new("wrk"), leases.Wanted(["M"]), tasks_max=1, lease_seconds=lease_seconds
        )


async def _running(database, account_id, lease_seconds=60.0):
    await _one(database, account_id)
    [claimed] = await _claim(database, lease_seconds)
    return claimed


async def _cancel(database, account_id, task_id):
    async with database.transaction() as tx:
        return await endings.cancel(tx, account_id, task_id)


async def _succeed(database, claimed):
    made = Asset(ids.file_name("png"), "image/png", 5, b"x" * 32, 64, 64)
    async with database.transaction() as tx:
        return await leases.succeed(tx, claimed, [made], served_by="b", notes={})


async def _fail(database, claimed, error=errors.BackendFailed):
    async with database.transaction() as tx:
        return await leases.fail(tx, claimed, error(), served_by="b")


async def _requeue(database, claimed):
    async with database.transaction() as tx:
        return await leases.requeue(tx, claimed, delay_seconds=0, strikes=1)


async def _expire(database):
    async with database.transaction() as tx:
        return await endings.expire(tx)


async def _pass_deadline(database, task_id):
    """Move the task's deadline into the past, by the clock that decides: the database's."""
    async with await psycopg.AsyncConnection.connect(database.conninfo) as connection:
        query = "UPDATE tasks SET deadline_at = now() - interval '1 s' WHERE id = %s"
        await connection.execute(query, [task_id])


async def _seen(database, account_id, task_id):
    """Status, code and charge of a task, and what the account has and what is held of it."""
    async with database.snapshot() as tx:
        task = (await tasks.get_many(tx, [(account_id, task_id)]))[account_id, task_id]
        owner = await accounts.get(tx, account_id)
        closings = len(await ledger.entries(tx, account_id)) - 2
    money = (owner.available_mill, owner.held_mill, closings)
    return (task.status, task.error_code, task.charged_mill), money


ENDED_CANCELED = ((FAILED, CANCELED, 0), (GIVEN, 0, 1))
ENDED_WELL = ((SUCCESS, None, PRICE), (GIVEN - PRICE, 0, 1))


def test_cancel_of_a_waiting_task_ends_and_refunds_it_at_once(ground):
    account = ground.account()

    async def story(database):
        [task_id] = await _one(database, account.id)
        done = await _cancel(database, account.id, task_id)
        assert await _claim(database) == []
        return done, await _seen(database, account.id, task_id)

    done, seen = ground.run(story)
    assert (done.effect, done.task.status, seen) == (ENDED, FAILED, ENDED_CANCELED)
    assert done.task.cancel_asked_at == done.task.finished_at
    assert done.task.error == "The task was canceled."


def test_cancel_of_a_running_task_asks_its_worker_who_ends_it(ground):
    account = ground.account()

    async def story(database):
        claimed = await _running(database, account.id)
        first, again = [await _cancel(database, account.id, claimed.id) for _ in range(2)]
        assert first.task.cancel_asked_at == again.task.cancel_asked_at
        async with database.statement() as tx:
            told = await leases.beat(tx, {(claimed.id, claimed.attempt): 0.5}, lease_seconds=60)
        assert told == {claimed.id: True}
        assert await _fail(database, claimed, errors.Canceled)
        return first, again, await _seen(database, account.id, claimed.id)

    first, again, seen = ground.run(story)
    assert (first.effect, again.effect, first.task.status) == (ASKED, ASKED, PROCESSING)
    assert (first.task.charged_mill, seen) == (None, ENDED_CANCELED)


@pytest.mark.parametrize("end", [_succeed, _fail])
def test_cancel_of_a_finished_task_changes_nothing(ground, end):
    account = ground.account()

    async def story(database):
        claimed = await _running(database, account.id)
        await end(database, claimed)
        before = await _seen(database, account.id, claimed.id)
        done = await _cancel(database, account.id, claimed.id)
        return done, before, await _seen(database, account.id, claimed.id)

    done, before, after = ground.run(story)
    assert (done.effect, done.task.cancel_asked_at, after) == (FINISHED, None, before)


def test_cancel_of_another_account_s_task_is_not_found_and_changes_nothing(ground):
    owner, other = ground.account(), ground.account()

    async def story(database):
        [task_id] = await _one(database, owner.id)
        with pytest.raises(errors.TaskNotFound):
            await _cancel(database, other.id, task_id)
        return await _seen(database, owner.id, task_id)

    assert ground.run(story) == ((PENDING, None, None), (GIVEN - PRICE, PRICE, 0))


def test_success_after_the_ask_wins_and_is_paid(ground):
    account = ground.account()

    async def story(database):
        claimed = await _running(database, account.id)
        await _cancel(database, account.id, claimed.id)
        assert await _succeed(database, claimed)
        assert not await _fail(database, claimed, errors.Canceled)
        return await _seen(database, account.id, claimed.id)

    assert ground.run(story) == ENDED_WELL


def test_requeue_of_a_task_asked_to_stop_ends_it_as_canceled(ground):
    account = ground.account()

    async def story(database):
        claimed = await _running(database, account.id)
        await _cancel(database, account.id, claimed.id)
        assert await _requeue(database, claimed)
        return await _claim(database), await _seen(database, account.id, claimed.id)

    assert ground.run(story) == ([], ENDED_CANCELED)


def test_sweep_ends_a_lost_task_asked_to_stop_as_canceled(ground):
    account = ground.account()

    async def story(database):
        claimed = await _running(database, account.id, lease_seconds=-1)
        await _cancel(database, account.id, claimed.id)
        assert await sweep.recover_tasks(database) == 1
        return await _seen(database, account.id, claimed.id)

    assert ground.run(story) == ENDED_CANCELED


def test_sweep_that_saw_a_lost_task_before_its_cancel_does_not_requeue_it(ground):
    account = ground.account()

    async def story(database):
        claimed = await _running(database, account.id, lease_seconds=-1)
        async with database.statement() as tx:
            [lost] = await endings.lost(tx, tasks_max=1)
        await _cancel(database, account.id, claimed.id)
        async with database.transaction() as tx:
            assert not await endings.recover(tx, lost, strikes_max=3)
        await sweep.recover_tasks(database)
        return await _seen(database, account.id, claimed.id)

    assert ground.run(story) == ENDED_CANCELED


def test_a_late_attempt_cannot_end_the_next_one_as_canceled(ground):
    account = ground.account()

    async def story(database):
        first = await _running(database, account.id)
        await _requeue(database, first)
        [second] = await _claim(database)
        await _cancel(database, account.id, second.id)
        late = [await _fail(database, first, errors.Canceled), await _requeue(database, first)]
        return late, await _succeed(database, second)

    assert ground.run(story) == ([False, False], True)


def test_schema_refuses_a_task_that_waits_although_it_was_canceled(ground):
    account = ground.account()

    async def story(database):
        await _running(database, account.id)

    ground.run(story)
    query = "UPDATE tasks SET status = 'PENDING', lease_until = NULL, cancel_asked_at = now()"
    with psycopg.connect(ground.conninfo) as connection:
        with pytest.raises(psycopg.errors.CheckViolation, match="canceled_never_wait"):
            connection.execute(query)
        connection.rollback()


@pytest.mark.parametrize("seed", range(6))
def test_ends_that_race_with_cancels_end_a_running_task_once(ground, seed):
    account = ground.account()

    async def story(database):
        claimed = await _running(database, account.id, lease_seconds=-1)
        racers = [
            *(_cancel(database, account.id, claimed.id) for _ in range(3)),
            _succeed(database, claimed),
            _fail(database, claimed),
            _requeue(database, claimed),
            sweep.recover_tasks(database),
            _claim(database),
        ]
        random.Random(seed).shuffle(racers)
        await asyncio.gather(*racers)
        # Whatever is left is a task that waits or runs: the last cancel and the sweep end it.
        await _cancel(database, account.id, claimed.id)
        async with await psycopg.AsyncConnection.connect(database.conninfo) as connection:
            await connection.execute(
                "UPDATE tasks SET lease_until = now() - interval '1 s' WHERE status = 'PROCESSING'"
            )
        await sweep.recover_tasks(database)
        return await _seen(database, account.id, claimed.id)

    seen = ground.run(story)
    failed = ((FAILED, errors.BackendFailed.code, 0), (GIVEN, 0, 1))
    assert seen in (ENDED_CANCELED, ENDED_WELL, failed)


@pytest.mark.parametrize("seed", range(6))
def test_claims_that_race_with_a_cancel_run_the_task_or_leave_it(ground, seed):
    account = ground.account()

    async def story(database):
        [task_id] = await _one(database, account.id)
        racers = [_cancel(database, account.id, task_id), *(_claim(database) for _ in range(4))]
        random.Random(seed).shuffle(racers)
        told = await asyncio.gather(*racers)
        claims = [one for one in told if isinstance(one, list) and one]
        [done] = [one for one in told if isinstance(one, endings.Cancel)]
        return done.effect, len(claims), (await _seen(database, account.id, task_id))[0][0]

    assert ground.run(story) in ((ENDED, 0, FAILED), (ASKED, 1, PROCESSING))


def test_a_cancel_wakes_who_listens_with_the_task_s_id(ground):
    account = ground.account()

    async def story(database):
        claimed = await _running(database, account.id)
        notices = database.listen("cancels")
        heard = asyncio.create_task(anext(notices))

        async def ask():
            # The listener may not be there yet: a repeated ask is told again.
            while not heard.done():
                await _cancel(database, account.id, claimed.id)
                await asyncio.wait([heard], timeout=0.1)

        await asyncio.wait_for(ask(), 30)
        await notices.aclose()
        return claimed.id, heard.result()

    task_id, told = ground.run(story)
    assert told == task_id


def test_a_task_past_its_deadline_is_never_claimed_and_ends_for_free(ground):
    account = ground.account()

    async def story(database):
        [task_id] = await _one(database, account.id, deadline_seconds=60)
        assert await _expire(database) is None
        await _pass_deadline(database, task_id)
        assert await _claim(database) == []
        assert await _expire(database) == task_id
        assert await _expire(database) is None
        return await _seen(database, account.id, task_id)

    assert ground.run(story) == ((FAILED, LATE, 0), (GIVEN, 0, 1))


def test_a_deadline_is_so_many_seconds_after_the_submit(ground):
    account = ground.account()

    async def story(database):
        [task_id] = await _one(database, account.id, deadline_seconds=60)
        async with database.statement() as tx:
            task = (await tasks.get_many(tx, [(account.id, task_id)]))[account.id, task_id]
        return (task.deadline_at - task.created_at).total_seconds()

    assert ground.run(story) == 60


def test_a_task_begun_in_time_runs_on_and_may_be_begun_again(ground):
    account = ground.account()

    async def story(database):
        [task_id] = await _one(database, account.id, deadline_seconds=60)
        [first] = await _claim(database)
        await _pass_deadline(database, task_id)
        assert await _expire(database) is None
        await _requeue(database, first)
        assert await _expire(database) is None
        [second] = await _claim(database)
        assert await _succeed(database, second)
        return await _seen(database, account.id, task_id)

    assert ground.run(story) == ENDED_WELL


def test_sweeps_that_race_expire_every_late_task_once(ground):
    account = ground.account()

    async def story(database):
        late = await _one(database, account.id, count=12, deadline_seconds=60)
        for task_id in late:
            await _pass_deadline(database, task_id)
        [cancel, *swept] = await asyncio.gather(
            _cancel(database, account.id, late[5]), *(sweep.expire_tasks(database) for _ in "abc")
        )
        async with database.statement() as tx:
            owner = await accounts.get(tx, account.id)
        return sum(swept) + (cancel.effect == ENDED), owner.held_mill

    assert ground.run(story) == (12, 0)


def test_a_task_whose_lease_was_renewed_is_not_taken_back(ground):
    account = ground.account()

    async def story(database):
        claimed = await _running(database, account.id, lease_seconds=-1)
        async with database.statement() as tx:
            [lost] = await endings.lost(tx, tasks_max=1)
        async with database.transaction() as tx:
            await leases.beat(tx, {(claimed.id, claimed.attempt): 0.1}, lease_seconds=60)
        async with database.transaction() as tx:
            taken = await endings.recover(tx, lost, strikes_max=3)
        return taken, await sweep.recover_tasks(database), await _succeed(database, claimed)

    assert ground.run(story) == (False, 0, True)
