"""The schema moves forward only, once, whoever asks for it and however often."""

from __future__ import annotations

import asyncio
import dataclasses

import psycopg
import pytest

from darkroom import errors
from darkroom.storage import migrate
from darkroom.storage.migrate import Migration

FIRST = Migration(1, "first", b"CREATE TABLE a (x integer); INSERT INTO a VALUES (1)")
SECOND = Migration(2, "second", b"INSERT INTO a VALUES (2)")


@pytest.fixture
def empty(database_conninfo: str) -> str:
    """Conninfo of a database without a schema of ours."""
    with psycopg.connect(database_conninfo) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return database_conninfo


def apply(conninfo: str, *migrations: Migration) -> list[int]:
    return [one.version for one in asyncio.run(migrate.migrate(conninfo, [*migrations]))]


def rows(conninfo: str) -> list[int]:
    with psycopg.connect(conninfo) as connection:
        return [x for (x,) in connection.execute("SELECT x FROM a ORDER BY x").fetchall()]


def test_applies_what_is_missing_in_order_and_nothing_twice(empty: str) -> None:
    assert apply(empty, FIRST) == [1]
    assert apply(empty, FIRST, SECOND) == [2]
    assert apply(empty, FIRST, SECOND) == []
    assert rows(empty) == [1, 2]


def test_processes_that_start_together_take_turns(empty: str) -> None:
    async def all_at_once() -> list[list[Migration]]:
        return await asyncio.gather(*(migrate.migrate(empty, [FIRST, SECOND]) for _ in range(8)))

    done = asyncio.run(all_at_once())
    assert sorted(len(one) for one in done) == [0] * 7 + [2]
    assert rows(empty) == [1, 2]


def test_a_failed_migration_leaves_nothing(empty: str) -> None:
    broken = Migration(2, "broken", b"INSERT INTO a VALUES (2); SELECT nonsense")
    with pytest.raises(psycopg.errors.UndefinedColumn):
        apply(empty, FIRST, broken)
    assert rows(empty) == [1]
    assert apply(empty, FIRST, SECOND) == [2]


def test_a_database_newer_than_the_code_is_refused(empty: str) -> None:
    apply(empty, FIRST, SECOND)
    with pytest.raises(errors.DatabaseTooNew, match="newer release"):
        apply(empty, FIRST)


def test_a_migration_that_was_changed_is_refused(empty: str) -> None:
    apply(empty, FIRST)
    with pytest.raises(errors.DatabaseCorrupt, match="first"):
        apply(empty, dataclasses.replace(FIRST, text=b"SELECT 1"))


def test_a_database_that_cannot_be_had_is_said_so() -> None:
    with pytest.raises(errors.DatabaseUnavailable, match="cannot be reached"):
        apply("host=127.0.0.1 port=1 dbname=x connect_timeout=2", FIRST)
