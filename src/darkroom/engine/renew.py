"""Renew: a process's catalogue kept as the edits and rates in force say, from their instants on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from darkroom import config
from darkroom.domain import edits
from darkroom.domain.catalogue import Catalogue
from darkroom.engine import loop
from darkroom.storage.database import Database

Lacks = Callable[[], Mapping[tuple[str, str], str]]


async def run(
    database: Database, served: Catalogue, stop: asyncio.Event, lacks: Lacks | None = None
) -> None:
    """Read what is in force every few seconds, and at the instant of the next edit, to the stop.

    `lacks` tells what the machine lacks for backends, which is looked at as often.
    """
    known: edits.Reading | None = None

    async def renew() -> None:
        nonlocal known
        if lacks is not None:
            served.lack(lacks())
        async with database.transaction() as tx:
            found = await edits.read(tx)
            if known is None or (found.edits, found.rates) != (known.edits, known.rates):
                await edits.apply(tx, served)
                known = found
        next_seconds = found.next_seconds or config.CATALOGUE_SECONDS
        await loop.pause(stop, min(next_seconds, config.CATALOGUE_SECONDS))

    await loop.every(0.0, renew, stop)
