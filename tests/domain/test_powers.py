"""Powers: what an operator may do, each deed written down with it and undone with it."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from queueing import opened

from darkroom import errors
from darkroom.domain import accounts, acts, api_keys, inspections, powers, tasks
from darkroom.domain.acts import Actor
from darkroom.domain.tasks import Batch
from darkroom.engine import sweep

BOSS = Actor("boss@example.com", "acc_boss", "req_1", "203.0.113.7")


def _do(ground, power, *given, **named):
    async def story(database):
        async with database.transaction() as tx:
            return await power(tx, BOSS, *given, **named)

    return ground.run(story)


def _acts(ground, **wanted):
    async def story(database):
        async with database.statement() as tx:
            return await acts.list_all(tx, acts.Filter(**wanted))

    return ground.run(story)


def test_a_grant_is_an_act_with_who_asked_for_it(ground):
    account = ground.account(credits_given=0)
    assert _do(ground, powers.grant, account.id, 5500, "for the demo").available_mill == 5500
    [act] = _acts(ground, account_id=account.id)
    assert (act.verb, act.subject, act.actor, act.actor_id) == (
        "account.grant",
        account.id,
        BOSS.name,
        BOSS.account_id,
    )
    assert (act.request_id, act.ip) == (BOSS.request_id, BOSS.ip)
    assert act.after is not None
    assert (act.after["credits"], act.after["note"]) == (5.5, "for the demo")


def test_a_deed_that_is_refused_leaves_no_act(ground):
    account = ground.account(credits_given=0)
    with pytest.raises(errors.BadParameter):
        _do(ground, powers.grant, account.id, 0, "nothing")
    assert _acts(ground) == []


@pytest.mark.parametrize("change", ["UPDATE acts SET actor = 'x'", "DELETE FROM acts"])
def test_an_act_never_changes(ground, change):
    _do(ground, powers.grant, ground.account(0).id, 1, "a mill")
    with (
        psycopg.connect(ground.conninfo) as connection,
        pytest.raises(psycopg.errors.IntegrityError, match="append-only"),
    ):
        connection.execute(change)


def test_a_limit_tells_what_was_before_and_what_is_after(ground):
    account = ground.account()
    _do(ground, powers.limit, account.id, accounts.Limits(running_max=3, requests_per_minute=60))
    [act] = _acts(ground, verb="account.limit")
    assert act.before is not None
    assert act.after is not None
    assert (act.before["running_max"], act.after["running_max"]) == (64, 3)
    assert (act.before["requests_per_minute"], act.after["requests_per_minute"]) == (None, 60)


def test_a_revoked_key_is_an_act_of_its_account(ground):
    account = ground.account()
    mask = api_keys.mask(ground.key(account.id))
    [key] = _do(ground, powers.revoke_key, mask)
    [act] = _acts(ground, account_id=account.id)
    assert (act.verb, act.subject) == ("key.revoke", key.id)
    assert _do(ground, powers.revoke_key, mask) == []
    assert len(_acts(ground)) == 1


def test_acts_are_listed_the_newest_first_from_any_place(ground):
    account = ground.account()
    for amount in range(1, 6):
        _do(ground, powers.grant, account.id, amount, "some")

    async def story(database):
        async with database.statement() as tx:
            first = await acts.list_all(tx, acts.Filter(), rows_max=3)
            return first, await acts.list_all(tx, acts.Filter(), before=first[-1].id)

    first, rest = ground.run(story)
    assert [act.id for act in (*first, *rest)] == sorted(
        (act.id for act in _acts(ground)), reverse=True
    )
    assert len(rest) == 2


def test_the_last_admin_keeps_the_rights(ground):
    first, second = ground.account(), ground.account()
    for one in (first, second):
        assert _do(ground, powers.set_admin, one.id, is_admin=True).is_admin
    assert not _do(ground, powers.set_admin, first.id, is_admin=False).is_admin
    with pytest.raises(errors.BadParameter, match="last admin"):
        _do(ground, powers.set_admin, second.id, is_admin=False)


def test_admins_who_take_each_other_s_rights_at_once_leave_one(ground):
    pair = [ground.account(), ground.account()]
    for one in pair:
        _do(ground, powers.set_admin, one.id, is_admin=True)

    async def story(database):
        async def take(account_id):
            async with database.transaction() as tx:
                await powers.set_admin(tx, BOSS, account_id, is_admin=False)

        outcomes = await asyncio.gather(*(take(one.id) for one in pair), return_exceptions=True)
        async with database.statement() as tx:
            left = [one for one in await accounts.list_all(tx) if one.is_admin]
        return outcomes, left

    outcomes, left = ground.run(story)
    assert len(left) == 1
    assert sum(isinstance(one, errors.BadParameter) for one in outcomes) == 1


def test_an_admin_s_account_is_not_suspended(ground):
    account = ground.account()
    _do(ground, powers.set_admin, account.id, is_admin=True)
    with pytest.raises(errors.BadParameter, match="admin rights"):
        _do(ground, powers.suspend, account.id, "why not", cancel_waiting=False)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_a_suspension_needs_a_reason(ground, reason):
    with pytest.raises(errors.BadParameter) as refused:
        _do(ground, powers.suspend, ground.account().id, reason, cancel_waiting=False)
    assert refused.value.field == "reason"


def test_a_suspension_is_told_and_ended(ground):
    account = ground.account()
    suspended = _do(ground, powers.suspend, account.id, "unpaid", cancel_waiting=False)
    assert (suspended.reason, suspended.is_emptying) == ("unpaid", False)
    changed = _do(ground, powers.suspend, account.id, "still unpaid", cancel_waiting=True)
    assert changed.suspended_at == suspended.suspended_at
    assert _do(ground, powers.resume, account.id).suspended_at is None
    assert [act.verb for act in _acts(ground, account_id=account.id)] == [
        *("account.resume", "account.suspend", "account.suspend")
    ]


@pytest.mark.parametrize("cancels", [True, False])
def test_what_waits_of_a_suspended_account_is_left_or_canceled_as_the_operator_wants(
    ground, cancels
):
    account, other = ground.account(), ground.account()

    async def story(database):
        queue = await opened(database)
        await queue.limit(account.id, running_max=3)
        mine = await queue.submit(account.id, 7)
        theirs = await queue.submit(other.id, 2)
        [running] = await queue.claim()
        async with database.transaction() as tx:
            await powers.suspend(tx, BOSS, account.id, "unpaid", cancel_waiting=cancels)
        for _ in range(4):
            await sweep.empty_suspended(database)
        async with database.statement() as tx:
            found = await tasks.get_many(
                tx, [(account.id, one) for one in mine] + [(other.id, one) for one in theirs]
            )
            left = await inspections.accounts(tx, account.email)
        return running.id, found, left

    running_id, found, [known] = ground.run(story)
    states = {task.id: task.status for task in found.values()}
    waiting = tasks.FAILED if cancels else tasks.PENDING
    assert states.pop(running_id) == tasks.PROCESSING
    assert [task.status for task in found.values() if task.account_id == other.id] == [
        *(tasks.PENDING, tasks.PENDING)
    ]
    ours = [task.status for (owner, _), task in found.items() if owner == account.id]
    assert sorted(ours) == sorted([tasks.PROCESSING] + [waiting] * 6)
    assert known.suspended_at is not None


def test_a_resumed_account_s_waiting_tasks_are_left(ground):
    account = ground.account()

    async def story(database):
        queue = await opened(database)
        await queue.submit(account.id, 3)
        async with database.transaction() as tx:
            await powers.suspend(tx, BOSS, account.id, "unpaid", cancel_waiting=True)
            await powers.resume(tx, BOSS, account.id)
        await sweep.empty_suspended(database)
        return len(await queue.claim(3))

    assert ground.run(story) == 3


def test_a_task_is_canceled_for_its_owner(ground):
    account = ground.account()

    async def story(database):
        queue = await opened(database)
        [task_id] = await queue.submit(account.id)
        async with database.transaction() as tx:
            done = await powers.cancel_task(tx, BOSS, task_id)
        with pytest.raises(errors.BadParameter, match="ended already"):
            async with database.transaction() as tx:
                await powers.cancel_task(tx, BOSS, task_id)
        return done

    assert ground.run(story).task.status == tasks.FAILED
    [act] = _acts(ground, account_id=account.id)
    assert act.after == {"status": "FAILED", "effect": "ended"}


def test_a_failed_task_is_run_again_as_a_new_batch_at_its_price(ground):
    account = ground.account()

    async def story(database):
        queue = await opened(database)
        [task_id] = await queue.submit(account.id, caller_id=9, priority=3)
        with pytest.raises(errors.BadParameter, match="failed"):
            async with database.transaction() as tx:
                await powers.retry_task(tx, BOSS, task_id)
        [claimed] = await queue.claim()
        await queue.end(claimed)
        async with database.transaction() as tx:
            batch = await powers.retry_task(tx, BOSS, task_id)
        async with database.statement() as tx:
            first = await inspections.open_task(tx, task_id)
            return first, batch, await inspections.open_task(tx, batch.task_ids[0])

    first, batch, again = ground.run(story)
    assert isinstance(batch, Batch)
    assert (again.status, again.price_mill, again.seed) == (
        tasks.PENDING,
        first.price_mill,
        first.seed,
    )
    assert (again.input, again.caller_id, again.priority) == (first.input, 9, 3)
    assert (again.rate_id, again.request_id) == (first.rate_id, BOSS.request_id)
    assert (first.hold_status, again.hold_status) == ("refunded", "open")
    [act] = _acts(ground, verb="task.retry")
    assert act.after == {"batch_id": batch.id, "task_id": again.id}


def test_a_task_is_not_run_again_on_credits_that_are_not_there(ground):
    account = ground.account(credits_given=1)

    async def story(database):
        queue = await opened(database)
        [task_id] = await queue.submit(account.id)
        [claimed] = await queue.claim()
        await queue.end(claimed)
        await queue.submit(account.id, 1000)
        async with database.transaction() as tx:
            await powers.retry_task(tx, BOSS, task_id)

    with pytest.raises(errors.InsufficientCredits):
        ground.run(story)
    assert _acts(ground) == []


def test_nobody_s_task_is_not_found(ground):
    with pytest.raises(errors.TaskNotFound):
        _do(ground, powers.cancel_task, "task_none")
