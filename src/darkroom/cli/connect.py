"""The way of a command to its database: the one that is named, or the embedded one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import click
import psycopg
from psycopg.conninfo import conninfo_to_dict

from darkroom import config, errors
from darkroom.config import Config
from darkroom.domain import accounts
from darkroom.storage import migrate
from darkroom.storage.database import Database, Transaction
from darkroom.storage.embedded import Embedded

_log = logging.getLogger(__name__)
_ENSURE_SECONDS = 1.0

Command = TypeVar("Command", bound=Callable[..., Any])
Result = TypeVar("Result")


def options(command: Command) -> Command:
    """The options `--data` and `--database-url`, which say where the database is."""
    for option in (
        click.option("--database-url", help="PostgreSQL to use instead of the embedded."),
        click.option("--data", metavar="DIR", help="Folder of all data."),
    ):
        command = option(command)
    return command


def run(flags: dict[str, Any], story: Callable[[Database], Awaitable[Result]]) -> Result:
    """Run a coroutine function over the database that flags, environment and file name."""
    settings = config.load(flags, os.environ)

    async def told() -> Result:
        async with open_database(settings) as database:
            return await story(database)

    return asyncio.run(told())


@contextlib.asynccontextmanager
async def open_database(settings: Config) -> AsyncIterator[Database]:
    """An open, migrated database; the embedded PostgreSQL runs as long as somebody uses it."""
    async with _conninfo(settings) as conninfo:
        await migrate.migrate(conninfo)
        database = Database(conninfo)
        await database.open()
        try:
            yield database
        finally:
            await database.close()


@contextlib.asynccontextmanager
async def _conninfo(settings: Config) -> AsyncIterator[str]:
    if settings.database_url is not None:
        try:
            conninfo_to_dict(settings.database_url)
        except psycopg.ProgrammingError as exc:
            raise errors.ConfigInvalid(
                f"DARKROOM_DATABASE_URL is no address of a PostgreSQL: {str(exc).strip()}"
            ) from exc
        yield settings.database_url
        return
    embedded = await asyncio.to_thread(Embedded.start, settings.data / "postgres")
    keeping = asyncio.create_task(_keep(embedded))
    try:
        yield embedded.conninfo
    finally:
        keeping.cancel()
        await asyncio.to_thread(embedded.stop)


async def _keep(embedded: Embedded) -> None:
    """Bring the embedded PostgreSQL back whenever the process that watches over it was killed."""
    while True:
        await asyncio.sleep(_ENSURE_SECONDS)
        try:
            await asyncio.to_thread(embedded.ensure)
        except errors.DatabaseUnavailable as fault:
            _log.error("%s", fault)


async def find_account(tx: Transaction, email: str) -> accounts.Account:
    """The account with this e-mail address; raises a refusal that says how to make one."""
    found = await accounts.find(tx, email)
    if found is None:
        raise errors.BadParameter(
            f"No account has the e-mail {email}: `darkroom account create {email}` makes one."
        )
    return found
