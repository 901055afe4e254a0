"""The worker: claims waiting tasks, has its children run them, and gives back what it must."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import httpx

from darkroom import config, errors, ids
from darkroom.authority import Authority
from darkroom.config import Config
from darkroom.domain import leases, paces, workers
from darkroom.domain.catalogue import Catalogue, Served
from darkroom.engine import loop
from darkroom.engine.attempt import Attempt, Runner, Tools
from darkroom.engine.backends import registry
from darkroom.engine.children import Children
from darkroom.engine.errand import Errand, Means
from darkroom.engine.marking import Marker
from darkroom.engine.news import News
from darkroom.engine.offers import Offers
from darkroom.engine.patience import Patience
from darkroom.engine.previews import Previews
from darkroom.engine.process import Process
from darkroom.engine.routing import Routes
from darkroom.engine.sharing import Seat
from darkroom.outbound import Outbound
from darkroom.storage.database import Asked, Database, Transaction
from darkroom.storage.files import Files

_log = logging.getLogger(__name__)
# What a sandbox is asked for first.
_WARM_BACKEND = "painter"
# A NOTIFY can be lost with its connection; asking this often costs such a task a moment, no more.
_POLL_SECONDS = 1.0
_BEAT_SECONDS = 0.25
# Until the certificate is at hand; then it costs nothing.
_PREPARE_SECONDS = 5.0
# Leases are renewed at a third of their length, so that a beat may fail before one runs out.
_LEASE_PARTS = 3
# A service may close an idle connection just as a request goes out on it, and nobody knows then
# whether it arrived: none is used twice. Tasks wait for their turn, connections do not.
_CONNECTIONS = httpx.Limits(max_connections=None, max_keepalive_connections=0)
# What a child gets to stop by itself, and an end to be written, before it is given up.
_STOP_SECONDS_MAX = 5.0


class Worker:
    """Runs up to `config.workers_count` tasks at once, each in a child process of its own.

    Beside them it leaves up to `config.remote_tasks_max` tasks to other services.
    """

    def __init__(
        self,
        database: Database,
        files: Files,
        catalogue: Catalogue,
        settings: Config,
        authority: Authority | None,
    ) -> None:
        self.id = ids.new("wrk")
        self._database = database
        self._config = settings
        self._tools = Tools(
            database,
            files,
            Outbound(settings.outbound_allow),
            Marker(database, authority),
            settings.work_folder,
        )
        self._remotes = registry.remotes()
        self._routes = Routes()
        self._offers = Offers(catalogue, self._routes, self._remotes, settings.models)
        self._running: dict[asyncio.Task[None], Attempt] = {}
        self._wake = asyncio.Event()
        # Held by who claims, the loop or a submit for it; and what a submit has claimed.
        self._claiming = asyncio.Lock()
        self._aboard: tuple[Mapping[str, Served], Sequence[leases.Claim]] = ({}, ())
        self._is_open = False
        self._children = Children(settings, self._wake.set)
        self._told: dict[str, float] = {}
        self._beaten_at = 0.0
        self._patience = Patience()
        self._news = News(database)
        self._previews = Previews(database)
        self._measured: deque[paces.Measured] = deque(maxlen=config.MEASURED_MAX)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until the stop, let running tasks finish for a while, then give back the rest."""
        _log.info("worker %s runs %d tasks at once", self.id, self._config.workers_count)
        drained = asyncio.Event()
        async with self._tools.outbound, httpx.AsyncClient(limits=_CONNECTIONS) as http:
            self._means = Means(self._database, self._tools.outbound, http)
            await self._warm_up()
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(loop.every(0.5, self._listen, stop))
                hearing = group.create_task(loop.every(0.5, self._hear_cancels, drained))
                group.create_task(loop.every(config.WORKER_SEEN_SECONDS, self._see, drained))
                group.create_task(loop.every(_BEAT_SECONDS, self._beat, drained))
                group.create_task(loop.every(_BEAT_SECONDS, self._show, drained))
                group.create_task(self._wake_at(stop))
                group.create_task(loop.every(_PREPARE_SECONDS, self._tools.marker.prepare, stop))
                self._is_open = True
                await loop.every(0.0, self._claim, stop)
                self._is_open = False
                listening.cancel()
                with contextlib.suppress(errors.DatabaseUnavailable):
                    async with self._claiming:
                        await self._begin_aboard()
                await self._drain()
                drained.set()
                hearing.cancel()
            await self._finish()
            await self._children.close()

    async def _warm_up(self) -> None:
        """Start the children before the first task comes, so that it finds the models loaded."""
        await self._children.start()
        if self._config.sandbox:
            self._children.warm(_WARM_BACKEND)

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()

    async def _listen(self) -> None:
        async with contextlib.aclosing(self._database.listen("tasks")) as notices:
            async for _ in notices:
                self._wake.set()

    async def _hear_cancels(self) -> None:
        async with contextlib.aclosing(self._database.listen("cancels")) as task_ids:
            async for task_id in task_ids:
                for attempt in self._running.values():
                    if attempt.claimed.id == task_id:
                        attempt.cancel()

    async def _see(self) -> None:
        """Tell the database that this worker lives, and how long its tasks took."""
        measured = [*self._measured]
        async with self._database.transaction() as tx:
            await workers.see(
                tx,
                self.id,
                host=socket.gethostname(),
                models=list(self._offers.served()),
                loaded=sorted(self._children.held()),
                slots=self._config.workers_count,
            )
            if measured:
                await paces.learn(tx, measured)
        for _ in measured:
            self._measured.popleft()

    async def _finish(self) -> None:
        with contextlib.suppress(errors.DatabaseUnavailable):
            async with self._database.statement() as tx:
                await workers.finish(tx, self.id)

    @contextlib.asynccontextmanager
    async def ride(self) -> AsyncIterator[Callable[[Transaction], None]]:
        """Around a transaction that submits: what is given claims in it, if a child is idle."""
        if not self._is_open or self._claiming.locked() or self._aboard[1]:
            yield lambda _: None
            return
        served, asked = self._offers.served(), list[Asked[leases.Claim]]()

        def claim(tx: Transaction) -> None:
            models, count = self._offers.awake(served)[0], self._children.idle()
            if models and count and not self._has_enough_to_store():
                wanted = self._patience.wanted(models, self._children.loaded())
                seconds = self._config.lease_seconds
                asked.append(
                    leases.ask(tx, self.id, wanted, tasks_max=count, lease_seconds=seconds)
                )

        async with self._claiming:
            yield claim
            for one in asked:
                self._aboard = served, await one.all()
                self._wake.set()

    async def _begin_aboard(self) -> None:
        """Begin what a submit has claimed."""
        (served, claimed), self._aboard = self._aboard, ({}, ())
        await self._take(served, claimed)

    async def _claim(self) -> None:
        """Claim as many tasks as there are free places, or wait until there is reason to ask."""
        self._wake.clear()
        async with self._claiming:
            is_busy = await self._claim_all()
        if not is_busy:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _POLL_SECONDS)

    async def _claim_all(self) -> bool:
        """Claim tasks and begin them; whether there were as many as could be."""
        await self._begin_aboard()
        away = sum(isinstance(one.runner, Errand) for one in self._running.values())
        # Children come first: what cannot be run here is left to other workers.
        children = await self._children.start()
        if self._has_enough_to_store():
            children = 0
        places = max(0, self._config.remote_tasks_max - away)
        # What the catalogue says may change while the database is asked.
        served = self._offers.served()
        local, remote = self._offers.awake(served)
        is_busy = await self._claim_some(served, local, children)
        if remote:
            is_busy = await self._claim_some(served, remote, places) or is_busy
        return is_busy

    def _has_enough_to_store(self) -> bool:
        """Whether so much waits for the store of files that no more should be made."""
        here = (one for one in self._running.values() if not isinstance(one.runner, Errand))
        return sum(one.is_made for one in here) >= config.STORING_MAX

    async def _claim_some(
        self, served: Mapping[str, Served], models: Sequence[str], tasks_max: int
    ) -> bool:
        """Claim tasks of these models and begin them; whether there were as many as could be."""
        if not tasks_max:
            return False
        async with self._database.statement() as tx:
            claimed = await leases.claim(
                tx,
                self.id,
                self._patience.wanted(models, self._children.loaded()),
                tasks_max=tasks_max,
                lease_seconds=self._config.lease_seconds,
            )
        await self._take(served, claimed)
        return len(claimed) == tasks_max

    async def _take(self, served: Mapping[str, Served], claimed: Sequence[leases.Claim]) -> None:
        """Begin what was claimed, and what is to run in one call with it."""
        if claimed:
            self._patience.count(claimed)
        told = [*claimed]
        for one in claimed:
            alike = await self._claim_alike(one, served[one.model])
            self._begin([one, *alike], served[one.model])
            told += alike
        await self._news.begun(told)

    async def _claim_alike(self, lead: leases.Claim, served: Served) -> list[leases.Claim]:
        """Claim tasks to run in one call with one just claimed, where that is faster."""
        count = self._children.gains.count(
            self._routes.choose(lead, served), lead, self._seconds_max(served)
        )
        if count < 2:
            return []
        # Whatever is the matter, the first is ours already.
        with contextlib.suppress(errors.DatabaseUnavailable):
            async with self._database.statement() as tx:
                return await leases.claim_alike(
                    tx,
                    self.id,
                    lead,
                    tasks_max=count - 1,
                    lease_seconds=self._config.lease_seconds,
                )
        return []

    def _seconds_max(self, served: Served) -> float:
        return served.seconds_max or self._config.task_seconds_max

    def _begin(self, claimed: Sequence[leases.Claim], served: Served) -> None:
        """Begin a task, and those that run in one call with it."""
        lead = claimed[0]
        backend = self._routes.choose(lead, served)
        remote = self._remotes.get(backend)
        if remote is None and lead.goes_on_with:
            backend = ""
        seconds_max = self._seconds_max(served)
        runners: Sequence[Runner]
        # What nobody here serves needs no child either, of which there may be none.
        if remote is not None or not backend:
            runners = [Errand(remote, one, self._means, seconds_max) for one in claimed]
        else:
            runners = self._children.lend(backend, claimed)
        for one, runner in zip(claimed, runners, strict=True):
            attempt = Attempt(
                one,
                backend,
                runner,
                self._tools,
                options=served.options.get(backend, {}),
                has_other=self._routes.has_other(one, served, backend),
                seconds_max=seconds_max,
                freed=self._take_back,
            )
            task = asyncio.create_task(attempt.run(), name=one.id)
            self._running[task] = attempt
            task.add_done_callback(self._ended)

    def _take_back(self, attempt: Attempt) -> None:
        """Have the child of a task that is made, or will not be: another may run in it."""
        if isinstance(attempt.runner, Process | Seat):
            self._children.take_back(attempt.runner, attempt.claimed, is_well=attempt.is_made)
            self._wake.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        attempt = self._running.pop(task)
        self._told.pop(attempt.claimed.id, None)
        one, runner = attempt.claimed, attempt.runner
        if not attempt.is_made:
            self._take_back(attempt)
        has_ended = attempt.seconds is not None or attempt.error is not None
        if isinstance(runner, Errand) and has_ended:
            self._routes.note(one.model, attempt.backend, attempt.error, attempt.seconds or 0.0)
        # Of those that had to wait for one another nobody knows what each took.
        is_known = not (isinstance(runner, Seat) and runner.shared.is_apart)
        if attempt.seconds is not None and is_known:
            seconds = attempt.seconds / runner.count
            self._measured.append(paces.Measured(one.model, one.kind, one.size, seconds))
        if not task.cancelled() and (exc := task.exception()) is not None:
            # The lease runs out and the sweep takes the task back.
            _log.error("%s: the attempt broke", attempt.claimed.id, exc_info=exc)
        self._wake.set()

    async def _beat(self) -> None:
        """Tell the progress and renew the leases, in one statement, when there is news or need."""
        now = time.monotonic()
        await self._kill_deaf(now)
        running = {one.claimed.id: one for one in self._running.values()}
        news = any(one.progress > self._told.get(one.claimed.id, 0) for one in running.values())
        due = now - self._beaten_at > self._config.lease_seconds / _LEASE_PARTS
        if not running or not (news or due):
            return
        told = {(one.claimed.id, one.claimed.attempt): one.progress for one in running.values()}
        async with self._database.statement() as tx:
            ours = await leases.beat(tx, told, lease_seconds=self._config.lease_seconds)
        self._beaten_at = now
        self._told = {task_id: progress for (task_id, _), progress in told.items()}
        for attempt in running.values():
            if attempt.claimed.id not in ours:
                attempt.stop()
            elif ours[attempt.claimed.id]:
                attempt.cancel()
        await self._news.progressed(running.values())

    async def _show(self) -> None:
        await self._previews.show([*self._running.values()])

    async def _kill_deaf(self, now: float) -> None:
        """Kill the children of stopped attempts that have not listened for a while."""
        for attempt in [*self._running.values()]:
            is_late = attempt.stopped_at and now - attempt.stopped_at > _STOP_SECONDS_MAX
            if is_late and not attempt.ending:
                await attempt.kill()

    async def _drain(self) -> None:
        """Let running tasks finish for `drain_seconds`, then kill the children and requeue."""
        if not self._running:
            return
        _log.info("waiting for %d running tasks", len(self._running))
        await asyncio.wait([*self._running], timeout=self._config.drain_seconds)
        left = [*self._running.items()]
        for task, attempt in left:
            # All of them before the first child is killed, which others may share.
            if not attempt.ending:
                task.cancel()
        # And all at once: what cannot be had of the database is waited for once, not for each.
        await asyncio.gather(*(_let_go(task, attempt) for task, attempt in left))


async def _let_go(task: asyncio.Task[None], attempt: Attempt) -> None:
    """Wait a moment for an end that is being written; kill and requeue what has not come so far."""
    if attempt.ending:
        await asyncio.wait([task], timeout=_STOP_SECONDS_MAX)
        # An end that cannot be written is left to the lease.
        if task.cancel():
            await asyncio.wait([task], timeout=_STOP_SECONDS_MAX)
            await attempt.kill()
        return
    await attempt.kill()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    with contextlib.suppress(errors.DatabaseUnavailable):
        await attempt.give_back()
