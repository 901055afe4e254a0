"""Announcing: whatever ends a task writes its deliveries, in the same commit and once each."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg.rows import namedtuple_row
from queueing import Queue, opened

from darkroom import errors
from darkroom.domain import endings, leases, webhook_endpoints, webhooks

URL = "https://example.com/hook"


def written(ground, query: str = "SELECT * FROM webhook_deliveries ORDER BY id") -> list[Any]:
    with psycopg.connect(ground.conninfo, row_factory=namedtuple_row) as connection:
        return connection.execute(query).fetchall()


def _story(ground, told):
    async def story(database):
        return await told(await opened(database))

    return ground.run(story)


async def _end(queue: Queue, account_id: str, how: str, **more: Any) -> str:
    """The id of a task that ended this way."""
    more.setdefault("webhook_url", URL)
    more.setdefault("webhook_events", ["ended"])
    deadline = {"deadline_seconds": 0} if how == "expire" else {}
    [task_id] = await queue.submit(account_id, **deadline, **more)
    claimed = None
    if how not in ("cancel", "expire"):
        [claimed] = await queue.claim()
    async with queue.database.transaction() as tx:
        if how == "succeed":
            assert await leases.succeed(tx, claimed, [], served_by="b", notes={})
        elif how == "fail":
            assert await leases.fail(tx, claimed, errors.BackendFailed(), served_by="b")
        elif how == "cancel":
            await endings.cancel(tx, account_id, task_id)
        elif how == "expire":
            assert await endings.expire(tx) == task_id
        else:
            await tx.run(
                "tasks.beat", ids=[task_id], attempts=[1], progresses=[0], lease_seconds=-1
            )
            [lost] = await endings.lost(tx, tasks_max=1)
            assert await endings.recover(tx, lost, strikes_max=1)
    return task_id


@pytest.mark.parametrize("how", ["succeed", "fail", "cancel", "expire", "recover"])
def test_every_way_to_end_announces_it_once(ground, how):
    account = ground.account()
    task_id = _story(ground, lambda queue: _end(queue, account.id, how))
    [one] = written(ground)
    assert (one.task_id, one.account_id, one.url) == (task_id, account.id, URL)
    assert (one.type, one.status, one.attempts, one.endpoint_id) == (
        "task.ended",
        "PENDING",
        0,
        None,
    )
    assert one.host == "example.com"
    assert one.id.startswith("msg_")


class _Broken(Exception):
    """The end of a transaction that does not commit."""


async def _cancel_without_commit(queue: Queue, account_id: str, task_id: str) -> None:
    async with queue.database.transaction() as tx:
        await endings.cancel(tx, account_id, task_id)
        raise _Broken


def test_an_end_that_is_rolled_back_announces_nothing(ground):
    account = ground.account()

    async def told(queue: Queue):
        [task_id] = await queue.submit(account.id, webhook_url=URL, webhook_events=["ended"])
        with pytest.raises(_Broken):
            await _cancel_without_commit(queue, account.id, task_id)

    _story(ground, told)
    assert written(ground) == []


def test_who_did_not_ask_is_not_told(ground):
    account, other = ground.account(), ground.account()

    async def told(queue: Queue):
        async with queue.database.transaction() as tx:
            await webhook_endpoints.create(tx, other.id, URL, ["ended"])
            await webhook_endpoints.create(tx, account.id, URL, ["started"])
        await _end(queue, account.id, "succeed", webhook_url=None)
        await _end(queue, account.id, "succeed", webhook_events=["started", "progress"])

    _story(ground, told)
    assert written(ground) == []


def test_an_address_that_is_also_an_endpoint_is_told_once(ground):
    account = ground.account()

    async def told(queue: Queue):
        async with queue.database.transaction() as tx:
            await webhook_endpoints.create(tx, account.id, URL, ["ended", "output"])
            await webhook_endpoints.create(tx, account.id, "https://b.example/", ["ended"])
            gone = await webhook_endpoints.create(tx, account.id, "https://c.example/", ["ended"])
            await webhook_endpoints.disable(tx, gone.id, "a test")
        await _end(queue, account.id, "succeed", webhook_events=["ended", "output"])

    _story(ground, told)
    found = [(one.url, one.type, one.endpoint_id is None) for one in written(ground) if one.task_id]
    assert sorted(found) == [
        ("https://b.example/", "task.ended", False),
        (URL, "task.ended", True),
        (URL, "task.output", True),
    ]
    assert len({one.id for one in written(ground)}) == len(written(ground))


def test_news_of_progress_waits_for_what_nobody_has_taken_yet(ground):
    account = ground.account()

    async def told(queue: Queue):
        [task_id] = await queue.submit(account.id, webhook_url=URL, webhook_events=["progress"])
        for _ in range(3):
            async with queue.database.transaction() as tx:
                await webhooks.announce(tx, [task_id], webhooks.PROGRESS)

    _story(ground, told)
    assert len(written(ground)) == 1


def test_ends_of_a_task_that_race_announce_it_once(ground):
    account = ground.account()

    async def told(queue: Queue):
        for _ in range(20):
            [task_id] = await queue.submit(account.id, webhook_url=URL, webhook_events=["ended"])
            [claimed] = await queue.claim()

            async def succeed(claimed=claimed):
                async with queue.database.transaction() as tx:
                    await leases.succeed(tx, claimed, [], served_by="b", notes={})

            async def fail(claimed=claimed):
                async with queue.database.transaction() as tx:
                    await leases.fail(tx, claimed, errors.BackendFailed(), served_by="b")

            await asyncio.gather(succeed(), fail(), queue.cancel(account.id, task_id))

    _story(ground, told)
    assert len(written(ground)) == 20
