"""What requests that arrive together share: the commit of submits, the read of statuses."""

from __future__ import annotations

import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec

from darkroom import config, errors
from darkroom.api.together import Together
from darkroom.domain import assets, spellings, tasks
from darkroom.storage.database import Database, Transaction

# While one group of submits is being committed, the requests of the next are read and locked.
_FLIGHTS_MAX = 2
# Around a transaction that submits, what is done in it last: a worker's claim, where there is one.
Ride = Callable[[], AbstractAsyncContextManager[Callable[[Transaction], object]]]


class Wanted(msgspec.Struct, frozen=True):
    """One submit on its way into a group, with the files that were stored for it."""

    submission: tasks.Submission
    stored: Sequence[assets.Asset]


def alone() -> AbstractAsyncContextManager[Callable[[Transaction], object]]:
    """Nobody rides along."""
    return contextlib.nullcontext(lambda _: None)


def submits(database: Database, ride: Ride = alone) -> Together[Wanted, tasks.Outcome]:
    """Submits that share a commit, with the claim of who rides along; an outcome for each."""

    async def work(wanted: Sequence[Wanted]) -> Sequence[tasks.Outcome]:
        async with ride() as claim, database.transaction() as tx:
            asked = [one.submission for one in wanted]
            outcomes = await tasks.submit(tx, asked, locked=together.follow)
            new = [
                one
                for one, outcome in zip(wanted, outcomes, strict=True)
                if isinstance(outcome, tasks.Batch) and not outcome.replayed
            ]
            for one in new:
                if one.stored:
                    await assets.add(tx, one.submission.account_id, one.stored, task_id=None)
            if new:
                claim(tx)
        return outcomes

    together = Together(work, items_max=config.SUBMITS_TOGETHER_MAX, flights_max=_FLIGHTS_MAX)
    return together


class Shown(msgspec.Struct, frozen=True):
    """A task and the `data` of its status answer."""

    task: tasks.Task
    data: Any


class Statuses:
    """Status reads that share a statement; finished tasks are remembered for a while.

    Nothing about one changes but that its owner deletes it: this process knows at once, another one
    within `FINISHED_SECONDS_MAX`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reads = Together(self._read, items_max=config.READS_TOGETHER_MAX)
        self._finished: OrderedDict[tuple[str, str], tuple[float, tasks.Task]] = OrderedDict()
        self._shown: OrderedDict[tuple[str, str, str], Shown] = OrderedDict()

    async def show(self, account_id: str, task_id: str, spelling: str, base_url: str) -> Shown:
        """One task as its status answers it; a finished one is written out once a spelling."""
        task = await self.get(account_id, task_id)
        if tasks.TRANSITIONS[task.status]:
            return Shown(task, spellings.task(task, spelling, base_url))
        key = (task_id, spelling, base_url)
        shown = self._shown.get(key)
        if shown is None or shown.task is not task:
            data = msgspec.Raw(spellings.encode(spellings.task(task, spelling, base_url)))
            shown = self._shown[key] = Shown(task, data)
            if len(self._shown) > config.FINISHED_CACHED_MAX:
                self._shown.popitem(last=False)
        return shown

    def forget(self, account_id: str, task_id: str) -> None:
        """Read a task anew the next time it is asked for."""
        self._finished.pop((account_id, task_id), None)

    async def get(self, account_id: str, task_id: str) -> tasks.Task:
        """One task of the account; another account's is not found either."""
        asked = (account_id, task_id)
        now = time.monotonic()
        known = self._finished.get(asked)
        if known is not None and now < known[0]:
            return known[1]
        task = await self._reads.ask(asked)
        if task is None:
            raise errors.TaskNotFound
        if not tasks.TRANSITIONS[task.status]:
            self._finished[asked] = (now + config.FINISHED_SECONDS_MAX, task)
            if len(self._finished) > config.FINISHED_CACHED_MAX:
                self._finished.popitem(last=False)
        return task

    async def continuation(self, account_id: str, task_id: str) -> tasks.Task | None:
        """The last task that goes on with one of the account's that has ended."""
        async with self._database.statement() as tx:
            later_id = await tasks.continuation(tx, account_id, task_id)
        return await self.get(account_id, later_id) if later_id else None

    async def _read(self, asked: Sequence[tuple[str, str]]) -> Sequence[tasks.Task | None]:
        async with self._database.statement() as tx:
            found = await tasks.get_many(tx, asked)
        return [found.get(one) for one in asked]
