"""The daemon: the loops that keep the house, safe to run any number of times."""

from __future__ import annotations

import asyncio

from darkroom.config import Config
from darkroom.engine import loop, sweep
from darkroom.engine.deliver import Deliverer
from darkroom.engine.posting import Poster
from darkroom.storage.database import Database

_RECOVER_SECONDS = 1.0
_EXPIRE_SECONDS = 1.0
_DISABLE_SECONDS = 60.0
_FILL_SECONDS = 1.0
_POST_SECONDS = 1.0
_TIDY_SECONDS = 3600.0


class Daemon:
    """Sweeps until told to stop."""

    def __init__(self, database: Database, config: Config) -> None:
        self._database = database
        self._config = config
        self._deliverer = Deliverer(database, config)
        self._poster = Poster(database, config)

    async def run(self, stop: asyncio.Event) -> None:
        """Run every loop until the stop."""
        async with asyncio.TaskGroup() as group:
            group.create_task(loop.every(_RECOVER_SECONDS, self._recover, stop))
            group.create_task(loop.every(_EXPIRE_SECONDS, self._expire, stop))
            group.create_task(loop.every(_DISABLE_SECONDS, self._disable, stop))
            group.create_task(loop.every(_FILL_SECONDS, self._fill, stop))
            group.create_task(loop.every(_POST_SECONDS, self._poster.post, stop))
            group.create_task(loop.every(_TIDY_SECONDS, self._tidy, stop))
            group.create_task(self._deliverer.run(stop))

    async def _recover(self) -> None:
        await sweep.recover_tasks(self._database)

    async def _expire(self) -> None:
        await sweep.expire_tasks(self._database)

    async def _disable(self) -> None:
        await sweep.disable_endpoints(self._database)
        await sweep.forget_listeners(self._database)

    async def _fill(self) -> None:
        await sweep.fill_lanes(self._database)

    async def _tidy(self) -> None:
        await sweep.forget_call_records(self._database, self._config.history_days)
        await sweep.forget_idempotency_keys(self._database)
        await sweep.forget_sessions(self._database)
        await sweep.forget_letters(self._database)
        await sweep.forget_workers(self._database)
        await sweep.forget_buckets(self._database)
        await sweep.forget_deliveries(self._database, self._config.history_days)
        await sweep.clear_work(self._config.work_folder)
