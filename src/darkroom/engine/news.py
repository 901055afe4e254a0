"""News of running tasks, for who asked for it: each begin, and progress once a second at most."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from darkroom import config
from darkroom.domain import leases, webhooks
from darkroom.engine.attempt import Attempt
from darkroom.storage.database import Database


class News:
    """What one worker has told of its tasks.

    Told by a statement of its own after the claim or the beat, for tasks that somebody follows: it
    costs the others nothing. A worker that is killed between has not told it; the end is never lost
    so, which is written with the task.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        # Of each running task that is followed: the progress that was told, and when.
        self._told: dict[str, tuple[float, float]] = {}

    async def begun(self, claimed: Sequence[leases.Claim]) -> None:
        """Tell of tasks that have begun."""
        await self._tell([one.id for one in claimed if one.is_followed], webhooks.STARTED)

    async def progressed(self, running: Iterable[Attempt]) -> None:
        """Tell of tasks that have come forward since they were last told of, a second ago."""
        now = time.monotonic()
        followed = {one.claimed.id: one.progress for one in running if one.claimed.is_followed}
        self._told = {name: self._told.get(name, (0.0, 0.0)) for name in followed}
        news = [
            name
            for name, progress in followed.items()
            if progress > self._told[name][0] and now - self._told[name][1] >= config.NEWS_SECONDS
        ]
        await self._tell(news, webhooks.PROGRESS)
        self._told |= {name: (followed[name], now) for name in news}

    async def _tell(self, task_ids: Sequence[str], event: str) -> None:
        if task_ids:
            async with self._database.statement() as tx:
                await webhooks.announce(tx, task_ids, event)
