"""Transactions, and what is said when the database is old, away or cut off."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from darkroom import errors
from darkroom.domain import accounts
from darkroom.storage.database import Database, refuse_old


def test_version_15_is_the_oldest_taken() -> None:
    refuse_old(150000)
    with pytest.raises(errors.DatabaseTooOld, match="PostgreSQL 14 is too old"):
        refuse_old(140012)


def test_an_address_without_a_database_is_refused_with_advice() -> None:
    async def story() -> None:
        await Database("host=127.0.0.1 port=1 connect_timeout=1").open()

    with pytest.raises(errors.DatabaseUnavailable, match="DARKROOM_DATABASE_URL"):
        asyncio.run(story())


def test_a_transaction_that_raises_leaves_nothing(ground) -> None:
    async def broken(database: Database) -> None:
        async with database.transaction() as tx:
            await accounts.create(tx, "a@example.com")
            raise RuntimeError

    async def story(database: Database) -> object:
        with pytest.raises(RuntimeError):
            await broken(database)
        async with database.statement() as tx:
            return await accounts.find(tx, "a@example.com")

    assert ground.run(story) is None


def test_a_cut_connection_is_unavailable_once_and_then_replaced(ground) -> None:
    async def cut(database: Database) -> None:
        async with database.statement() as tx:
            with psycopg.connect(ground.conninfo, autocommit=True) as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            await accounts.find(tx, "a@example.com")

    async def story(database: Database) -> None:
        with pytest.raises(errors.DatabaseUnavailable):
            await cut(database)
        await database.check()

    ground.run(story)


def test_listen_hears_what_is_notified(ground) -> None:
    async def story(database: Database) -> str:
        notices = database.listen("tasks")
        waiting = asyncio.ensure_future(anext(notices))
        while not waiting.done():
            with psycopg.connect(ground.conninfo, autocommit=True) as other:
                other.execute("NOTIFY tasks, 'one'")
            await asyncio.wait([waiting], timeout=0.05)
        await notices.aclose()
        return waiting.result()

    assert ground.run(story) == "one"
