"""What tests stand on: a database to run stories against, real servers, and bounded waiting."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

import starter
import whisper_double
from darkroom.domain import accounts, api_keys, ledger
from darkroom.storage.database import Database

_numbers = itertools.count(1)


def wait_until(condition: Callable[[], Any], *, seconds_max: float = 30, what: str = "it") -> Any:
    """The condition's first true answer, asked for again and again within a bound.

    What takes long is asked for more seldom: those who ask would take the time from it.
    """
    began = time.monotonic()
    while (waited := time.monotonic() - began) < seconds_max:
        if answer := condition():
            return answer
        time.sleep(min(max(0.02, waited / 10), 0.2))
    raise AssertionError(f"{what} did not happen within {seconds_max:g} seconds")


def create_database(postgres: str, name: str, template: str | None) -> None:
    """Create a database, empty or as a copy of the template, that does not wait for the disk.

    What is proved over it does not hang on durability; `test_kills_embedded.py` proves that.
    """
    identifier = sql.Identifier(name)
    made = sql.SQL("CREATE DATABASE {}").format(identifier)
    if template is not None:
        # Copied as files, since its pages would go through the log one by one.
        made += sql.SQL(" TEMPLATE {} STRATEGY FILE_COPY").format(sql.Identifier(template))
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(made)
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(identifier)
        )


def fresh_database(postgres: str, template: str) -> Iterator[str]:
    """Conninfo of a database copied from the template, dropped when the iterator goes on."""
    name = f"darkroom_{os.getpid()}_{next(_numbers)}"
    create_database(postgres, name, template)
    yield make_conninfo(postgres, dbname=name)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@dataclass(frozen=True, slots=True)
class Ground:
    """A database that coroutines of a test run against; its books are audited at the end."""

    conninfo: str

    def run(self, story: Callable[[Database], Awaitable[Any]]) -> Any:
        """Run a coroutine function over an open database."""

        async def told() -> Any:
            database = Database(self.conninfo)
            await database.open()
            try:
                return await story(database)
            finally:
                await database.close()

        # In a thread of its own: where a browser is driven, a loop runs in this one.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, told()).result()

    def account(self, credits_given: int = 1000) -> accounts.Account:
        """A fresh account with credits."""

        async def made(database: Database) -> accounts.Account:
            async with database.transaction() as tx:
                one = await accounts.create(tx, f"someone-{next(_numbers)}@example.com")
                if credits_given:
                    await ledger.grant(tx, one.id, credits_given * 1000, "a test")
                return await accounts.get(tx, one.id)

        return self.run(made)

    def key(self, account_id: str, wire: str = "quickstart") -> str:
        """A fresh API key of the account."""

        async def made(database: Database) -> str:
            async with database.transaction() as tx:
                return (await api_keys.create(tx, account_id, wire=wire))[0]

        return self.run(made)

    def audit(self) -> list[ledger.Finding]:
        """What the audit finds wrong."""

        async def verified(database: Database) -> list[ledger.Finding]:
            async with database.snapshot() as tx:
                return (await ledger.verify(tx))[1]

        return self.run(verified)


@dataclass(frozen=True, slots=True)
class Server:
    """A real `darkroom serve` over a database of its own, and a first account's key."""

    url: str
    key: str
    account_id: str
    ground: Ground
    data: Path

    def client(self, key: str | None = None) -> httpx.Client:
        """An HTTP client that sends the key."""
        headers = {"Authorization": f"Bearer {key or self.key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def caller(self, credits_given: int = 1000, wire: str = "quickstart") -> httpx.Client:
        """An HTTP client of a fresh account."""
        account = self.ground.account(credits_given)
        return self.client(self.ground.key(account.id, wire))


@dataclass(slots=True)
class Served:
    """A running `darkroom` process and the address it printed."""

    process: starter.Started
    url: str
    log: Path

    def stop(self) -> None:
        """End it in good order; fail with its log when it cannot."""
        assert self.process.end() == 0, self.log.read_text()[-3000:]


def serve(conninfo: str, data: Path, *flags: str, **settings: str) -> Served:
    """Start a real `darkroom serve` on a free port and wait for its line."""
    data.mkdir(parents=True, exist_ok=True)
    log = data / f"serve-{next(_numbers)}.log"
    environment = {
        **os.environ,
        **whisper_double.install(data / "programs"),
        "DARKROOM_NOTICE_SECONDS": "0",
        **{f"DARKROOM_{name.upper()}": value for name, value in settings.items()},
        "DARKROOM_DATABASE_URL": conninfo,
        "DARKROOM_DATA": str(data),
    }
    with log.open("w") as stderr:
        process = starter.start(["serve", "--port", "0", *flags], environment, stderr=stderr)
    line = process.stdout.readline()
    assert "http://" in line, f"{line}\n{log.read_text()[-3000:]}"
    url = next(word for word in line.split() if word.startswith("http://"))
    return Served(process, url, log)
