"""What time broke: tasks of dead workers, call records and keys past their days, leftover work."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from darkroom import config
from darkroom.domain import (
    assets,
    audits,
    buckets,
    call_records,
    deliveries,
    endings,
    erasures,
    idempotency_keys,
    lanes,
    letters,
    links,
    payments,
    sessions,
    suspensions,
    upstream_calls,
    usage,
    webhook_endpoints,
    workers,
)
from darkroom.storage.database import Database
from darkroom.storage.files import Files

_log = logging.getLogger(__name__)
# Of rows that are removed or counted, in one transaction.
_ROWS_MAX = 5_000
# Of each of an erasure's tables, in one transaction; and such transactions in a row.
_ROWS_ERASED_MAX = 1_000
_PARTS_MAX = 10
_FILES_REMOVED_MAX = 1_000
_FOLDER_SECONDS_MAX = 86_400.0


async def recover_tasks(database: Database) -> int:
    """Requeue tasks whose lease ran out, or fail and refund them; one transaction each."""
    async with database.statement() as tx:
        lost = await endings.lost(tx, tasks_max=config.SWEEP_TASKS_MAX)
    recovered = 0
    for task in lost:
        async with database.transaction() as tx:
            if await endings.recover(tx, task, strikes_max=config.STRIKES_MAX):
                recovered += 1
                _log.warning("%s: attempt %d was lost", task.id, task.attempt)
    return recovered


async def abandon_calls(database: Database) -> None:
    """Say of calls to other services whose tasks ended without them that nobody knows their end."""
    async with database.statement() as tx:
        await upstream_calls.abandon(tx)


async def expire_tasks(database: Database) -> int:
    """Fail and refund tasks that have not begun by their deadline; one transaction each."""
    for expired in range(config.SWEEP_TASKS_MAX):
        async with database.transaction() as tx:
            task_id = await endings.expire(tx)
        if task_id is None:
            return expired
        _log.info("%s: the deadline passed", task_id)
    return config.SWEEP_TASKS_MAX


async def empty_suspended(database: Database) -> None:
    """Cancel waiting tasks of suspended accounts that are to be emptied; one transaction each."""
    async with database.transaction() as tx:
        waiting = await suspensions.waiting(tx, tasks_max=config.SWEEP_TASKS_MAX)
    for account_id, task_id in waiting:
        async with database.transaction() as tx:
            await endings.cancel(tx, account_id, task_id)


async def erase_accounts(database: Database) -> None:
    """Remove what deleted accounts left, a bounded number of rows a transaction."""
    for _ in range(_PARTS_MAX):
        async with database.transaction() as tx:
            if not await erasures.go_on(tx, rows_max=_ROWS_ERASED_MAX):
                return


async def fill_lanes(database: Database) -> None:
    """Admit the parked tasks of lanes that have room; one transaction each."""
    async with database.statement() as tx:
        short = await lanes.find_short(tx, lanes_max=config.SWEEP_TASKS_MAX)
    for account_id in short:
        async with database.transaction() as tx:
            await lanes.fill(tx, account_id)


async def forget_call_records(database: Database, retention_days: int) -> None:
    """Remove call records past their days, a bounded number a transaction."""
    await _in_parts(database, call_records.forget, retention_days=retention_days)


async def forget_idempotency_keys(database: Database) -> None:
    """Remove expired idempotency keys, a bounded number a transaction."""
    await _in_parts(database, idempotency_keys.forget)


async def forget_sessions(database: Database) -> None:
    """Remove sessions that ran out, a bounded number a transaction."""
    await _in_parts(database, sessions.forget)


async def forget_letters(database: Database) -> None:
    """Remove old letters and links that ran out, a bounded number a transaction."""
    await _in_parts(database, letters.forget)
    await _in_parts(database, links.forget)


async def forget_workers(database: Database) -> None:
    """Remove workers that have been gone for a day."""
    async with database.statement() as tx:
        await workers.forget(tx)


async def forget_buckets(database: Database) -> None:
    """Remove the buckets of request limits that are full again."""
    async with database.statement() as tx:
        await buckets.forget(tx)


async def disable_endpoints(database: Database) -> None:
    """Disable webhook endpoints at which nothing has arrived for days."""
    async with database.statement() as tx:
        for one in await webhook_endpoints.disable_failing(tx):
            _log.warning("%s of %s is disabled: %s", one.id, one.account_id, one.disabled_reason)


async def forget_listeners(database: Database) -> None:
    """Remove webhook listeners that have gone."""
    async with database.statement() as tx:
        await webhook_endpoints.forget_listeners(tx)


async def forget_deliveries(database: Database, retention_days: int) -> None:
    """Remove webhook deliveries past their days, a bounded number a transaction."""
    await _in_parts(database, deliveries.forget, retention_days=retention_days)


async def count_usage(database: Database) -> None:
    """Count the requests and ended tasks that are new, a bounded number a transaction."""
    await _in_parts(database, usage.count)


async def forget_usage(database: Database) -> None:
    """Remove counts of requests and tasks past their days, a bounded number a transaction."""
    await _in_parts(database, usage.forget)


async def forget_audits(database: Database, retention_days: int) -> None:
    """Remove audits past their days, but never the last."""
    async with database.statement() as tx:
        await audits.forget(tx, retention_days=retention_days)


async def expire_payments(database: Database) -> None:
    """End open payments that nobody can pay any more."""
    async with database.statement() as tx:
        await payments.expire(tx)


async def forget_stripe_events(database: Database) -> None:
    """Remove events of Stripe's that are not sent again."""
    async with database.statement() as tx:
        await payments.forget_events(tx)


async def expire_files(database: Database, days: int | None) -> None:
    """Mark files past their days as deleted, if files have an age, a bounded number at a time."""
    if days is not None:
        await _in_parts(database, assets.expire, days=days)


async def remove_deleted(database: Database, files: Files) -> None:
    """Remove the bytes of deleted files that whoever deleted them did not live to remove."""
    async with database.statement() as tx:
        names = await assets.leftover(tx, files_max=_FILES_REMOVED_MAX)
    if names:
        await files.remove(names)
        async with database.statement() as tx:
            await assets.mark_removed(tx, names)


async def _in_parts(database: Database, work: Callable[..., Awaitable[int]], **given: Any) -> None:
    """Do what may be much, a transaction for so many rows, until a part is not full."""
    done = _ROWS_MAX
    while done == _ROWS_MAX:
        async with database.transaction() as tx:
            done = await work(tx, rows_max=_ROWS_MAX, **given)


async def clear_work(folder: Path) -> None:
    """Remove work folders that a killed worker left behind, once they are a day old."""
    await asyncio.to_thread(_clear_work, folder)


def _clear_work(folder: Path) -> None:
    if not folder.is_dir():
        return
    for left in folder.iterdir():
        # Its worker may be removing it at this very moment.
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _FOLDER_SECONDS_MAX:
                shutil.rmtree(left, ignore_errors=True)
