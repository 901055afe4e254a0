"""The ledger's invariants, each by its name, races included."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from darkroom import errors, ids
from darkroom.domain import accounts, lanes, ledger
from darkroom.domain.ledger import Hold
from darkroom.storage.database import Database
from ground import Ground


async def _hold(database: Database, account_id: str, mill: int) -> str | None:
    """Hold as submit does: lock, look, hold; None when the credits do not suffice."""
    async with database.transaction() as tx:
        owner = (await lanes.lock(tx, {account_id}))[account_id]
        if owner.available_mill < mill:
            return None
        hold = Hold(ids.new("task"), account_id, mill)
        await ledger.hold(tx, [hold])
        return hold.id


async def _balance(database: Database, account_id: str) -> tuple[int, int]:
    async with database.statement() as tx:
        account = await accounts.get(tx, account_id)
    return account.available_mill, account.held_mill


def test_every_movement_is_an_entry(ground):
    account = ground.account(credits_given=0)

    async def story(database):
        async with database.transaction() as tx:
            await ledger.grant(tx, account.id, 1000, "a gift")
        first, second = [await _hold(database, account.id, 300) for _ in range(2)]
        async with database.transaction() as tx:
            await ledger.settle(tx, first, 300)
        async with database.transaction() as tx:
            await ledger.refund(tx, second)
        async with database.statement() as tx:
            return await ledger.entries(tx, account.id)

    moved = [(e.type, e.available_mill, e.held_mill, e.system_mill) for e in ground.run(story)]
    assert moved == [
        ("grant", 1000, 0, -1000),
        ("hold", -300, 300, 0),
        ("hold", -300, 300, 0),
        ("settle", 0, -300, 300),
        ("refund", 300, -300, 0),
    ]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger_entries SET note = 'x'",
        "DELETE FROM ledger_entries",
        "TRUNCATE ledger_entries",
    ],
)
def test_entries_never_change(ground, change):
    ground.account()
    with (
        psycopg.connect(ground.conninfo) as connection,
        pytest.raises(psycopg.errors.IntegrityError, match="append-only"),
    ):
        connection.execute(change)


@pytest.mark.parametrize("column", ["available_mill", "held_mill"])
def test_available_and_held_never_go_below_zero(ground, column):
    ground.account()
    with (
        psycopg.connect(ground.conninfo) as connection,
        pytest.raises(psycopg.errors.CheckViolation),
    ):
        connection.execute(f"UPDATE accounts SET {column} = -1")


def test_hold_beyond_available_is_refused_by_the_schema(ground):
    account = ground.account(credits_given=1)

    async def story(database):
        async with database.transaction() as tx:
            await ledger.hold(tx, [Hold(ids.new("task"), account.id, 1001)])

    with pytest.raises(errors.StatementRefused, match="available_mill_check"):
        ground.run(story)


def test_settle_returns_the_rest_of_the_hold(ground):
    account = ground.account(credits_given=1)

    async def story(database):
        hold = await _hold(database, account.id, 1000)
        async with database.transaction() as tx:
            await ledger.settle(tx, hold, 400)
        return await _balance(database, account.id)

    assert ground.run(story) == (600, 0)


def test_settle_takes_at_most_the_hold(ground):
    account = ground.account(credits_given=1)

    async def story(database):
        hold = await _hold(database, account.id, 500)
        async with database.transaction() as tx:
            await ledger.settle(tx, hold, 501)

    with pytest.raises(errors.HoldNotOpen):
        ground.run(story)


@pytest.mark.parametrize("first", ["settle", "refund"])
@pytest.mark.parametrize("second", ["settle", "refund"])
def test_a_hold_is_closed_once(ground, first, second):
    account = ground.account(credits_given=1)

    async def close(database, verb, hold):
        async with database.transaction() as tx:
            await (ledger.settle(tx, hold, 500) if verb == "settle" else ledger.refund(tx, hold))

    async def story(database):
        hold = await _hold(database, account.id, 500)
        await close(database, first, hold)
        await close(database, second, hold)

    with pytest.raises(errors.HoldNotOpen):
        ground.run(story)


def test_hundreds_of_racing_holds_take_what_there_is_and_no_more(ground):
    account = ground.account(credits_given=1)

    async def story(database):
        won = await asyncio.gather(*(_hold(database, account.id, 7) for _ in range(400)))
        return sum(hold is not None for hold in won), await _balance(database, account.id)

    assert ground.run(story) == (142, (6, 994))


def test_closers_racing_on_a_hold_close_it_once(ground):
    account = ground.account(credits_given=1)

    async def close(database, verb, hold):
        try:
            async with database.transaction() as tx:
                await (ledger.settle(tx, hold, 10) if verb else ledger.refund(tx, hold))
        except errors.HoldNotOpen:
            return False
        return True

    async def story(database):
        holds = [await _hold(database, account.id, 10) for _ in range(50)]
        closers = [close(database, verb, hold) for hold in holds for verb in (True, False, True)]
        return sum(await asyncio.gather(*closers)), (await _balance(database, account.id))[1]

    assert ground.run(story) == (50, 0)


def test_the_audit_sees_a_balance_that_was_tampered_with(database_conninfo):
    ground = Ground(database_conninfo)
    ground.account()
    with psycopg.connect(database_conninfo) as connection:
        connection.execute("UPDATE accounts SET available_mill = available_mill + 1")
    checks = {finding.check for finding in ground.audit()}
    assert checks == {
        "replaying the entries gives every balance",
        "the sum over all accounts is zero",
    }


def test_the_audit_sees_rows_that_name_what_is_not_there_or_is_another_s(database_conninfo):
    ground = Ground(database_conninfo)
    mine, other = ground.account(), ground.account()
    with psycopg.connect(database_conninfo) as connection:
        connection.execute(
            "INSERT INTO holds (id, account_id, mill) VALUES ('h', %s, 1)", [mine.id]
        )
        connection.execute("INSERT INTO holds (id, account_id, mill) VALUES ('n', 'nobody', 1)")
        connection.execute(
            "INSERT INTO ledger_entries (account_id, type, available_mill, held_mill, hold_id)"
            " VALUES (%s, 'hold', -1, 1, 'h'), ('nobody', 'refund', 1, -1, 'h')",
            [other.id],
        )
        connection.execute(
            "INSERT INTO batches (id, account_id, request_id, kind, model, input, rate_id)"
            " VALUES (1, %s, '', '', '', '{}', 0)",
            [mine.id],
        )
        connection.execute(
            "INSERT INTO tasks (id, batch_id, account_id, position, model, seed, price_mill)"
            " VALUES ('t', 1, %s, 0, '', 0, 0)",
            [other.id],
        )
    found = [one for one in ground.audit() if one.check == "every row has the rows that it names"]
    assert sorted(one.detail for one in found) == [
        "a batch without its account, key or rate",
        "a hold without its account",
        "a task without its batch",
        "an entry without its account",
        "an entry without its hold",
        "an entry without its hold",
    ]


@pytest.mark.parametrize("mill", [0, -1, ledger.GRANT_MILL_MAX + 1])
def test_grant_out_of_bounds_is_refused(ground, mill):
    account = ground.account(credits_given=0)

    async def story(database):
        async with database.transaction() as tx:
            await ledger.grant(tx, account.id, mill, None)

    with pytest.raises(errors.BadParameter):
        ground.run(story)
