"""A line to a server that can be cut: a TCP port that carries, swallows, resets or refuses."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

# What a cut does to who speaks over the line. SILENT is the hard one: bytes vanish, no error comes,
# and a connection that was silenced stays so for ever, as behind a router that forgot it.
SILENT, RESET, REFUSE = "silent", "reset", "refuse"
CUTS = (SILENT, RESET, REFUSE)


@dataclass(slots=True, eq=False)
class _Pair:
    """One connection: the caller's end and the server's."""

    ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    is_silent: bool = False
    pumps: list[asyncio.Task[None]] = field(default_factory=list)


class Line:
    """Runs in a thread of its own; `cut` and `heal` may be called from any other."""

    def __init__(self, conninfo: str) -> None:
        given = conninfo_to_dict(conninfo)
        self._host, self._port = str(given["host"]), int(given.get("port") or 5432)
        self._pairs: set[_Pair] = set()
        self._cut: str | None = None
        self._carries: tuple[int, str] | None = None
        self._loop = asyncio.new_event_loop()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.conninfo = make_conninfo(conninfo, host="127.0.0.1", port=self.port)

    def cut(self, how: str) -> None:
        """Cut the line, and keep it cut, in one of the ways of `CUTS`."""
        self._do(self._cut_now(how))

    def cut_after(self, size: int, how: str) -> None:
        """Cut the line once it has carried so many more bytes to the server."""
        self._carries = (size, how)

    def heal(self) -> None:
        """Carry new connections again; the server hears that those which were silenced ended."""
        self._do(self._heal_now())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _cut_now(self, how: str) -> None:
        self._cut = how
        for pair in [*self._pairs]:
            if how == SILENT:
                pair.is_silent = True
            else:
                self._end(pair)
        if how == REFUSE:
            await self._stop_listening()

    async def _heal_now(self) -> None:
        if self._cut == REFUSE:
            await self._start_listening()
        self._cut = None
        for pair in self._pairs:
            if pair.is_silent:
                pair.ends[1].transport.abort()

    async def _start_listening(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)

    async def _stop_listening(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut == RESET:
            _reset(writer)
            return
        try:
            if self._host.startswith("/"):
                path = f"{self._host}/.s.PGSQL.{self._port}"
                behind, ahead = await asyncio.open_unix_connection(path)
            else:
                behind, ahead = await asyncio.open_connection(self._host, self._port)
        except OSError:
            _reset(writer)
            return
        pair = _Pair((writer, ahead), is_silent=self._cut == SILENT)
        self._pairs.add(pair)
        pair.pumps = [
            asyncio.create_task(self._pump(pair, reader, ahead)),
            asyncio.create_task(self._pump(pair, behind, writer)),
        ]
        await asyncio.wait(pair.pumps)
        self._end(pair)

    async def _pump(
        self, pair: _Pair, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self._carries is not None and writer is pair.ends[1]:
                    left, how = self._carries
                    self._carries = (left - len(data), how)
                    if left < len(data):
                        self._carries = None
                        await self._cut_now(how)
                if not pair.is_silent:
                    writer.write(data)
                    await writer.drain()
            # An end is as silent as a byte.
            if not pair.is_silent:
                writer.close()

    def _end(self, pair: _Pair) -> None:
        self._pairs.discard(pair)
        for writer in pair.ends:
            _reset(writer)

    @contextlib.asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        await self._start_listening()
        yield
        await self._stop_listening()
        for pair in [*self._pairs]:
            self._end(pair)
        if carried := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(carried, timeout=5)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the other side is told of an error, not of an end."""
    end = writer.get_extra_info("socket")
    if end is not None and end.family != socket.AF_UNIX and not writer.transport.is_closing():
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextlib.contextmanager
def line_to(conninfo: str) -> Iterator[Line]:
    """A line to the database of a conninfo, carried until the block ends."""
    line = Line(conninfo)
    opened, ended = threading.Event(), asyncio.Event()

    async def carry() -> None:
        async with line._opened():
            opened.set()
            await ended.wait()

    thread = threading.Thread(target=line._loop.run_until_complete, args=(carry(),), daemon=True)
    thread.start()
    assert opened.wait(10), "the line did not open"
    try:
        yield line
    finally:
        line._loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        line._loop.close()
