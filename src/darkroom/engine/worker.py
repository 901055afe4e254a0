"""The worker: claims waiting tasks, has its children run them, and gives back what it must."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections import deque
from collections.abc import Mapping, Sequence

import httpx

from darkroom import config, errors, ids
from darkroom.authority import Authority
from darkroom.config import Config
from darkroom.domain import leases, paces, workers
from darkroom.domain.catalogue import Catalogue, Served
from darkroom.engine import loop
from darkroom.engine.attempt import Attempt, Runner, Tools
from darkroom.engine.backends import registry
from darkroom.engine.errand import Errand, Means
from darkroom.engine.marking import Marker
from darkroom.engine.news import News
from darkroom.engine.patience import Patience
from darkroom.engine.process import Process
from darkroom.engine.routing import Routes
from darkroom.outbound import Outbound
from darkroom.storage.database import Database
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
        self._catalogue = catalogue
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
        # Of what the catalogue said last, the models that need no child.
        self._away: tuple[Mapping[str, Served], frozenset[str]] = ({}, frozenset())
        self._idle: list[Process] = []
        self._running: dict[asyncio.Task[None], Attempt] = {}
        self._wake = asyncio.Event()
        self._told: dict[str, float] = {}
        self._beaten_at = 0.0
        self._patience = Patience()
        self._news = News(database)
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
                group.create_task(self._wake_at(stop))
                group.create_task(loop.every(_PREPARE_SECONDS, self._tools.marker.prepare, stop))
                await loop.every(0.0, self._claim, stop)
                listening.cancel()
                await self._drain()
                drained.set()
                hearing.cancel()
            await self._finish()
            await asyncio.gather(*(process.kill() for process in self._idle))

    async def _warm_up(self) -> None:
        """Start the children before the first task comes, so that it finds the models loaded."""
        await self._start_children(self._config.workers_count)
        if self._config.sandbox:
            for process in self._idle:
                process.warm(_WARM_BACKEND, "")

    async def _start_children(self, count: int) -> int:
        """How many idle children there are: as many as asked for, or as the system will start."""
        dead = [process for process in self._idle if not process.alive]
        self._idle = [process for process in self._idle if process.alive]
        for process in dead:
            await process.kill()
        while len(self._idle) < count:
            try:
                process = await Process.start(
                    threads=self._config.child_threads,
                    memory_mb=self._config.child_memory_mb,
                    gpu=self._choose_gpu(),
                )
            except OSError as exc:
                _log.error("no child can be started: %s", exc)
                break
            self._idle.append(process)
        return len(self._idle)

    def _choose_gpu(self) -> str | None:
        """The GPU for another child: one with as few of them as any; None: all of the machine's."""
        held = [one.gpu for one in self._children() if one.alive]
        return min(self._config.gpus, key=held.count, default=None)

    def _served(self) -> Mapping[str, Served]:
        """The models whose tasks this worker runs: all that it can, or those of them it is for."""
        only = self._config.models
        served = self._catalogue.served()
        return {key: one for key, one in served.items() if key in only} if only else served

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
                models=list(self._served()),
                loaded=sorted(self._held()),
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

    async def _claim(self) -> None:
        """Claim as many tasks as there are free places, or wait until there is reason to ask."""
        self._wake.clear()
        away = sum(isinstance(one.runner, Errand) for one in self._running.values())
        # Children come first: what cannot be run here is left to other workers.
        children = await self._start_children(
            self._config.workers_count - (len(self._running) - away)
        )
        places = max(0, self._config.remote_tasks_max - away)
        # What the catalogue says may change while the database is asked.
        served = self._served()
        awake = [key for key, one in served.items() if not self._routes.rests(key, one)]
        away_only = self._away_only(served)
        remote = [key for key in awake if key in away_only]
        local = [key for key in awake if key not in away_only]
        is_busy = await self._claim_some(served, local, children)
        if remote:
            is_busy = await self._claim_some(served, remote, places) or is_busy
        if not is_busy:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _POLL_SECONDS)

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
                self._patience.wanted(models, self._loaded()),
                tasks_max=tasks_max,
                lease_seconds=self._config.lease_seconds,
            )
        if claimed:
            self._patience.count(claimed)
        for one in claimed:
            self._begin(one, served[one.model])
        await self._news.begun(claimed)
        return len(claimed) == tasks_max

    def _away_only(self, served: Mapping[str, Served]) -> frozenset[str]:
        """The models that other services alone can make, so that they need no child."""
        known, found = self._away
        if known is not served:
            found = frozenset(
                key
                for key, one in served.items()
                if self._remotes.keys()
                >= {name for every in one.backends.values() for name in every}
            )
            self._away = served, found
        return found

    def _loaded(self) -> set[str]:
        """The models of idle children that took a while to load."""
        return {
            model
            for process in self._idle
            for model, seconds in process.held.items()
            if seconds >= config.LOAD_SECONDS_MIN
        }

    def _held(self) -> set[str]:
        """The models that children hold, those that run a task included."""
        alive = [one for one in self._children() if one.alive]
        return {model for one in alive for model in (one.model, *one.held) if model}

    def _children(self) -> Sequence[Process]:
        """Every child, those that run a task included."""
        running = (one.runner for one in self._running.values())
        return (*self._idle, *(one for one in running if isinstance(one, Process)))

    def _begin(self, claimed: leases.Claim, served: Served) -> None:
        backend = self._routes.choose(claimed, served)
        remote = self._remotes.get(backend)
        if remote is None and claimed.goes_on_with:
            backend = ""
        seconds_max = served.seconds_max or self._config.task_seconds_max
        runner: Runner
        # What nobody here serves needs no child either, of which there may be none.
        if remote is not None or not backend:
            runner = Errand(remote, claimed, self._means, seconds_max)
        else:
            runner = self._take_process(backend, claimed.model)
        attempt = Attempt(
            claimed,
            backend,
            runner,
            self._tools,
            options=served.options.get(backend, {}),
            has_other=self._routes.has_other(claimed, served, backend),
            seconds_max=seconds_max,
        )
        task = asyncio.create_task(attempt.run(), name=claimed.id)
        self._running[task] = attempt
        task.add_done_callback(self._ended)

    def _take_process(self, backend: str, model: str) -> Process:
        """An idle child, one that holds the model if there is any."""
        self._idle.sort(key=lambda one: (one.backend == backend, model in one.held))
        return self._idle.pop()

    def _ended(self, task: asyncio.Task[None]) -> None:
        attempt = self._running.pop(task)
        self._told.pop(attempt.claimed.id, None)
        one = attempt.claimed
        if isinstance(attempt.runner, Process):
            if attempt.runner.alive:
                self._idle.append(attempt.runner)
        elif attempt.seconds is not None or attempt.error is not None:
            self._routes.note(one.model, attempt.backend, attempt.error, attempt.seconds or 0.0)
        if attempt.seconds is not None:
            self._measured.append(paces.Measured(one.model, one.kind, one.size, attempt.seconds))
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

    async def _kill_deaf(self, now: float) -> None:
        """Kill the children of stopped attempts that have not listened for a while."""
        for attempt in [*self._running.values()]:
            is_late = attempt.stopped_at and now - attempt.stopped_at > _STOP_SECONDS_MAX
            if is_late and not attempt.ending:
                await attempt.runner.kill()

    async def _drain(self) -> None:
        """Let running tasks finish for `drain_seconds`, then kill the children and requeue."""
        if not self._running:
            return
        _log.info("waiting for %d running tasks", len(self._running))
        await asyncio.wait([*self._running], timeout=self._config.drain_seconds)
        for task, attempt in [*self._running.items()]:
            if attempt.ending:
                await asyncio.wait([task], timeout=_STOP_SECONDS_MAX)
                # An end that cannot be written is left to the lease.
                if task.cancel():
                    await asyncio.wait([task], timeout=_STOP_SECONDS_MAX)
                    await attempt.runner.kill()
                continue
            task.cancel()
            await attempt.runner.kill()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            with contextlib.suppress(errors.DatabaseUnavailable):
                await attempt.give_back()
