"""A database that vanishes without a word: nobody waits for it for long, nor for its locks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

import pytest

from darkroom import errors
from darkroom.domain import accounts, lanes, ledger
from darkroom.storage.database import Database
from ground import Ground
from lines import CUTS, RESET, SILENT, Line, line_to

# What is promised to a caller whatever happens: a statement's bound, and some room to notice.
ANSWER_SECONDS_MAX = 10.0
# While the database is known to be away.
AWAY_SECONDS_MAX = 2.0
BACK_SECONDS_MAX = 8.0


@pytest.fixture
def line(ground: Ground) -> Iterator[Line]:
    with line_to(ground.conninfo) as one:
        yield one


async def _asked(database: Database) -> None:
    async with database.statement() as tx:
        await accounts.find(tx, "a@example.com")


async def _refused_after(database: Database) -> float:
    """Seconds until a statement is refused."""
    began_at = time.monotonic()
    with pytest.raises(errors.DatabaseUnavailable):
        await _asked(database)
    return time.monotonic() - began_at


async def _heard_out(notices: AsyncGenerator[str, None]) -> None:
    async for payload in notices:
        assert payload == ""


async def _until(ask: Callable[[], Awaitable[None]], seconds_max: float) -> None:
    """Ask again and again until the database answers."""
    async with asyncio.timeout(seconds_max):
        while True:
            try:
                return await ask()
            except errors.DatabaseUnavailable:
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("how", CUTS)
def test_a_cut_line_is_told_within_a_bound_and_found_again(line: Line, how: str) -> None:
    async def story(database: Database) -> None:
        await asyncio.gather(*(_asked(database) for _ in range(4)))
        await asyncio.to_thread(line.cut, how)
        first = await asyncio.gather(*(_refused_after(database) for _ in range(6)))
        assert max(first) < ANSWER_SECONDS_MAX
        later = await asyncio.gather(*(_refused_after(database) for _ in range(6)))
        assert max(later) < AWAY_SECONDS_MAX
        await asyncio.to_thread(line.heal)
        await _until(lambda: _asked(database), BACK_SECONDS_MAX)
        # All of them: nothing broken was left among the connections.
        await asyncio.gather(*(_asked(database) for _ in range(12)))

    Ground(line.conninfo).run(story)


@pytest.mark.parametrize("how", [SILENT, RESET])
def test_a_listener_hears_that_its_line_was_cut(line: Line, how: str) -> None:
    async def story(database: Database) -> None:
        notices = database.listen("tasks")
        waiting = asyncio.ensure_future(anext(notices))
        async with database.statement() as tx:
            while not waiting.done():
                await tx.run("tasks.notify")
                await asyncio.wait([waiting], timeout=0.05)
        assert await waiting == ""
        await asyncio.to_thread(line.cut, how)
        with pytest.raises(errors.DatabaseUnavailable):
            await asyncio.wait_for(_heard_out(notices), ANSWER_SECONDS_MAX)

    Ground(line.conninfo).run(story)


def test_who_falls_silent_in_a_transaction_keeps_its_locks_for_a_bounded_time(
    ground: Ground, line: Line
) -> None:
    account = ground.account()

    async def lock(database: Database) -> None:
        async with database.transaction() as tx:
            await lanes.lock(tx, [account.id])

    async def fall_silent(database: Database, locked: asyncio.Event) -> None:
        async with database.transaction() as tx:
            await lanes.lock(tx, [account.id])
            await asyncio.to_thread(line.cut, SILENT)
            locked.set()
            await lanes.lock(tx, [account.id])

    async def hold(locked: asyncio.Event) -> None:
        database = Database(line.conninfo)
        await database.open()
        with pytest.raises(errors.DatabaseUnavailable):
            await fall_silent(database, locked)
        await database.close()

    async def story(database: Database) -> None:
        locked = asyncio.Event()
        holding = asyncio.create_task(hold(locked))
        await locked.wait()
        await _until(lambda: lock(database), ANSWER_SECONDS_MAX)
        await holding

    ground.run(story)


def test_a_snapshot_takes_as_long_as_it_takes(ground: Ground) -> None:
    """The audit of a large database is no statement that met a lock."""

    async def story(database: Database) -> None:
        async with database.snapshot() as tx:
            before = await ledger.verify(tx)
            # Longer than a silent or a long transaction of any other kind may take.
            await asyncio.sleep(9)
            assert await ledger.verify(tx) == before

    ground.run(story)
