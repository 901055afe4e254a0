"""The daemon: the loops that keep the house, safe to run any number of times."""

from __future__ import annotations

import asyncio

from darkroom.config import Config
from darkroom.domain.purchases import Stripe
from darkroom.engine import loop, reconcile, sweep
from darkroom.engine.auditor import Auditor
from darkroom.engine.deliver import Deliverer
from darkroom.engine.posting import Poster
from darkroom.storage.database import Database
from darkroom.storage.files import Files

_RECOVER_SECONDS = 1.0
_EXPIRE_SECONDS = 1.0
_DISABLE_SECONDS = 60.0
_COUNT_SECONDS = 5.0
_FILL_SECONDS = 1.0
_POST_SECONDS = 1.0
_EMPTY_SECONDS = 1.0
_LOOK_SECONDS = 0.5
_COLLECT_SECONDS = 1.0
_REMOVE_SECONDS = 10.0
_TIDY_SECONDS = 3600.0


class Daemon:
    """Sweeps until told to stop."""

    def __init__(self, database: Database, config: Config, stripe: Stripe | None) -> None:
        self._database = database
        self._config = config
        self._deliverer = Deliverer(database, config)
        self._poster = Poster(database, config)
        self._auditor = Auditor(database, config.audit_hours)
        self._stripe = stripe

    async def run(self, stop: asyncio.Event) -> None:
        """Run every loop until the stop."""
        async with asyncio.TaskGroup() as group:
            group.create_task(loop.every(_RECOVER_SECONDS, self._recover, stop))
            group.create_task(loop.every(_EXPIRE_SECONDS, self._expire, stop))
            group.create_task(loop.every(_DISABLE_SECONDS, self._disable, stop))
            group.create_task(loop.every(_FILL_SECONDS, self._fill, stop))
            group.create_task(loop.every(_POST_SECONDS, self._poster.post, stop))
            group.create_task(loop.every(_COUNT_SECONDS, self._count, stop))
            group.create_task(loop.every(_EMPTY_SECONDS, self._empty, stop))
            group.create_task(self._auditor.run(stop))
            group.create_task(loop.every(_COLLECT_SECONDS, self._collect, stop))
            if self._stripe is not None:
                group.create_task(loop.every(_LOOK_SECONDS, self._look, stop))
            group.create_task(loop.every(_REMOVE_SECONDS, self._remove, stop))
            group.create_task(loop.every(_TIDY_SECONDS, self._tidy, stop))
            group.create_task(self._deliverer.run(stop))

    async def _recover(self) -> None:
        await sweep.recover_tasks(self._database)

    async def _expire(self) -> None:
        await sweep.expire_tasks(self._database)

    async def _disable(self) -> None:
        await sweep.disable_endpoints(self._database)
        await sweep.forget_listeners(self._database)
        await sweep.expire_payments(self._database)

    async def _fill(self) -> None:
        await sweep.fill_lanes(self._database)

    async def _count(self) -> None:
        await sweep.count_usage(self._database)

    async def _empty(self) -> None:
        await sweep.empty_suspended(self._database)

    async def _collect(self) -> None:
        await reconcile.collect_debts(self._database)

    async def _look(self) -> None:
        assert self._stripe is not None
        await reconcile.look_at_payments(self._database, self._stripe)

    async def _remove(self) -> None:
        await sweep.remove_deleted(self._database, Files(self._config.files_folder))

    async def _tidy(self) -> None:
        await sweep.forget_call_records(self._database, self._config.history_days)
        await sweep.forget_idempotency_keys(self._database)
        await sweep.forget_sessions(self._database)
        await sweep.forget_letters(self._database)
        await sweep.forget_workers(self._database)
        await sweep.forget_buckets(self._database)
        await sweep.forget_deliveries(self._database, self._config.history_days)
        await sweep.forget_usage(self._database)
        await sweep.forget_audits(self._database, self._config.history_days)
        await sweep.forget_stripe_events(self._database)
        await sweep.clear_work(self._config.work_folder)
