"""The daemon: the loops that keep the house, safe to run any number of times."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from darkroom.config import Config
from darkroom.domain.purchases import Stripe
from darkroom.engine import loop, reconcile, sweep
from darkroom.engine.auditor import Auditor
from darkroom.engine.deliver import Deliverer
from darkroom.engine.posting import Poster
from darkroom.storage.database import Database
from darkroom.storage.files import Files

# What is due again after so many seconds, and needs the database alone.
_SWEEPS: tuple[tuple[float, Callable[[Database], Awaitable[object]]], ...] = (
    (1.0, sweep.recover_tasks),
    (1.0, sweep.expire_tasks),
    (1.0, sweep.fill_lanes),
    (1.0, sweep.empty_suspended),
    (5.0, sweep.erase_accounts),
    (1.0, reconcile.collect_debts),
    (5.0, sweep.count_usage),
    (30.0, sweep.abandon_calls),
)
_LOOK_SECONDS = 0.5
_POST_SECONDS = 1.0
_REMOVE_SECONDS = 10.0
_DISABLE_SECONDS = 60.0
_TIDY_SECONDS = 3600.0


class Daemon:
    """Sweeps until told to stop."""

    def __init__(
        self, database: Database, files: Files, config: Config, stripe: Stripe | None
    ) -> None:
        self._database = database
        self._files = files
        self._config = config
        self._deliverer = Deliverer(database, config)
        self._poster = Poster(database, config)
        self._auditor = Auditor(database, config.audit_hours)
        self._stripe = stripe

    async def run(self, stop: asyncio.Event) -> None:
        """Run every loop until the stop."""
        database, files = self._database, self._files
        async with asyncio.TaskGroup() as group:
            for seconds, sweeping in _SWEEPS:
                group.create_task(loop.every(seconds, sweeping, stop, database))
            group.create_task(loop.every(_POST_SECONDS, self._poster.post, stop))
            group.create_task(
                loop.every(_REMOVE_SECONDS, sweep.remove_deleted, stop, database, files)
            )
            group.create_task(loop.every(_DISABLE_SECONDS, self._disable, stop))
            group.create_task(loop.every(_TIDY_SECONDS, self._tidy, stop))
            if self._stripe is not None:
                look = reconcile.look_at_payments
                group.create_task(loop.every(_LOOK_SECONDS, look, stop, database, self._stripe))
            group.create_task(self._auditor.run(stop))
            group.create_task(self._deliverer.run(stop))

    async def _disable(self) -> None:
        await sweep.disable_endpoints(self._database)
        await sweep.forget_listeners(self._database)
        await sweep.expire_payments(self._database)

    async def _tidy(self) -> None:
        await sweep.forget_call_records(self._database, self._config.history_days)
        await sweep.expire_files(self._database, self._config.file_days)
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
