"""Statements that leave together: answered in order, undone together, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from darkroom import errors
from darkroom.domain import accounts, call_records, lanes, ledger
from darkroom.storage.database import Database, Transaction
from ground import Ground, wait_until

Story = Callable[[Transaction], Awaitable[Any]]


async def create(tx: Transaction) -> accounts.Account:
    return await accounts.create(tx, "a@example.com")


async def look(tx: Transaction) -> accounts.Account | None:
    return await accounts.find(tx, "a@example.com")


async def hold_less_than_nothing(tx: Transaction) -> None:
    """The last statement answers nothing and is refused: the commit is the first to hear of it."""
    await create(tx)
    await hold(tx)


async def hold_then_look(tx: Transaction) -> object:
    """A statement behind the refused one, and never prepared before."""
    await hold(tx)
    return await look(tx)


async def break_off(tx: Transaction) -> None:
    await create(tx)
    raise RuntimeError


async def hold(tx: Transaction) -> None:
    await ledger.hold(tx, [ledger.Hold("task_1", "acc_nobody", -1)])


async def told(database: Database, *stories: Story) -> list[Any]:
    """What transactions that follow each other answer or raise."""
    answers: list[Any] = []
    for story in stories:
        try:
            async with database.transaction() as tx:
                answer = await story(tx)
        except (errors.StatementRefused, RuntimeError) as exc:
            answer = exc
        answers.append(answer)
    return answers


def asked(ground: Ground, condition: str) -> set[int]:
    """The connections to the database of which this is true."""
    with psycopg.connect(ground.conninfo, autocommit=True) as other:
        rows = other.execute(
            f"SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
            f"AND pid <> pg_backend_pid() AND {condition}"
        ).fetchall()
    return {pid for (pid,) in rows}


@pytest.mark.parametrize("bad", [hold_less_than_nothing, hold_then_look, break_off])
def test_what_is_refused_or_breaks_off_leaves_nothing_and_spoils_nothing(ground, bad) -> None:
    async def story(database: Database) -> list[Any]:
        answers = await told(database, bad, look, create, look)
        assert len(asked(ground, "true")) == 1
        return answers

    refused, after, made, found = ground.run(story)
    assert isinstance(refused, errors.StatementRefused | RuntimeError)
    assert after is None
    assert made == found


def test_a_refused_statement_that_commits_alone_spoils_nothing(ground) -> None:
    async def story(database: Database) -> object:
        with pytest.raises(errors.StatementRefused):
            async with database.statement() as tx:
                await hold(tx)
        async with database.statement() as tx:
            await create(tx)
        return (await told(database, look))[0], len(asked(ground, "true"))

    found, connections = ground.run(story)
    assert found is not None
    assert connections == 1


def test_a_write_larger_than_every_buffer_arrives(ground) -> None:
    record = call_records.CallRecord("req_1", datetime.now(UTC), "GET", "/" * 20_000_000, 200, 1.0)

    async def story(database: Database) -> object:
        return await told(database, lambda tx: call_records.write(tx, [record]), create)

    first, second = ground.run(story)
    assert first is None
    assert second.email == "a@example.com"


@dataclass
class Locked:
    """A story that waits for an account that another has locked."""

    account: accounts.Account

    async def __call__(self, tx: Transaction) -> None:
        await lanes.lock(tx, {self.account.id})


def test_a_wait_that_is_broken_off_closes_its_connection(ground) -> None:
    async def story(database: Database) -> tuple[set[int], object]:
        [account] = await told(database, create)
        with psycopg.connect(ground.conninfo) as other:
            other.execute("SELECT 1 FROM accounts FOR UPDATE")
            waiting = asyncio.create_task(told(database, Locked(account)))
            blocked = await asyncio.to_thread(
                wait_until, lambda: asked(ground, "wait_event_type = 'Lock'")
            )
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
        [found] = await told(database, look)
        await asyncio.to_thread(wait_until, lambda: not blocked & asked(ground, "true"))
        return found == account

    assert ground.run(story)
