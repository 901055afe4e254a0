"""Statements over one connection: what waits leaves in one write, and is answered in its order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

from darkroom.storage import queries

Make = Callable[[Sequence[Any]], Any]

_GOOD = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK, ExecStatus.PIPELINE_SYNC)


class Due:
    """An answer that is still to come; once it has, its result."""

    __slots__ = ("is_end", "prepares", "result")

    def __init__(self, *, prepares: bytes = b"", is_end: bool = False) -> None:
        self.prepares = prepares
        self.is_end = is_end
        self.result: PGresult | None = None


class Connection(psycopg.AsyncConnection[Any]):
    """A connection that remembers which statements PostgreSQL has prepared on it."""

    def __init__(self, pgconn: PGconn, *args: Any, **kwargs: Any) -> None:
        super().__init__(pgconn, *args, **kwargs)
        self.prepared: set[bytes] = set()
        self.transformer = Transformer(self)


class Exchange:
    """A connection in libpq's pipeline mode, used as `async with`.

    psycopg's own pipeline writes statement by statement and wakes PostgreSQL for each; here what
    was sent leaves together when an answer is asked for. A statement is prepared at its first use
    on a connection, with the types that PostgreSQL finds for its parameters, which travel as texts.
    A transaction that it finds open is left open.
    """

    def __init__(self, connection: Connection) -> None:
        self._pgconn = connection.pgconn
        self._prepared = connection.prepared
        self._transformer = connection.transformer
        self._due: deque[Due] = deque()
        # Whether anything was sent since the last end: until then libpq does not know of a BEGIN.
        self._has_begun = False
        self._is_flushed = True

    async def __aenter__(self) -> Self:
        self._is_within = self._pgconn.transaction_status != TransactionStatus.IDLE
        self._pgconn.enter_pipeline_mode()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, asyncio.CancelledError) or self._is_broken:
            # Nobody knows what it would answer next; the pool makes another.
            self._pgconn.finish()
            return
        if self._has_begun:
            await self.end(quietly=True)
        if not self._is_within and self._pgconn.transaction_status != TransactionStatus.IDLE:
            self.send_text("ROLLBACK")
            await self.end(quietly=True)
        self._pgconn.exit_pipeline_mode()

    @property
    def _is_broken(self) -> bool:
        return self._pgconn.status == ConnStatus.BAD

    def send_text(self, text: str) -> Due:
        """Send a statement that has no parameters and is not worth preparing."""
        self._pgconn.send_query_params(text.encode(), None)
        return self._await(Due())

    def send(self, name: str, values: Mapping[str, Any]) -> Due:
        """Send the named statement; it leaves when an answer or the end is asked for."""
        statement, label = queries.load()[name], name.encode()
        if label not in self._prepared:
            self._pgconn.send_prepare(label, statement.text)
            self._prepared.add(label)
            self._await(Due(prepares=label))
        given = [values[parameter] for parameter in statement.parameters]
        dumped = self._transformer.dump_sequence(given, [PyFormat.TEXT] * len(given))
        self._pgconn.send_query_prepared(label, dumped)
        return self._await(Due())

    def _await(self, due: Due) -> Due:
        self._due.append(due)
        self._has_begun = not due.is_end
        self._is_flushed = False
        return due

    async def answer(self, wanted: Due) -> None:
        """Wait for an answer; raises what went wrong with its statement or one before it."""
        if not self._is_flushed:
            self._pgconn.send_flush_request()
            await self._flush()
        while wanted.result is None:
            await self._take()

    async def end(self, *, quietly: bool = False) -> None:
        """Wait until all that was sent is done; what was sent in no transaction is committed.

        Raises the first error, after all the rest; `quietly` only that of a broken connection.
        """
        self._pgconn.pipeline_sync()
        self._await(Due(is_end=True))
        await self._flush()
        first_error = None
        while self._due:
            try:
                await self._take()
            except psycopg.Error as exc:
                if self._is_broken:
                    raise
                first_error = first_error or exc
        if first_error is not None and not quietly:
            raise first_error

    def rows(self, due: Due, maker: Callable[[tuple[bytes, ...]], Make]) -> list[Any]:
        """The rows of an answer, each made from its values by what `maker` has for the columns."""
        result = due.result
        assert result is not None, "rows are asked for before their answer"
        columns = tuple(result.fname(column) or b"" for column in range(result.nfields))
        self._transformer.set_pgresult(result)
        return self._transformer.load_rows(0, result.ntuples, maker(columns))

    async def _take(self) -> None:
        """Take the answer that is due next; raises its error."""
        result = await self._next()
        due = self._due.popleft()
        assert result is not None, "every statement is answered"
        if not (due.is_end or self._is_broken):
            await self._next()  # nothing, which ends the results of one statement
        if result.status not in _GOOD:
            self._prepared.discard(due.prepares)
            raise error_from_result(result, encoding="utf-8")
        due.result = result

    async def _next(self) -> PGresult | None:
        while self._pgconn.is_busy():
            await self._ready()
            self._pgconn.consume_input()
        return self._pgconn.get_result()

    async def _flush(self) -> None:
        self._is_flushed = True
        while self._pgconn.flush():
            # PostgreSQL may be unable to read on before its answers are taken.
            await self._ready(write=True)
            self._pgconn.consume_input()

    async def _ready(self, *, write: bool = False) -> None:
        """Wait until the socket can be read or, if asked for, written."""
        loop, socket = asyncio.get_running_loop(), self._pgconn.socket
        ready = loop.create_future()
        loop.add_reader(socket, _settle, ready)
        if write:
            loop.add_writer(socket, _settle, ready)
        try:
            await ready
        finally:
            loop.remove_reader(socket)
            if write:
                loop.remove_writer(socket)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
