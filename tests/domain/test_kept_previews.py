"""Previews: stored by the attempt that has the task alone, gone in the commit that ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from queueing import Queue, opened

from darkroom import errors
from darkroom.domain import endings, leases, previews
from darkroom.storage.database import Database
from ground import Ground

FIRST, SECOND = b"first", b"second"


def _story(ground: Ground, told: Callable[[Queue, str], Awaitable[Any]]) -> Any:
    """Run a story over a queue, for a fresh account."""
    account = ground.account()

    async def story(database: Database) -> Any:
        return await told(await opened(database), account.id)

    return ground.run(story)


async def _keep(queue: Queue, claimed: leases.Claim, picture: bytes) -> None:
    async with queue.database.statement() as tx:
        await previews.keep(tx, claimed, picture)


async def _seen(queue: Queue, account_id: str, task_id: str) -> bytes | None:
    """What the account sees; None where there is no preview."""
    try:
        async with queue.database.statement() as tx:
            return await previews.find(tx, account_id, task_id)
    except errors.FileNotFound:
        return None


def _rows(ground: Ground) -> int:
    with psycopg.connect(ground.conninfo) as connection:
        row = connection.execute("SELECT count(*) FROM previews").fetchone()
    assert row is not None
    return int(row[0])


async def _succeed(queue: Queue, claimed: leases.Claim, _: str) -> None:
    async with queue.database.transaction() as tx:
        assert await leases.succeed(tx, claimed, [], served_by="b", notes={})


async def _fail(queue: Queue, claimed: leases.Claim, _: str) -> None:
    await queue.end(claimed)


async def _give_back(queue: Queue, claimed: leases.Claim, _: str) -> None:
    async with queue.database.transaction() as tx:
        assert await leases.requeue(tx, claimed, delay_seconds=0, strikes=0)


async def _cancel(queue: Queue, claimed: leases.Claim, account_id: str) -> None:
    await queue.cancel(account_id, claimed.id)


async def _lose(queue: Queue, claimed: leases.Claim, _: str) -> None:
    async with queue.database.statement() as tx:
        await leases.beat(tx, {(claimed.id, claimed.attempt): 0.5}, lease_seconds=-1)
    async with queue.database.transaction() as tx:
        [lost] = await endings.lost(tx, tasks_max=10)
        assert await endings.recover(tx, lost, strikes_max=3)


@pytest.mark.parametrize("stop", [_succeed, _fail, _give_back, _cancel, _lose])
def test_however_a_run_stops_its_preview_goes_and_none_comes_behind(
    ground: Ground, stop: Callable[[Queue, leases.Claim, str], Awaitable[None]]
) -> None:
    async def told(queue: Queue, account_id: str) -> list[bytes | None]:
        [task_id] = await queue.submit(account_id)
        [claimed] = await queue.claim()
        seen = [await _seen(queue, account_id, task_id)]
        for picture in (FIRST, SECOND):
            await _keep(queue, claimed, picture)
            seen.append(await _seen(queue, account_id, task_id))
        await stop(queue, claimed, account_id)
        seen.append(await _seen(queue, account_id, task_id))
        await _keep(queue, claimed, FIRST)
        return [*seen, await _seen(queue, account_id, task_id)]

    assert _story(ground, told) == [None, FIRST, SECOND, None, None]
    assert _rows(ground) == 0


def test_an_attempt_that_lost_its_task_shows_nothing_of_the_next(ground: Ground) -> None:
    async def told(queue: Queue, account_id: str) -> bytes | None:
        [task_id] = await queue.submit(account_id)
        [old] = await queue.claim()
        await _give_back(queue, old, account_id)
        [new] = await queue.claim(worker_id="wrk_other")
        await _keep(queue, new, FIRST)
        await _keep(queue, old, SECOND)
        return await _seen(queue, account_id, task_id)

    assert _story(ground, told) == FIRST


def test_a_preview_is_its_account_s_and_an_operator_s(ground: Ground) -> None:
    other = ground.account()

    async def told(queue: Queue, account_id: str) -> bytes:
        [task_id] = await queue.submit(account_id)
        [claimed] = await queue.claim()
        await _keep(queue, claimed, FIRST)
        with pytest.raises(errors.TaskNotFound):
            await _seen(queue, other.id, task_id)
        async with queue.database.statement() as tx:
            return await previews.inspect(tx, task_id)

    assert _story(ground, told) == FIRST


def test_one_that_is_stored_while_its_task_ends_does_not_outlive_it(ground: Ground) -> None:
    async def told(queue: Queue, account_id: str) -> None:
        await queue.submit(account_id, 20)
        claims = await queue.claim(20)
        await asyncio.gather(
            *(work(queue, one) for one in claims for work in (_keep_many, Queue.end))
        )

    _story(ground, told)
    assert _rows(ground) == 0


async def _keep_many(queue: Queue, claimed: leases.Claim) -> None:
    for _ in range(5):
        await _keep(queue, claimed, FIRST)


def test_what_is_larger_than_is_kept_is_refused(ground: Ground) -> None:
    async def told(queue: Queue, account_id: str) -> None:
        await queue.submit(account_id)
        [claimed] = await queue.claim()
        with pytest.raises(errors.StatementRefused):
            await _keep(queue, claimed, bytes(2**16 + 1))

    _story(ground, told)
