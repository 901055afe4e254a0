"""Tasks: submitted in groups, claimed once, ended once, fenced by their attempt, struck out."""

from __future__ import annotations

import asyncio
import random

import pytest

from darkroom import errors, ids
from darkroom.domain import accounts, endings, leases, rates, tasks
from darkroom.domain.assets import Asset
from darkroom.domain.tasks import FAILED, PENDING, SUCCESS, Batch, Submission

KIND = "text-to-image"
STRIKES_MAX = 3


async def _rate_id(database):
    async with database.transaction() as tx:
        found = await rates.publish(tx, [rates.Asked("M", KIND, "image", 100)])
    return found["M", KIND].id


def _asked(account_id, rate_id, price_mill=100, count=1, model="M"):
    return Submission(
        account_id=account_id,
        api_key_id=None,
        request_id=ids.new("req"),
        kind=KIND,
        model=model,
        input={"fields": {}, "files": {}},
        rate_id=rate_id,
        price_mill=price_mill,
        count=count,
        seed=7,
    )


async def _submit(database, *asked):
    async with database.transaction() as tx:
        return await tasks.submit(tx, asked)


async def _one(database, account_id, model="M"):
    """The id of one waiting task of its own model."""
    [batch] = await _submit(database, _asked(account_id, await _rate_id(database), model=model))
    return batch.task_ids[0]


async def _claim(database, model="M", worker=None, tasks_max=1, lease_seconds=60.0):
    """What a worker gets, by default one that has had nothing before."""
    worker = worker or ids.new("wrk")
    async with database.transaction() as tx:
        return await leases.claim(
            tx, worker, leases.Wanted([model]), tasks_max=tasks_max, lease_seconds=lease_seconds
        )


async def _get(database, account_id, task_id):
    async with database.statement() as tx:
        return (await tasks.get_many(tx, [(account_id, task_id)])).get((account_id, task_id))


async def _balance(database, account_id):
    async with database.statement() as tx:
        one = await accounts.get(tx, account_id)
    return one.available_mill, one.held_mill


def _asset():
    return Asset(ids.file_name("png"), "image/png", 5, b"x" * 32, 64, 64)


async def _succeed(database, claimed):
    async with database.transaction() as tx:
        return await leases.succeed(tx, claimed, [_asset()], served_by="b", notes={})


async def _fail(database, claimed):
    async with database.transaction() as tx:
        return await leases.fail(tx, claimed, errors.BackendFailed("no luck"), served_by="b")


async def _requeue(database, claimed, delay_seconds=0.0, strikes=0):
    async with database.transaction() as tx:
        return await leases.requeue(tx, claimed, delay_seconds=delay_seconds, strikes=strikes)


async def _recover(database, claimed, strikes=0):
    lost = endings.Lost(claimed.id, claimed.attempt, strikes)
    async with database.transaction() as tx:
        return await endings.recover(tx, lost, strikes_max=STRIKES_MAX)


async def _give_up(database, claimed):
    return await _recover(database, claimed, strikes=STRIKES_MAX - 1)


async def _claim_again(database, claimed):
    return bool(await _claim(database, claimed.model))


async def _cancel(database, claimed):
    async with database.transaction() as tx:
        done = await endings.cancel(tx, claimed.account_id, claimed.id)
    return done.effect == endings.ENDED


# Every verb that changes a task's state.
VERBS = (_claim_again, _succeed, _fail, _requeue, _recover, _give_up, _cancel)
INTO = {SUCCESS: _succeed, FAILED: _fail}


async def _in_state(database, account_id, state, model):
    """A task in this state, with its lease run out, as the worker that had it knows it."""
    task_id = await _one(database, account_id, model)
    if state == PENDING:
        return leases.Claim(task_id, 0, 0, account_id, 7, 100, 0, KIND, model, {})
    [claimed] = await _claim(database, model, lease_seconds=-1)
    if state in INTO:
        assert await INTO[state](database, claimed)
    return claimed


@pytest.mark.parametrize("state", tasks.TRANSITIONS)
def test_every_transition_of_the_table_is_allowed_and_every_other_refused(ground, state):
    account = ground.account()

    async def story(database):
        reached = set()
        for number, verb in enumerate(VERBS):
            claimed = await _in_state(database, account.id, state, f"M{number}")
            allowed = await verb(database, claimed)
            after = (await _get(database, account.id, claimed.id)).status
            assert allowed is (after != state), verb.__name__
            reached.add(after)
        return reached - {state}

    assert ground.run(story) == set(tasks.TRANSITIONS[state])


def test_a_group_has_an_outcome_for_each_and_one_s_402_is_nobody_else_s(ground):
    rich, poor = ground.account(), ground.account(credits_given=0)

    async def story(database):
        rate = await _rate_id(database)
        owners = [rich, poor, rich, poor, rich]
        outcomes = await _submit(database, *(_asked(one.id, rate, count=2) for one in owners))
        return outcomes, await _balance(database, rich.id), await _balance(database, poor.id)

    outcomes, of_rich, of_poor = ground.run(story)
    kinds = [type(outcome) for outcome in outcomes]
    refusal = errors.InsufficientCredits
    assert kinds == [Batch, refusal, Batch, refusal, Batch]
    assert (of_rich, of_poor) == ((1_000_000 - 600, 600), (0, 0))


def test_an_account_s_submits_are_accepted_in_order_while_its_credits_last(ground):
    account = ground.account(credits_given=1)

    async def story(database):
        rate = await _rate_id(database)
        prices = (600, 600, 400, 1, 0)
        asked = [_asked(account.id, rate, price_mill=price) for price in prices]
        return await _submit(database, *asked), await _balance(database, account.id)

    outcomes, balance = ground.run(story)
    assert [isinstance(one, Batch) for one in outcomes] == [True, False, True, False, True]
    assert balance == (0, 1000)
    assert "this costs 0.6, the account has 0.4 available" in outcomes[1].message


def test_batches_are_numbered_in_the_order_of_their_group(ground):
    account = ground.account()

    async def story(database):
        rate = await _rate_id(database)
        return await _submit(database, *(_asked(account.id, rate) for _ in range(30)))

    numbers = [batch.id for batch in ground.run(story)]
    assert numbers == sorted(set(numbers))


def test_a_batch_holds_its_tasks_with_seeds_and_prices(ground):
    account = ground.account()

    async def story(database):
        [batch] = await _submit(
            database, _asked(account.id, await _rate_id(database), price_mill=3, count=4)
        )
        async with database.statement() as tx:
            return batch, await tasks.of_batch(tx, account.id, batch.id)

    batch, found = ground.run(story)
    assert [task.id for task in found] == list(batch.task_ids)
    assert [task.seed for task in found] == [7, 8, 9, 10]
    assert {(task.status, task.price_mill) for task in found} == {(PENDING, 3)}


def test_an_empty_group_and_a_group_of_refusals_change_nothing(ground):
    poor = ground.account(credits_given=0)

    async def story(database):
        rate = await _rate_id(database)
        assert await _submit(database) == []
        await _submit(database, _asked(poor.id, rate), _asked(poor.id, rate))
        return await _claim(database)

    assert ground.run(story) == []


def test_groups_that_race_over_the_same_accounts_spend_what_there_is(ground):
    owners = [ground.account(credits_given=1).id for _ in range(3)]

    async def story(database):
        rate = await _rate_id(database)
        draw = random.Random(1)
        groups = [
            [_asked(owner, rate, price_mill=70) for owner in draw.sample(owners, 3) * 2]
            for _ in range(12)
        ]
        outcomes = await asyncio.gather(*(_submit(database, *group) for group in groups))
        accepted = sum(isinstance(one, Batch) for group in outcomes for one in group)
        return accepted, [await _balance(database, owner) for owner in owners]

    # 14 times 70 mill fit into a credit.
    assert ground.run(story) == (3 * 14, [(20, 980)] * 3)


def test_another_account_s_task_and_batch_are_not_found(ground):
    mine, other = ground.account(), ground.account()

    async def story(database):
        task = await _get(database, mine.id, await _one(database, mine.id))
        assert await _get(database, other.id, task.id) is None
        async with database.statement() as tx:
            with pytest.raises(errors.BatchNotFound):
                await tasks.of_batch(tx, other.id, task.batch_id)

    ground.run(story)


def test_racing_workers_claim_every_task_once(ground):
    account = ground.account()

    async def story(database):
        rate = await _rate_id(database)
        [batch] = await _submit(database, _asked(account.id, rate, count=30))
        claims = await asyncio.gather(
            *(_claim(database, worker=f"w{number}", tasks_max=3) for number in range(20))
        )
        return batch.task_ids, [one.id for claimed in claims for one in claimed]

    task_ids, claimed = ground.run(story)
    assert sorted(claimed) == sorted(task_ids)


def test_a_claim_takes_the_longest_waiting_of_its_models(ground):
    account = ground.account()

    async def story(database):
        waiting = [await _one(database, account.id, model) for model in ("A", "B", "A", "A")]
        first = await _claim(database, "A", tasks_max=2)
        return waiting, [one.id for one in first], await _claim(database, "C")

    waiting, first, none = ground.run(story)
    assert (first, none) == ([waiting[0], waiting[2]], [])


def test_a_paused_task_is_not_claimed_before_its_time(ground):
    account = ground.account()

    async def story(database):
        await _one(database, account.id)
        [claimed] = await _claim(database)
        assert await _requeue(database, claimed, delay_seconds=60)
        return await _claim(database)

    assert ground.run(story) == []


@pytest.mark.parametrize("late", [_succeed, _fail, _requeue, _recover, _give_up])
def test_a_late_attempt_is_fenced_off(ground, late):
    account = ground.account()

    async def story(database):
        await _one(database, account.id)
        [first] = await _claim(database)
        assert await _requeue(database, first)
        [second] = await _claim(database, lease_seconds=-1)
        assert second.attempt == first.attempt + 1
        assert not await late(database, first)
        assert await _succeed(database, second)
        return await _get(database, account.id, second.id), await _balance(database, account.id)

    task, balance = ground.run(story)
    assert (task.status, task.attempt, len(task.files)) == (SUCCESS, 2, 1)
    assert balance == (1_000_000 - 100, 0)


@pytest.mark.parametrize("seed", range(4))
def test_ends_that_race_end_a_task_once(ground, seed):
    account = ground.account()

    async def story(database):
        task_id = await _one(database, account.id)
        [claimed] = await _claim(database, lease_seconds=-1)
        ends = [_succeed, _fail, _give_up] * 3
        random.Random(seed).shuffle(ends)
        won = await asyncio.gather(*(end(database, claimed) for end in ends))
        return won, await _get(database, account.id, task_id), await _balance(database, account.id)

    won, task, balance = ground.run(story)
    assert sum(won) == 1
    assert balance == (1_000_000 - task.charged_mill, 0)
    assert len(task.files) == (task.status == SUCCESS)


def test_a_beat_renews_and_answers_only_what_is_still_its_worker_s(ground):
    account = ground.account()

    async def story(database):
        for _ in range(3):
            await _one(database, account.id)
        first, second, third = await _claim(database, tasks_max=3, lease_seconds=-1)
        await _succeed(database, second)
        await _requeue(database, third)
        [again] = await _claim(database)
        assert again.id == third.id
        beats = {(one.id, one.attempt): 0.5 for one in (first, second, third)}
        async with database.transaction() as tx:
            kept = await leases.beat(tx, beats, lease_seconds=60)
        return kept, first.id, (await _get(database, account.id, first.id)).progress

    kept, first_id, progress = ground.run(story)
    assert (kept, progress) == ({first_id: False}, 0.5)


def test_progress_never_goes_back_within_an_attempt(ground):
    account = ground.account()

    async def story(database):
        task_id = await _one(database, account.id)
        [claimed] = await _claim(database)
        for progress in (0.7, 0.2):
            async with database.transaction() as tx:
                await leases.beat(tx, {(task_id, claimed.attempt): progress}, lease_seconds=60)
        return (await _get(database, account.id, task_id)).progress

    assert ground.run(story) == pytest.approx(0.7)


async def _lost(database):
    async with database.statement() as tx:
        return await endings.lost(tx, tasks_max=10)


def test_a_task_lost_too_often_is_given_up_and_refunded(ground):
    account = ground.account()

    async def story(database):
        task_id = await _one(database, account.id)
        for strikes in range(STRIKES_MAX):
            assert (await _get(database, account.id, task_id)).status == PENDING
            await _claim(database, lease_seconds=-1)
            [lost] = await _lost(database)
            assert (lost.id, lost.strikes) == (task_id, strikes)
            async with database.transaction() as tx:
                assert await endings.recover(tx, lost, strikes_max=STRIKES_MAX)
        return await _get(database, account.id, task_id), await _balance(database, account.id)

    task, balance = ground.run(story)
    assert (task.status, task.error_code, task.charged_mill) == (FAILED, 6001, 0)
    assert (task.attempt, balance) == (STRIKES_MAX, (1_000_000, 0))


def test_a_worker_that_stops_in_good_order_gives_no_strike(ground):
    account = ground.account()

    async def story(database):
        await _one(database, account.id)
        for _ in range(STRIKES_MAX + 2):
            [claimed] = await _claim(database)
            assert await _requeue(database, claimed, strikes=0)
        [claimed] = await _claim(database)
        return claimed

    claimed = ground.run(story)
    assert (claimed.attempt, claimed.strikes) == (STRIKES_MAX + 3, 0)
