"""What the tests of the queue share: submits of a given work, claims, and ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from darkroom import errors, ids
from darkroom.domain import accounts, endings, leases, paces, rates, tasks, workers
from darkroom.storage.database import Database

KIND = "text-to-image"
MODELS = ("M", "N")
WORKER = "wrk_test"


@dataclass(frozen=True)
class Queue:
    """One database, a rate for each model, and a worker that serves them all."""

    database: Database
    rate_ids: dict[str, int]

    async def try_submit(
        self, account_id: str, count: int = 1, *, model: str = "M", **more: Any
    ) -> tasks.Outcome:
        """The outcome of one submit of `count` tasks."""
        usual: dict[str, Any] = {"kind": KIND, "input": {"fields": {}, "files": {}}, "seed": 7}
        asked = tasks.Submission(
            account_id=account_id,
            api_key_id=None,
            request_id=ids.new("req"),
            model=model,
            rate_id=self.rate_ids[model],
            price_mill=1,
            count=count,
            **usual | more,
        )
        async with self.database.transaction() as tx:
            return (await tasks.submit(tx, [asked]))[0]

    async def submit(self, account_id: str, count: int = 1, **more: Any) -> tuple[str, ...]:
        """The ids of the tasks of one submit."""
        outcome = await self.try_submit(account_id, count, **more)
        assert isinstance(outcome, tasks.Batch), outcome
        return outcome.task_ids

    async def claim(
        self,
        tasks_max: int = 1,
        *,
        models: Sequence[str] = MODELS,
        loaded: Sequence[str] = (),
        worker_id: str = WORKER,
    ) -> list[leases.Claim]:
        """What a worker gets next."""
        async with self.database.statement() as tx:
            return await leases.claim(
                tx, worker_id, leases.Wanted(models, loaded), tasks_max=tasks_max, lease_seconds=60
            )

    async def claim_alike(
        self, lead: leases.Claim, tasks_max: int = 8, *, worker_id: str = WORKER
    ) -> list[leases.Claim]:
        """What a worker gets beside a task that it has claimed."""
        async with self.database.statement() as tx:
            return await leases.claim_alike(
                tx, worker_id, lead, tasks_max=tasks_max, lease_seconds=60
            )

    async def end(self, claimed: leases.Claim) -> None:
        """End a running task."""
        async with self.database.transaction() as tx:
            assert await leases.fail(tx, claimed, errors.BackendFailed(), served_by="b")

    async def cancel(self, account_id: str, task_id: str) -> None:
        """Cancel a task."""
        async with self.database.transaction() as tx:
            await endings.cancel(tx, account_id, task_id)

    async def serve(self, claims: int) -> list[leases.Claim]:
        """Run so many tasks one after another, as a lone worker with one slot does."""
        served = []
        for _ in range(claims):
            for claimed in await self.claim():
                await self.end(claimed)
                served.append(claimed)
        return served

    async def learn(self, model: str, seconds: float) -> None:
        """Teach the pace of a model at size 0."""
        async with self.database.statement() as tx:
            await paces.learn(tx, [paces.Measured(model, KIND, 0, seconds)])

    async def register(self, worker_id: str = WORKER, models: Sequence[str] = MODELS) -> None:
        """Make a worker known."""
        async with self.database.statement() as tx:
            await workers.see(tx, worker_id, host="here", models=models, slots=1)

    async def limit(self, account_id: str, **limits: Any) -> None:
        """Set limits of an account."""
        async with self.database.statement() as tx:
            await accounts.limit(tx, account_id, accounts.Limits(**limits))


async def opened(database: Database) -> Queue:
    """A queue with its one worker."""
    async with database.transaction() as tx:
        found = await rates.publish(tx, [rates.Asked(model, KIND, "image", 1) for model in MODELS])
    queue = Queue(database, {model: found[model, KIND].id for model in MODELS})
    await queue.register()
    return queue
