"""What requests that arrive together share: the commit of submits, the read of statuses."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from darkroom import config, errors
from darkroom.api.together import Together
from darkroom.domain import assets, tasks
from darkroom.storage.database import Database


@dataclass(frozen=True, slots=True)
class Wanted:
    """One submit on its way into a group, with the files that were stored for it."""

    submission: tasks.Submission
    stored: Sequence[assets.Asset]


Outcome = tasks.Batch | errors.InsufficientCredits


def submits(database: Database) -> Together[Wanted, Outcome]:
    """Submits that share a commit; an outcome for each."""

    async def work(wanted: Sequence[Wanted]) -> Sequence[Outcome]:
        async with database.transaction() as tx:
            outcomes = await tasks.submit(tx, [one.submission for one in wanted])
            for one, outcome in zip(wanted, outcomes, strict=True):
                if one.stored and isinstance(outcome, tasks.Batch):
                    await assets.add(tx, one.submission.account_id, one.stored, task_id=None)
        return outcomes

    return Together(work, items_max=config.SUBMITS_TOGETHER_MAX)


class Statuses:
    """Status reads that share a statement; finished tasks, which never change, are remembered."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reads = Together(self._read, items_max=config.READS_TOGETHER_MAX)
        self._finished: OrderedDict[tuple[str, str], tasks.Task] = OrderedDict()

    async def get(self, account_id: str, task_id: str) -> tasks.Task:
        """One task of the account; another account's is not found either."""
        asked = (account_id, task_id)
        known = self._finished.get(asked)
        if known is not None:
            return known
        task = await self._reads.ask(asked)
        if task is None:
            raise errors.TaskNotFound
        if not tasks.TRANSITIONS[task.status]:
            self._finished[asked] = task
            if len(self._finished) > config.FINISHED_CACHED_MAX:
                self._finished.popitem(last=False)
        return task

    async def _read(self, asked: Sequence[tuple[str, str]]) -> Sequence[tasks.Task | None]:
        async with self._database.statement() as tx:
            found = await tasks.get_many(tx, asked)
        return [found.get(one) for one in asked]
