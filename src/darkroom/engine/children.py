"""The children of a worker: started ahead of tasks, lent to one or to several alike, taken back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from darkroom import config
from darkroom.config import Config
from darkroom.domain.leases import Claim
from darkroom.engine.gains import Gains
from darkroom.engine.process import Process
from darkroom.engine.sharing import Seat, Shared

_log = logging.getLogger(__name__)


class Children:
    """Up to `config.workers_count` child processes, and what is known of sharing one.

    `freed` is called when several tasks that shared a child have left it.
    """

    def __init__(self, settings: Config, freed: Callable[[], None]) -> None:
        self.gains = Gains()
        self._config = settings
        self._freed = freed
        self._idle: list[Process] = []
        self._lent: set[Process] = set()
        # Children with several tasks, and the first of these.
        self._shared: dict[Shared, Claim] = {}

    async def start(self) -> int:
        """How many are idle: all that are not lent, or as many as the system will start."""
        self._collect()
        dead = [process for process in self._idle if not process.alive]
        self._idle = [process for process in self._idle if process.alive]
        for process in dead:
            await process.kill()
        while len(self._idle) < self._config.workers_count - len(self._lent) - len(self._shared):
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

    def idle(self) -> int:
        """How many could begin a task now."""
        return sum(process.alive for process in self._idle)

    def _choose_gpu(self) -> str | None:
        """The GPU for another child: one with as few of them as any; None: all of the machine's."""
        held = [one.gpu for one in self._every() if one.alive]
        return min(self._config.gpus, key=held.count, default=None)

    def _every(self) -> Sequence[Process]:
        return (*self._idle, *self._lent, *(one.process for one in self._shared))

    def warm(self, backend: str) -> None:
        """Have those that are idle load a backend before its first task."""
        for process in self._idle:
            process.warm(backend, "")

    def loaded(self) -> set[str]:
        """The models of idle children that took a while to load."""
        return {
            model
            for process in self._idle
            for model, seconds in process.held.items()
            if seconds >= config.LOAD_SECONDS_MIN
        }

    def held(self) -> set[str]:
        """The models that children hold, those that run a task included."""
        alive = [one for one in self._every() if one.alive]
        return {model for one in alive for model in (one.model, *one.held) if model}

    def lend(self, backend: str, claimed: Sequence[Claim]) -> Sequence[Process | Seat]:
        """An idle child, one that holds the model if there is any; for several a seat in it each.

        There must be an idle one.
        """
        model = claimed[0].model
        self._idle.sort(key=lambda one: (one.backend == backend, model in one.held))
        process = self._idle.pop()
        if len(claimed) == 1:
            self._lent.add(process)
            return [process]
        shared = Shared(process, len(claimed), self._freed)
        self._shared[shared] = claimed[0]
        return shared.seats

    def take_back(self, lent: Process | Seat, claimed: Claim, *, is_well: bool) -> None:
        """Take back what was lent for a task that it is done with; `is_well`: with a result."""
        if isinstance(lent, Seat):
            lent.leave()
            return
        self._lent.remove(lent)
        if lent.alive:
            self._idle.append(lent)
        if is_well:
            self._learn(lent, claimed, 1)

    def _collect(self) -> None:
        """Take back the children whose tasks have all left, and learn how they did."""
        for shared, lead in [*self._shared.items()]:
            if not shared.is_over:
                continue
            del self._shared[shared]
            if shared.rest is None:
                self._idle.append(shared.process)
            else:
                self._shared[shared.rest] = lead
                shared.rest.follow()
            count = len(shared.aboard)
            if shared.is_apart or shared.is_full:
                self.gains.refuse(shared.process.backend or "", lead, count)
            elif shared.is_whole and count > 1:
                self._learn(shared.process, lead, count)

    def _learn(self, process: Process, one: Claim, count: int) -> None:
        """Learn how long so many tasks like this one took in one call."""
        if process.backend and process.took is not None:
            self.gains.note(
                *(process.backend, one),
                together_max=process.together.get(one.kind, 1),
                count=count,
                seconds=process.took,
            )

    async def close(self) -> None:
        """End them all."""
        await asyncio.gather(*(process.kill() for process in self._idle))
        await asyncio.gather(*(shared.close() for shared in self._shared))
