"""The schema moves forward only, once, whoever asks for it and however often."""

from __future__ import annotations

import asyncio

import msgspec
import psycopg
import pytest

from darkroom import errors
from darkroom.domain import leases
from darkroom.storage import migrate
from darkroom.storage.migrate import Migration
from ground import Ground

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
        apply(empty, msgspec.structs.replace(FIRST, text=b"SELECT 1"))


def test_a_database_that_cannot_be_had_is_said_so() -> None:
    with pytest.raises(errors.DatabaseUnavailable, match="cannot be reached"):
        apply("host=127.0.0.1 port=1 dbname=x connect_timeout=2", FIRST)


def test_tasks_of_a_database_without_lanes_go_on_in_one(empty: str) -> None:
    """A release with one queue for all had left a waiting and an ended task behind."""
    every = migrate.shipped()
    apply(empty, *every[:3])
    with psycopg.connect(empty) as connection:
        connection.execute(
            "INSERT INTO accounts (id, email, available_mill, held_mill)"
            " VALUES ('acc', 'a@b', 8, 1);"
            "INSERT INTO holds (id, account_id, mill, status, closed_at) VALUES"
            " ('task_1', 'acc', 1, 'open', NULL), ('task_2', 'acc', 1, 'settled', now());"
            "INSERT INTO ledger_entries (account_id, type, available_mill, held_mill,"
            " system_account, system_mill, hold_id) VALUES"
            " ('acc', 'grant', 10, 0, 'issued', -10, NULL),"
            " ('acc', 'hold', -1, 1, NULL, 0, 'task_1'), ('acc', 'hold', -1, 1, NULL, 0, 'task_2'),"
            " ('acc', 'settle', 0, -1, 'earned', 1, 'task_2');"
            "INSERT INTO rates (model, kind, unit, mill) VALUES ('M', 'text-to-image', 'image', 1);"
            "INSERT INTO batches (id, account_id, request_id, kind, model, input, rate_id)"
            " VALUES (1, 'acc', 'req', 'text-to-image', 'M', '{}', 1);"
            "INSERT INTO tasks (id, batch_id, account_id, position, model, seed, price_mill)"
            " VALUES ('task_1', 1, 'acc', 0, 'M', 0, 1);"
            "INSERT INTO tasks (id, batch_id, account_id, position, model, seed, price_mill,"
            " status, attempt, finished_at, charged_mill)"
            " VALUES ('task_2', 1, 'acc', 1, 'M', 0, 1, 'SUCCESS', 1, now(), 1)"
        )
    apply(empty, *every)
    ground = Ground(empty)
    assert ground.audit() == []

    async def claim(database):
        async with database.statement() as tx:
            return await leases.claim(tx, "w", leases.Wanted(["M"]), tasks_max=5, lease_seconds=60)

    assert [one.id for one in ground.run(claim)] == ["task_1"]
