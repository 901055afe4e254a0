"""The auditor: audits that are due or asked for are run once and kept, whoever is killed."""

from __future__ import annotations

import asyncio

import psycopg

from darkroom.domain import audits
from darkroom.engine.auditor import Auditor
from darkroom.storage.database import Database
from ground import Ground, wait_until


async def _until_ended(database: Database, count: int) -> list[audits.Audit]:
    for _ in range(600):
        async with database.statement() as tx:
            found = [one for one in await audits.list_all(tx) if one.ended_at is not None]
        if len(found) >= count:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"fewer than {count} audits ended within 30 seconds")


async def _run(
    database: Database, hours: float, count: int, daemons: int = 1
) -> list[audits.Audit]:
    stop = asyncio.Event()
    running = [asyncio.create_task(Auditor(database, hours).run(stop)) for _ in range(daemons)]
    try:
        return await _until_ended(database, count)
    finally:
        stop.set()
        await asyncio.gather(*running)


async def _ask(database: Database) -> bool:
    async with database.statement() as tx:
        return await audits.ask(tx, "boss@example.com")


def test_the_first_audit_is_due_at_once_and_kept(ground):
    ground.account()
    [audit] = ground.run(lambda database: _run(database, 24, 1, daemons=3))
    assert (audit.is_ok, audit.asked_by) == (True, None)
    assert audit.result is not None
    assert audit.result["totals"]["accounts"] == 1
    assert [check["ok"] for check in audit.result["checks"]]


def test_an_audit_is_asked_for_once_at_a_time(ground):
    async def story(database):
        assert await _ask(database)
        assert not await _ask(database)
        await _run(database, 0, 1)
        assert await _ask(database)
        return await _run(database, 0, 2)

    found = ground.run(story)
    assert [one.asked_by for one in found] == ["boss@example.com"] * 2


def test_zero_hours_wait_to_be_asked(ground):
    async def story(database):
        async with database.transaction() as tx:
            return await audits.claim(tx, hours=0)

    assert ground.run(story) is None


def test_what_is_wrong_is_kept(ground):
    account = ground.account(credits_given=5)
    with psycopg.connect(ground.conninfo, autocommit=True) as connection:
        connection.execute("UPDATE accounts SET available_mill = available_mill + 1")
    [audit] = ground.run(lambda database: _run(database, 24, 1))
    with psycopg.connect(ground.conninfo, autocommit=True) as connection:
        connection.execute("UPDATE accounts SET available_mill = available_mill - 1")
    assert audit.is_ok is False
    assert audit.result is not None
    wrong = [check for check in audit.result["checks"] if not check["ok"]]
    assert account.id in str(wrong)


def test_an_audit_whose_daemon_is_gone_is_begun_again(ground):
    async def story(database):
        await _ask(database)
        async with database.transaction() as tx:
            first = await audits.claim(tx, hours=0)
            assert await audits.claim(tx, hours=0) is None
        with psycopg.connect(ground.conninfo, autocommit=True) as connection:
            connection.execute("UPDATE audits SET lease_until = now() - interval '1 second'")
        async with database.transaction() as tx:
            assert await audits.claim(tx, hours=0) == first

    ground.run(story)


def _waits_for_a_lock(ground: Ground) -> bool:
    with psycopg.connect(ground.conninfo) as connection:
        [[waits]] = connection.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_locks JOIN pg_database d ON d.oid = database"
            " WHERE NOT granted AND datname = current_database())"
        ).fetchall()
    return bool(waits)


def test_a_stop_leaves_the_audit_to_another_daemon(ground):
    """The audit waits for a lock while its daemon is told to stop."""

    async def story(database):
        await _ask(database)
        stop = asyncio.Event()
        async with await psycopg.AsyncConnection.connect(ground.conninfo) as blocking:
            await blocking.execute("LOCK TABLE holds")
            running = asyncio.create_task(Auditor(database, 0).run(stop))
            await asyncio.to_thread(wait_until, lambda: _waits_for_a_lock(ground), what="the audit")
            stop.set()
            await asyncio.wait_for(running, 10)

    async def is_claimed(database):
        async with database.transaction() as tx:
            return await audits.claim(tx, hours=0) is not None

    ground.run(story)
    # PostgreSQL may need a moment to see that the first daemon's connection is gone.
    wait_until(lambda: ground.run(is_claimed), what="the audit's place")
