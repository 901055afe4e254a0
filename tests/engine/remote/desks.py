"""A desk: tasks over a real database, each attempt at them run as a worker runs it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
from msgspec.structs import replace

from darkroom import ids
from darkroom.domain import leases, rates, tasks, upstream_calls
from darkroom.domain.catalogue import Prefer, Served
from darkroom.domain.kinds.table import defaults
from darkroom.engine.attempt import Attempt, Tools
from darkroom.engine.backends import contract, registry
from darkroom.engine.errand import Errand, Means
from darkroom.engine.marking import Marker
from darkroom.engine.routing import Routes
from darkroom.outbound import Outbound
from darkroom.storage.database import Database
from darkroom.storage.disk import Disk
from ground import Ground

MODEL = "M"
NONE: Mapping[str, list[Path]] = {}
FIELDS = {"prompt": "a lake", "width": 1024, "height": 1024}
_ATTEMPTS_MAX = 12


@dataclass
class Desk:
    """One account's tasks, and everything that an attempt uses."""

    ground: Ground
    database: Database
    account_id: str
    tools: Tools
    means: Means
    options: Mapping[str, Mapping[str, Any]]
    prefer: Prefer = "order"
    routes: Routes = field(default_factory=Routes)
    attempts: list[Attempt] = field(default_factory=list)

    async def submit(
        self,
        kind: str = "text-to-image",
        files: Mapping[str, list[Path]] = NONE,
        **more: Any,
    ) -> str:
        """The id of a new task; `more` are fields of it."""
        async with self.database.transaction() as tx:
            found = await rates.publish(tx, [rates.Asked(MODEL, kind, "call", 5000)])
            stored = {}
            for name, paths in files.items():
                stored[name] = [await self._stored(path) for path in paths]
            asked = tasks.Submission(
                account_id=self.account_id,
                api_key_id=None,
                request_id=ids.new("req"),
                kind=kind,
                model=MODEL,
                input={"fields": FIELDS | more, "files": stored},
                rate_id=found[MODEL, kind].id,
                price_mill=5000,
                count=1,
                seed=7,
            )
            [batch] = await tasks.submit(tx, [asked])
        assert isinstance(batch, tasks.Batch), batch
        return batch.task_ids[0]

    async def _stored(self, path: Path) -> str:
        """A copy of a file in the store, as an upload leaves it."""
        copy = path.with_name(f"{path.stem}-copy{path.suffix}")
        await asyncio.to_thread(shutil.copyfile, path, copy)
        media_type = {".png": "image/png", ".mp4": "video/mp4"}[path.suffix]
        return f"file:{(await self.tools.files.take(copy, media_type))[0]}"

    async def claim(self) -> leases.Claim:
        """The next task, its pause taken as over; each claim is another worker's."""
        async with asyncio.timeout(60):
            while True:
                async with self.database.statement() as tx:
                    claimed = await leases.claim(
                        tx, ids.new("wrk"), leases.Wanted([MODEL]), tasks_max=1, lease_seconds=60
                    )
                if claimed:
                    # Signing what was made takes longer than all the rest.
                    return replace(claimed[0], has_provenance=False)
                self.behind("UPDATE tasks SET not_before = now() WHERE status = 'PENDING'")

    def served(self, kind: str) -> Served:
        return Served({kind: tuple(self.options)}, self.options, self.prefer, None)

    def attempt(self, claimed: leases.Claim, *, seconds_max: float = 60) -> Attempt:
        """The attempt at a task as the worker begins it."""
        served = self.served(claimed.kind)
        backend = self.routes.choose(claimed, served)
        one = Attempt(
            claimed,
            backend,
            Errand(registry.remotes()[backend], claimed, self.means, seconds_max),
            self.tools,
            options=served.options[backend],
            has_other=self.routes.has_other(claimed, served, backend),
            seconds_max=seconds_max,
            freed=lambda _: None,
        )
        self.attempts.append(one)
        return one

    async def run(self, one: Attempt) -> None:
        """Run an attempt, and let the routes learn from it."""
        await one.run()
        self.routes.note(MODEL, one.backend, one.error, one.seconds or 0.0)

    async def end(self, task_id: str) -> tasks.Task:
        """The task when every attempt that it gets was made."""
        for _ in range(_ATTEMPTS_MAX):
            await self.run(self.attempt(await self.claim()))
            if (task := await self.task(task_id)).is_ended:
                return task
        raise AssertionError(f"{task_id} has not ended")

    async def made(self, *asked: Any, **more: Any) -> tasks.Task:
        """A submitted task when it has ended."""
        return await self.end(await self.submit(*asked, **more))

    async def task(self, task_id: str) -> tasks.Task:
        async with self.database.statement() as tx:
            return (await tasks.get_many(tx, [(self.account_id, task_id)]))[
                self.account_id, task_id
            ]

    async def calls(self, task_id: str) -> list[upstream_calls.UpstreamCall]:
        """The task's calls, in their order."""
        async with self.database.statement() as tx:
            return await upstream_calls.of_task(tx, task_id)

    async def give_back(self, claimed: leases.Claim) -> None:
        """What the stop or the death of a worker comes to."""
        async with self.database.transaction() as tx:
            assert await leases.requeue(tx, claimed, delay_seconds=0, strikes=0)

    async def run_until(self, claimed: leases.Claim, step: int) -> bool:
        """Run an attempt's errand, ended at its nth wait; whether it was still running then."""
        folder = self.tools.work_folder / f"{claimed.id}-{claimed.attempt}"
        folder.mkdir(parents=True)
        backend = self.routes.choose(claimed, self.served(claimed.kind))
        remote = registry.remotes()[backend]
        errand = Errand(remote, claimed, self.means, 60)
        errand.folder = folder
        fields = defaults(claimed.kind) | claimed.input["fields"]
        given = contract.Input(claimed.kind, claimed.model, fields)

        async def whole() -> None:
            async for _ in remote.run(given, self.options[backend], errand):
                pass

        running = asyncio.create_task(_ended_at(whole(), step))
        await asyncio.wait([running])
        return running.cancelled()

    def behind(self, query: str, *given: Any) -> list[tuple[Any, ...]]:
        """What the database answers behind Darkroom's back."""
        with psycopg.connect(self.database.conninfo, autocommit=True) as connection:
            answered = connection.execute(query, given)
            return answered.fetchall() if answered.description else []


async def _ended_at(coroutine: Coroutine[Any, Any, None], step: int) -> None:
    await _counted(coroutine, step)


@types.coroutine
def _counted(coroutine: Coroutine[Any, Any, None], step: int) -> Generator[Any, Any, None]:
    """Await a coroutine, cancelling its task at the nth thing that it waits for."""
    task, count = asyncio.current_task(), 0
    assert task is not None
    sent: BaseException | None = None
    while True:
        try:
            waited = coroutine.throw(sent) if sent else coroutine.send(None)
        except StopIteration:
            return
        sent = None
        if count == step:
            task.cancel()
        count += 1
        try:
            yield waited
        except BaseException as thrown:  # noqa: BLE001 - it is handed on
            sent = thrown


@contextlib.asynccontextmanager
async def opened(
    ground: Ground, database: Database, folder: Path, options: Mapping[str, Mapping[str, Any]]
) -> AsyncIterator[Desk]:
    """A desk with an account of its own."""
    account = await asyncio.to_thread(ground.account)
    async with (
        Outbound(["127.0.0.1"]) as outbound,
        httpx.AsyncClient(limits=httpx.Limits(max_keepalive_connections=0)) as http,
    ):
        tools = Tools(
            database, Disk(folder / "files"), outbound, Marker(database, None), folder / "work"
        )
        desk = Desk(ground, database, account.id, tools, Means(database, outbound, http), options)
        yield desk


def tell(
    ground: Ground,
    folder: Path,
    options: Mapping[str, Mapping[str, Any]],
    story: Callable[[Desk], Awaitable[Any]],
) -> Any:
    """Run a story at a desk."""

    async def told(database: Database) -> Any:
        async with opened(ground, database, folder, options) as desk:
            return await story(desk)

    return ground.run(told)
