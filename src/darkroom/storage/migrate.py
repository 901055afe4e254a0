"""The schema's history: numbered files, applied forward only, each in one transaction."""

from __future__ import annotations

import asyncio
import hashlib
import re
from importlib import resources
from typing import Any

import msgspec
import psycopg

from darkroom import errors
from darkroom.storage.database import bounded, connect, refuse_old

# Any constant will do: whoever holds it is the one process that migrates.
_LOCK = 7_241_955_101
_LOCK_PAUSE_SECONDS = 0.1
_ANSWER_SECONDS_MAX = 10.0


class Migration(msgspec.Struct, frozen=True):
    """One numbered file of the schema's history."""

    version: int
    name: str
    text: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text).hexdigest()


def shipped() -> list[Migration]:
    """Every migration of this release, oldest first, numbered without a gap."""
    found = []
    for file in resources.files("darkroom.storage").joinpath("migrations").iterdir():
        if match := re.fullmatch(r"(\d{4})_([a-z_]+)\.sql", file.name):
            found.append(Migration(int(match[1]), match[2], file.read_bytes()))
    found.sort(key=lambda migration: migration.version)
    assert [m.version for m in found] == list(range(1, len(found) + 1)), "a number is missing"
    return found


async def migrate(conninfo: str, migrations: list[Migration] | None = None) -> list[Migration]:
    """Apply what the database lacks and answer it; processes that start together take turns."""
    migrations = shipped() if migrations is None else migrations
    try:
        async with await connect(conninfo) as connection:
            refuse_old(connection.info.server_version)
            await _lock(connection)
            with bounded(connection, _ANSWER_SECONDS_MAX):
                applied = await _applied(connection)
            _refuse_strangers(applied, migrations)
            missing = [m for m in migrations if m.version not in applied]
            for migration in missing:
                await _apply(connection, migration)
    except psycopg.OperationalError as exc:
        raise errors.DatabaseUnavailable(f"The database cannot be reached: {exc}") from exc
    return missing


async def _lock(connection: psycopg.AsyncConnection[Any]) -> None:
    """Take the lock, which the end of the connection gives back.

    Asked again and again: one long wait looks the same as a peer that vanished.
    """
    while True:
        with bounded(connection, _ANSWER_SECONDS_MAX):
            cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,))
            [(is_ours,)] = await cursor.fetchall()
        if is_ours:
            return
        await asyncio.sleep(_LOCK_PAUSE_SECONDS)


async def _applied(connection: psycopg.AsyncConnection[Any]) -> dict[int, str]:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, name text "
        "NOT NULL, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    cursor = await connection.execute("SELECT version, sha256 FROM schema_migrations")
    return dict(await cursor.fetchall())


def _refuse_strangers(applied: dict[int, str], migrations: list[Migration]) -> None:
    known = {migration.version: migration for migration in migrations}
    if newer := [version for version in applied if version not in known]:
        raise errors.DatabaseTooNew(
            f"The database is at schema {max(newer)}, this Darkroom knows {len(known)}: it was "
            "made by a newer release. Start that release, or restore a backup."
        )
    for version, sha256 in applied.items():
        if known[version].sha256 != sha256:
            raise errors.DatabaseCorrupt(
                f"Migration {version} ({known[version].name}) differs from the one that this "
                "database applied. Install the release that made it."
            )


async def _apply(connection: psycopg.AsyncConnection[Any], migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.text)
        await connection.execute(
            "INSERT INTO schema_migrations (version, name, sha256) VALUES (%s, %s, %s)",
            (migration.version, migration.name, migration.sha256),
        )
