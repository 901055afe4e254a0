"""A home: an embedded PostgreSQL in a folder of its own, and real servers over it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

import cores
from darkroom.domain import accounts, api_keys, ledger
from darkroom.storage import migrate
from darkroom.storage.database import Database
from darkroom.storage.embedded import Embedded

_CREDITS_MILL = 10**12
# More than a pass submits, so that every task goes through the queue itself.
_NO_LIMITS = accounts.Limits(running_max=1_000_000, waiting_max=1_000_000)
_STOP_SECONDS_MAX = 60


@dataclass(frozen=True, slots=True)
class Home:
    """A data folder, the way to its database, and the settings of a server over both."""

    folder: Path
    conninfo: str
    settings: dict[str, str]

    def run(self, story: Callable[[Database], Awaitable[Any]]) -> Any:
        """Run a coroutine function over an open database."""

        async def told() -> Any:
            database = Database(self.conninfo)
            await database.open()
            try:
                return await story(database)
            finally:
                await database.close()

        return asyncio.run(told())

    def keys(self, count: int) -> list[str]:
        """API keys of as many fresh accounts, with more credits and places than a pass needs."""

        async def made(database: Database) -> list[str]:
            found = []
            async with database.transaction() as tx:
                for number in range(count):
                    one = await accounts.create(tx, f"bench-{os.urandom(8).hex()}-{number}@bench")
                    await accounts.limit(tx, one.id, _NO_LIMITS)
                    await ledger.grant(tx, one.id, _CREDITS_MILL, "the bench")
                    found.append((await api_keys.create(tx, one.id))[0])
            return found

        found: list[str] = self.run(made)
        return found


@contextlib.contextmanager
def opened() -> Iterator[Home]:
    """A fresh home: an embedded PostgreSQL with a migrated database."""
    with folder() as data, Embedded.start(data / "postgres") as embedded:
        asyncio.run(migrate.migrate(embedded.conninfo))
        yield Home(data, embedded.conninfo, {"DARKROOM_DATA": str(data)})


@contextlib.contextmanager
def another(one: Home, name: str) -> Iterator[Home]:
    """A home over another fresh database of the same PostgreSQL, dropped at the end."""
    data = one.folder / name
    data.mkdir()
    with psycopg.connect(one.conninfo, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        conninfo = make_conninfo(one.conninfo, dbname=name)
        asyncio.run(migrate.migrate(conninfo))
        settings = {"DARKROOM_DATA": str(data), "DARKROOM_DATABASE_URL": conninfo}
        yield Home(data, conninfo, settings)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """An empty folder, removed at the end; TMPDIR says on which disk."""
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as name:
        yield Path(name)


@dataclass(frozen=True, slots=True)
class Server:
    """A running `darkroom serve`."""

    url: str
    pid: int


@contextlib.contextmanager
def served(one: Home, workers: int, server_cores: frozenset[int] = frozenset()) -> Iterator[Server]:
    """A real `darkroom serve` over a home, on a free port, without the caller's own settings."""
    with (one.folder / "bench.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "darkroom", "serve", "--port", "0", "--workers", str(workers)],
            env=plain_environment() | one.settings,
            cwd=one.folder,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            preexec_fn=cores.pin(server_cores),
        )
    assert process.stdout is not None
    with process:
        try:
            line = process.stdout.readline()
            addresses = [word for word in line.split() if word.startswith("http://")]
            if not addresses:
                raise RuntimeError((one.folder / "bench.log").read_text()[-2000:])
            yield Server(addresses[0], process.pid)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def plain_environment() -> dict[str, str]:
    """The caller's variables without Darkroom's; no balancer waits for notice of an end."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DARKROOM_")}
    return kept | {"DARKROOM_NOTICE_SECONDS": "0"}
