"""Chaos: from a seed, one thing after another that no process and no network is asked for."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from stage import LEASE_SECONDS, Player, Stage

from darkroom.storage import supervisor
from lines import CUTS

# How often each is done, against the others.
WEIGHTS = {
    "kill": 30,
    "freeze": 20,
    "restart": 16,
    "child": 10,
    "postgres": 14,
    "cut": 8,
    "rest": 10,
}
PAUSE_SECONDS = (0.1, 1.5)
# PostgreSQL is left alone this long after a blow, so that it is not given up as broken.
POSTGRES_SECONDS = supervisor.STEADY_SECONDS + 1
POSTGRES_BLOWS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT, "kill": signal.SIGKILL}
CUT_SECONDS = (0.5, 12.0)
LEFT_RUNNING_MIN = 2


@dataclass(slots=True)
class Chaos:
    """What was done, counted, and what is to be undone at its time."""

    stage: Stage
    random: Random
    done: Counter[str] = field(default_factory=Counter)
    undoings: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    is_cut: bool = False
    postgres_at: float = 0.0

    def run(self, over: threading.Event) -> None:
        """Do one thing after another until it is over, then undo what is to be undone."""
        doings = {name: getattr(self, f"_{name}") for name in WEIGHTS}
        while not over.wait(self.random.uniform(*PAUSE_SECONDS)):
            self._undo(time.monotonic())
            [name] = self.random.choices([*WEIGHTS], [*WEIGHTS.values()])
            if what := doings[name]():
                self.done[f"{name}: {what}"] += 1
        self._undo(float("inf"))

    def _undo(self, now: float) -> None:
        due = [one for one in self.undoings if one[0] <= now]
        self.undoings = [one for one in self.undoings if one[0] > now]
        for _, undo in due:
            undo()

    def _victim(self, command: str = "") -> Player | None:
        """A process that runs and was not asked to do anything yet; only of the command, if any."""
        running = [
            one
            for one in self.stage.players
            if one.process.poll() is None and one.has_begun
            if not (one.asked_until or one.is_killed or one.is_frozen)
        ]
        fit = [one for one in running if one.command[0].startswith(command)]
        return self.random.choice(fit) if fit and len(running) > LEFT_RUNNING_MIN else None

    def _kill(self) -> str | None:
        with self.stage.guard:
            if victim := self._victim():
                victim.kill()
                return victim.command[0]
        return None

    def _restart(self) -> str | None:
        with self.stage.guard:
            if victim := self._victim():
                victim.ask_to_end()
                return victim.command[0]
        return None

    def _freeze(self) -> str | None:
        is_long = self.random.random() < 0.5
        bounds = (1.2, 3) if is_long else (0.1, 0.8)
        seconds = LEASE_SECONDS * self.random.uniform(*bounds)
        with self.stage.guard:
            # Those who hold leases above all: they wake up and believe that nothing has happened.
            victim = self._victim(self.random.choice(["", "work"]))
            if victim is None:
                return None
            victim.freeze()
            process = victim.process

        def thaw() -> None:
            with self.stage.guard:
                if victim.process is process and process.poll() is None:
                    victim.thaw()

        self.undoings.append((time.monotonic() + seconds, thaw))
        return "longer than a lease" if is_long else "shorter than a lease"

    def _child(self) -> str | None:
        children = self.stage.children()
        if not children:
            return None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.random.choice(children), signal.SIGKILL)
        return "kill"

    def _postgres(self) -> str | None:
        blow = self.random.choice([*POSTGRES_BLOWS])
        pid = self.stage.postmaster()
        if pid is None or time.monotonic() < self.postgres_at + POSTGRES_SECONDS:
            return None
        self.postgres_at = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, POSTGRES_BLOWS[blow])
        return blow

    def _cut(self) -> str | None:
        how, seconds = self.random.choice(CUTS), self.random.uniform(*CUT_SECONDS)
        if self.is_cut:
            return None
        self.is_cut = True
        self.stage.line.cut(how)

        def heal() -> None:
            self.is_cut = False
            self.stage.line.heal()

        self.undoings.append((time.monotonic() + seconds, heal))
        return how

    def _rest(self) -> str | None:
        """Let things go well for a moment, or nothing would ever end."""
        return None
