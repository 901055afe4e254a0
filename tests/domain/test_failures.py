"""Failures: how often each class is forgiven, after which pause, and by whom the task is tried."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from darkroom import config, errors, ids
from darkroom.domain import accounts, failures, leases, rates, tasks
from darkroom.engine import sweep

KIND = "text-to-image"


def _met(strikes: int, crashes: int) -> leases.Claim:
    return leases.Claim("task", 1, strikes, "acc", 7, 100, 0, KIND, "M", {}, crashes)


@pytest.mark.parametrize(
    ("error", "strikes", "crashes", "again"),
    [
        (errors.BadInput, 0, 0, False),
        (errors.BackendFailed, 0, 0, False),
        (errors.TimedOut, 0, 0, False),
        (errors.Canceled, 0, 0, False),
        (errors.BackendCrashed, 2, 0, True),
        (errors.BackendCrashed, 0, 1, False),
        (errors.OutOfMemory, 2, 0, True),
        (errors.OutOfMemory, 0, 1, False),
        (errors.Hindered, 1, 1, True),
        (errors.Hindered, 2, 0, False),
    ],
)
def test_each_class_is_forgiven_as_often_as_it_says(error, strikes, crashes, again) -> None:
    assert failures.is_tried_again(_met(strikes, crashes), error()) is again


async def _waiting(database, account_id):
    """The id of one waiting task of model M."""
    async with database.transaction() as tx:
        found = await rates.publish(tx, [rates.Asked("M", KIND, "image", 100)])
        asked = tasks.Submission(
            account_id=account_id,
            api_key_id=None,
            request_id=ids.new("req"),
            kind=KIND,
            model="M",
            input={"fields": {}, "files": {}},
            rate_id=found["M", KIND].id,
            price_mill=100,
            count=1,
            seed=7,
        )
        [batch] = await tasks.submit(tx, [asked])
    return batch.task_ids[0]


async def _claim(database, worker, lease_seconds=60.0):
    async with database.statement() as tx:
        return await leases.claim(
            tx, worker, leases.Wanted(["M"]), tasks_max=1, lease_seconds=lease_seconds
        )


async def _end(database, claimed, error):
    async with database.transaction() as tx:
        return await failures.end(tx, claimed, error, served_by="b")


async def _asked(database, query):
    """The one row that a query answers, asked behind Darkroom's back."""
    async with await psycopg.AsyncConnection.connect(database.conninfo) as connection:
        return await (await connection.execute(query)).fetchone()


async def _wait_since(database, seconds):
    """Let the pause of the waiting task be over for so long, by the clock that decides."""
    query = f"UPDATE tasks SET not_before = now() - interval '{seconds} s' RETURNING id"
    assert await _asked(database, query)


def test_a_failed_task_is_another_worker_s_until_the_grace_is_over(ground) -> None:
    account = ground.account()

    async def story(database):
        await _waiting(database, account.id)
        [first] = await _claim(database, "a")
        assert await _end(database, first, errors.Hindered())
        await _wait_since(database, 0)
        assert await _claim(database, "a") == []
        [second] = await _claim(database, "b")
        assert await _end(database, second, errors.BackendCrashed())
        # Who failed it before is forgotten: only the last worker is avoided.
        await _wait_since(database, 0)
        assert await _claim(database, "b") == []
        [third] = await _claim(database, "a")
        assert await _end(database, third, errors.Hindered())
        await _wait_since(database, config.AVOID_SECONDS + 1)
        [fourth] = await _claim(database, "a")
        return [(one.strikes, one.crashes) for one in (first, second, third, fourth)]

    assert ground.run(story) == [(0, 0), (1, 0), (1, 1), (2, 1)]


def test_a_task_of_a_lost_worker_is_another_s_first(ground) -> None:
    account = ground.account()

    async def story(database):
        await _waiting(database, account.id)
        await _claim(database, "a", lease_seconds=-1)
        assert await sweep.recover_tasks(database) == 1
        await _wait_since(database, 0)
        assert await _claim(database, "a") == []
        [claimed] = await _claim(database, "b")
        return claimed.strikes, claimed.crashes

    assert ground.run(story) == (1, 0)


def test_the_pause_before_another_attempt_doubles(ground) -> None:
    account = ground.account()

    async def story(database):
        await _waiting(database, account.id)
        for seconds, error in ((1, errors.BackendCrashed), (2, errors.Hindered)):
            await _wait_since(database, 60)
            [claimed] = await _claim(database, "a")
            [before] = await _asked(database, "SELECT now()")
            assert await _end(database, claimed, error())
            [until, after] = await _asked(database, "SELECT not_before, now() FROM tasks")
            assert before <= until - timedelta(seconds=seconds) <= after

    ground.run(story)


@pytest.mark.parametrize("error", [errors.BackendCrashed, errors.OutOfMemory])
def test_a_task_that_cost_two_children_is_given_up_and_refunded(ground, error) -> None:
    account = ground.account()

    async def story(database):
        task_id = await _waiting(database, account.id)
        for worker in ("a", "b"):
            await _wait_since(database, 0)
            [claimed] = await _claim(database, worker)
            assert await _end(database, claimed, error("It broke."))
        async with database.statement() as tx:
            [task] = (await tasks.get_many(tx, [(account.id, task_id)])).values()
            owner = await accounts.get(tx, account.id)
        return task, (owner.available_mill, owner.held_mill)

    task, money = ground.run(story)
    assert (task.status, task.error_code, task.charged_mill) == (tasks.FAILED, error.code, 0)
    assert task.error == "It broke. The task was given up after 2 attempts of this kind."
    assert money == (1_000_000, 0)
