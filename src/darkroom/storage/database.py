"""The way to rows: pooled connections, transactions, and named queries answering structs."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Hashable,
    Iterator,
    Mapping,
    Sequence,
)
from typing import Any, Generic, TypeVar, cast

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from darkroom import errors
from darkroom.storage.exchange import Connection, Due, Exchange

Row = TypeVar("Row")

VERSION_MIN = 150000
# What a transaction gets, statements and commit together, before its connection is given up.
_ANSWER_SECONDS_MAX = 8.0
# What a caller waits for a free connection; and while none is to be had, so that those who ask
# meanwhile are told soon.
_WAIT_SECONDS_MAX = 5.0
_AWAY_SECONDS_MAX = 1.0
# What a probe of readiness waits for a connection, and then for its answer.
_CHECK_SECONDS_MAX = 2.0
# How often a connection that only listens is asked for a sign of life.
_PROBE_SECONDS = 5.0
# For a peer that vanished; what the address itself says of these comes first.
_PARAMETERS = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
# What the server holds a session to. A statement gives up before its caller does: it has met a lock
# or a plan that nobody meant. Whoever fell silent in a transaction, frozen or cut off, keeps its
# locks from the others no longer than this.
_LIMITS = {
    "statement_timeout": "6s",
    "idle_in_transaction_session_timeout": "5s",
    "transaction_timeout": "8s",
}
_SESSION = {
    "TimeZone": "UTC",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
# Since which version there is a setting that 15 lacks.
_SINCE = {"transaction_timeout": 170000}
# The statement alone failed, and may go through when it is tried again.
_AGAIN = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.QueryCanceled,
    psycopg.errors.SerializationFailure,
)
# The connection is lost, or leads to a server that became a standby.
_LOST = (
    psycopg.OperationalError,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.TransactionTimeout,
    psycopg.errors.ReadOnlySqlTransaction,
)


class Asked(Generic[Row]):
    """A statement of a transaction that is on its way to its rows."""

    def __init__(self, exchange: Exchange, due: Due, row: type[Row]) -> None:
        self._exchange = exchange
        self._due = due
        self._row = row

    async def all(self) -> list[Row]:
        """Every row, as instances of the class by column name."""
        await self._exchange.answer(self._due)
        maker = functools.partial(_maker, cast(Hashable, self._row))
        rows: list[Row] = self._exchange.rows(self._due, maker)
        return rows


class Transaction:
    """One open transaction; every domain function takes it and none commits it."""

    def __init__(self, exchange: Exchange, *, each_commits: bool = False) -> None:
        self._exchange = exchange
        self._each_commits = each_commits

    async def run(self, name: str, /, **values: Any) -> None:
        """Run the named statement; in a transaction it is sent with the next one that answers."""
        self._exchange.send(name, values)
        if self._each_commits:
            await self._exchange.end()

    def ask(self, row: type[Row], name: str, /, **values: Any) -> Asked[Row]:
        """Send the named statement; its rows are waited for later, with those of the next ones."""
        return Asked(self._exchange, self._exchange.send(name, values), row)

    async def all(self, row: type[Row], name: str, /, **values: Any) -> list[Row]:
        """Every row of the named statement, as instances of `row` by column name."""
        asked = self.ask(row, name, **values)
        if self._each_commits:
            await self._exchange.end()
        return await asked.all()

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
        self._pool = AsyncConnectionPool(
            _completed(conninfo),
            connection_class=Connection,
            min_size=1,
            max_size=connections_max,
            open=False,
            # The pool's own pauses double; giving up early lets the next caller try at once.
            reconnect_timeout=1,
            kwargs={"autocommit": True},
            configure=_configure,
        )
        self.conninfo = conninfo
        self._is_away = False
        self._replaced_at = 0.0

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
        async with self._connection(_CHECK_SECONDS_MAX, _CHECK_SECONDS_MAX) as connection:
            await connection.execute("SELECT 1")

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A transaction that commits when the block ends well and rolls back when it raises.

        Statements that answer nothing cost no round trip.
        """
        async with self._connection() as connection, Exchange(connection) as exchange:
            exchange.send_text("BEGIN")
            yield Transaction(exchange)
            exchange.send_text("COMMIT")
            await exchange.end()

    @contextlib.asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Transaction]:
        """A transaction that reads one moment of the whole database and writes nothing.

        It may take as long as it takes.
        """
        async with (
            self._connection(answer_seconds_max=None) as connection,
            connection.transaction(),
        ):
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            await _set(connection, dict.fromkeys(_LIMITS, "0"), is_local=True)
            async with Exchange(connection) as exchange:
                yield Transaction(exchange)

    @contextlib.asynccontextmanager
    async def statement(self) -> AsyncIterator[Transaction]:
        """A connection whose every statement commits by itself: for single statements."""
        async with self._connection() as connection, Exchange(connection) as exchange:
            yield Transaction(exchange, each_commits=True)

    @contextlib.asynccontextmanager
    async def _connection(
        self,
        wait_seconds_max: float = _WAIT_SECONDS_MAX,
        answer_seconds_max: float | None = _ANSWER_SECONDS_MAX,
    ) -> AsyncIterator[Connection]:
        asked_at = time.monotonic()
        if self._is_away:
            wait_seconds_max = min(wait_seconds_max, _AWAY_SECONDS_MAX)
        try:
            async with self._pool.connection(wait_seconds_max) as connection:
                with bounded(connection, answer_seconds_max):
                    yield connection
            self._is_away = False
        except _AGAIN as exc:
            raise errors.DatabaseUnavailable(f"The database gave up: {exc}") from exc
        except PoolTimeout as exc:
            self._is_away = True
            raise errors.DatabaseUnavailable(f"The database cannot be reached: {exc}") from exc
        except _LOST as exc:
            self._is_away = True
            await self._replace(asked_at)
            raise errors.DatabaseUnavailable(f"The database did not answer: {exc}") from exc
        except psycopg.Error as exc:
            raise errors.StatementRefused(f"The database refused a statement: {exc}") from exc

    async def _replace(self, asked_at: float) -> None:
        """One connection that is lost means that its siblings are: make them all anew, once."""
        if asked_at >= self._replaced_at:
            self._replaced_at = time.monotonic()
            await self._pool.drain()

    async def listen(self, channel: str) -> AsyncGenerator[str, None]:
        """Payloads notified on the channel, over a connection of its own, until it breaks.

        A peer that vanished sends nothing, just as one with nothing to tell: so it is asked.
        """
        try:
            async with await connect(self.conninfo) as connection:
                with bounded(connection, _ANSWER_SECONDS_MAX):
                    await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                while True:
                    async with contextlib.aclosing(
                        connection.notifies(timeout=_PROBE_SECONDS)
                    ) as notices:
                        async for notice in notices:
                            yield notice.payload
                    with bounded(connection, _CHECK_SECONDS_MAX):
                        await connection.execute("SELECT 1")
        except _LOST as exc:
            raise errors.DatabaseUnavailable(f"The database did not answer: {exc}") from exc


async def connect(conninfo: str) -> psycopg.AsyncConnection[Any]:
    """A connection of the caller's own, in autocommit; raises psycopg's errors."""
    return await psycopg.AsyncConnection.connect(_completed(conninfo), autocommit=True)


@contextlib.contextmanager
def bounded(connection: psycopg.AsyncConnection[Any], seconds_max: float | None) -> Iterator[None]:
    """Cut the connection when the block takes longer: who waits for an answer gets an error.

    A peer that vanished without a word cannot be told from a slow one, and to cancel a statement is
    to ask that very peer. None: no bound.
    """
    if seconds_max is None:
        yield
        return
    watch = asyncio.get_running_loop().call_later(seconds_max, _cut, connection)
    try:
        yield
    finally:
        watch.cancel()


def _cut(connection: psycopg.AsyncConnection[Any]) -> None:
    if connection.closed:
        return
    # A second handle on the same line, so that the driver keeps its own to close.
    with (
        socket.socket(fileno=os.dup(connection.fileno())) as line,
        contextlib.suppress(OSError),  # the line has broken by itself
    ):
        line.shutdown(socket.SHUT_RDWR)


def _completed(conninfo: str) -> str:
    return make_conninfo("", **(_PARAMETERS | conninfo_to_dict(conninfo)))


@functools.cache
def _maker(row: Any, columns: tuple[bytes, ...]) -> Callable[[Sequence[Any]], Any]:
    """What makes a row from the values of these columns, which are given to its fields by name."""
    names = tuple(column.decode() for column in columns)
    if names == row.__match_args__[: len(names)]:
        return lambda values: row(*values)  # a third of the time
    return lambda values: row(**dict(zip(names, values, strict=True)))


def refuse_old(version: int) -> None:
    """Raise `DatabaseTooOld` for a `server_version_num` before 15."""
    if version < VERSION_MIN:
        raise errors.DatabaseTooOld(
            f"PostgreSQL {version // 10000} is too old: Darkroom needs version 15 or newer."
        )


async def _configure(connection: psycopg.AsyncConnection[Any]) -> None:
    with bounded(connection, _CHECK_SECONDS_MAX):
        await _set(connection, _SESSION | _LIMITS, is_local=False)


async def _set(
    connection: psycopg.AsyncConnection[Any], values: Mapping[str, str], *, is_local: bool
) -> None:
    """Set what this server knows of the settings, for the session or for the transaction."""
    version = connection.info.server_version
    known = {name: value for name, value in values.items() if version >= _SINCE.get(name, 0)}
    await connection.execute(
        "SELECT set_config(name, value, %s) FROM unnest(%s::text[], %s::text[]) AS _ (name, value)",
        (is_local, list(known), list(known.values())),
    )


def jsonb(value: Mapping[str, Any]) -> Jsonb:
    """A value for a jsonb column."""
    return Jsonb(value)
