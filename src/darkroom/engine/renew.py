"""Renew: a process's catalogue kept as the edits and rates in force say, from their instants on."""

from __future__ import annotations

import asyncio

from darkroom import config
from darkroom.domain import edits
from darkroom.domain.catalogue import Catalogue
from darkroom.engine import loop
from darkroom.storage.database import Database


async def run(database: Database, served: Catalogue, stop: asyncio.Event) -> None:
    """Read what is in force every few seconds, and at the instant of the next edit, to the stop."""
    known: edits.Reading | None = None

    async def renew() -> None:
        nonlocal known
        async with database.transaction() as tx:
            found = await edits.read(tx)
            if known is None or (found.edits, found.rates) != (known.edits, known.rates):
                await edits.apply(tx, served)
                known = found
        next_seconds = found.next_seconds or config.CATALOGUE_SECONDS
        await loop.pause(stop, min(next_seconds, config.CATALOGUE_SECONDS))

    await loop.every(0.0, renew, stop)
