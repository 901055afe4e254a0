"""The way to rows: pooled connections, transactions, and named queries answering dataclasses."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from darkroom import errors
from darkroom.storage import queries

Row = TypeVar("Row")

VERSION_MIN = 150000
# A slower statement has met a lock or a plan that nobody meant: better an error than a hang.
_STATEMENT_TIMEOUT_MS = 30_000
# What a probe of readiness waits for a connection.
_CHECK_SECONDS_MAX = 1.0


class Transaction:
    """One open transaction; every domain function takes it and none commits it."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection

    async def run(self, name: str, /, **values: Any) -> None:
        """Run the named statement; in a transaction it is sent with the next one that answers."""
        await self._connection.execute(queries.load()[name], values)

    async def all(self, row: type[Row], name: str, /, **values: Any) -> list[Row]:
        """Every row of the named statement, as instances of `row` by column name."""
        async with self._connection.cursor(row_factory=class_row(row)) as cursor:
            await cursor.execute(queries.load()[name], values)
            return await cursor.fetchall()

    async def first(self, row: type[Row], name: str, /, **values: Any) -> Row | None:
        """The only row of the named statement, or None when there is none."""
        found = await self.all(row, name, **values)
        assert len(found) <= 1, f"{name} answered {len(found)} rows"
        return found[0] if found else None

    async def one(self, row: type[Row], name: str, /, **values: Any) -> Row:
        """The only row of the named statement, which must exist."""
        found = await self.first(row, name, **values)
        assert found is not None, f"{name} answered no row"
        return found


class Database:
    """A pool over one PostgreSQL; `transaction()` is the only way to a `Transaction`."""

    def __init__(self, conninfo: str, *, connections_max: int = 12) -> None:
        self.conninfo = conninfo
        self._pool = AsyncConnectionPool(
            conninfo,
            min_size=1,
            max_size=connections_max,
            open=False,
            timeout=10,
            # The pool's own pauses double; giving up early lets the next caller try at once.
            reconnect_timeout=1,
            kwargs={"autocommit": True},
            configure=_configure,
        )

    async def open(self) -> None:
        """Open the pool; raises `DatabaseUnavailable` when there is no PostgreSQL to be had."""
        try:
            await self._pool.open(wait=True, timeout=5)
        except (psycopg.OperationalError, PoolTimeout) as exc:
            await self._pool.close()
            raise errors.DatabaseUnavailable(
                f"The database cannot be reached: {exc}. Check DARKROOM_DATABASE_URL, "
                "or unset it to use the embedded PostgreSQL."
            ) from exc

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    async def check(self) -> None:
        """Raise `DatabaseUnavailable` unless the database answers."""
        async with self._connection(_CHECK_SECONDS_MAX) as connection:
            await connection.execute("SELECT 1")

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A transaction that commits when the block ends well and rolls back when it raises.

        Its statements go out in a pipeline: those that answer nothing cost no round trip.
        """
        async with (
            self._connection() as connection,
            connection.pipeline(),
            connection.transaction(),
        ):
            yield Transaction(connection)

    @contextlib.asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Transaction]:
        """A transaction that reads one moment of the whole database and writes nothing."""
        async with self._connection() as connection, connection.transaction():
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            await connection.execute("SET LOCAL statement_timeout = 0")
            yield Transaction(connection)

    @contextlib.asynccontextmanager
    async def statement(self) -> AsyncIterator[Transaction]:
        """A connection whose every statement commits by itself: for single statements."""
        async with self._connection() as connection:
            yield Transaction(connection)

    @contextlib.asynccontextmanager
    async def _connection(
        self, seconds_max: float | None = None
    ) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        try:
            async with self._pool.connection(seconds_max) as connection:
                yield connection
        except (psycopg.OperationalError, PoolTimeout) as exc:
            if isinstance(exc, psycopg.errors.QueryCanceled | psycopg.errors.DeadlockDetected):
                raise errors.DatabaseUnavailable(f"The database gave up: {exc}") from exc
            # One broken connection means that its idle siblings are broken too: replace them now.
            with contextlib.suppress(psycopg.OperationalError, PoolTimeout):
                await self._pool.check()
            raise errors.DatabaseUnavailable(f"The database did not answer: {exc}") from exc
        except psycopg.Error as exc:
            raise errors.StatementRefused(f"The database refused a statement: {exc}") from exc

    async def listen(self, channel: str) -> AsyncGenerator[str, None]:
        """Payloads notified on the channel, over a connection of its own, until it breaks."""
        try:
            connection = await psycopg.AsyncConnection.connect(self.conninfo, autocommit=True)
            async with connection:
                listen = sql.SQL("LISTEN {}").format(sql.Identifier(channel))
                await connection.execute(listen)
                async for notice in connection.notifies():
                    yield notice.payload
        except psycopg.OperationalError as exc:
            raise errors.DatabaseUnavailable(f"The database did not answer: {exc}") from exc


def refuse_old(version: int) -> None:
    """Raise `DatabaseTooOld` for a `server_version_num` before 15."""
    if version < VERSION_MIN:
        raise errors.DatabaseTooOld(
            f"PostgreSQL {version // 10000} is too old: Darkroom needs version 15 or newer."
        )


async def _configure(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.execute(
        "SELECT set_config('statement_timeout', %s, false), set_config('TimeZone', 'UTC', false)",
        (str(_STATEMENT_TIMEOUT_MS),),
    )


def jsonb(value: Mapping[str, Any]) -> Jsonb:
    """A value for a jsonb column."""
    return Jsonb(value)
