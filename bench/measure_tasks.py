"""A task on its way: how soon it is picked up at idle, and what the platform adds to its time."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

import home
import watch
from caller import Caller
from darkroom.domain import tasks
from darkroom.engine import protocol
from darkroom.engine.process import Process
from floors import Commit
from home import Home
from lines import Budget, Line, of_pairs
from plan import Plan

_GAP_SECONDS = 0.05
# The smallest picture there is, so that many tasks fit into a pass; painting is not in the figure.
_SIDE_PIXELS = 64
_PROMPT = "A beautiful sunset over the ocean, vibrant colors"
_BACKEND, _MODEL = "painter", "FLUX_PRO"


def measure(plan: Plan, one: Home) -> Iterator[Line]:
    """The lines of pick-up and overhead, over a server with one worker and no other tasks."""
    with home.served(one, 1) as server, watch.watching(one.conninfo) as seen:
        caller = Caller(server.url, one.keys(1)[0])
        for seed in range(3):  # the child has loaded its backend, every statement is prepared
            seen.wait(tasks.SUCCESS, caller.submit(_PROMPT, _SIDE_PIXELS, seed))
        yield _pickup(plan, one, caller, seen)
        yield _overhead(plan, one, caller, seen)


def _pickup(plan: Plan, one: Home, caller: Caller, seen: watch.Watch) -> Line:
    commit = Commit(one.conninfo)
    floor, found, answered, task_ids = [], [], [], []
    for seed in plan.times(plan.pickups):
        time.sleep(_GAP_SECONDS)
        floor.append(commit.seconds() * 1000)
        time.sleep(_GAP_SECONDS)
        began = time.perf_counter()
        task_id = caller.submit(_PROMPT, _SIDE_PIXELS, seed)
        answered.append((time.perf_counter() - began) * 1000)
        found.append((seen.wait(tasks.PROCESSING, task_id) - began) * 1000)
        seen.wait(tasks.SUCCESS, task_id)
        task_ids.append(task_id)
    commit.close()
    with psycopg.connect(one.conninfo) as connection:
        [[inside]] = connection.execute(
            "SELECT 1000 * percentile_cont(0.5) WITHIN GROUP (ORDER BY"
            " extract(epoch FROM started_at - created_at)) FROM tasks WHERE id = ANY(%s)",
            [task_ids],
        ).fetchall()
    note = (
        f"{len(found)} times from before the HTTP submit until PROCESSING is committed, told by a "
        "trigger; of it the "
        f"submit's answer {statistics.median(answered):.2f} ms; from the submit's to the claim's "
        f"beginning in the database {inside:.2f} ms; floor: one INSERT with commit, same gaps"
    )
    return of_pairs("pick-up at idle, p50", Budget(False, 4, " ×"), "ms", floor, found, note)


@dataclass(slots=True)
class _Alone:
    """The backend in a child of its own, without server, database or store."""

    process: Process
    folder: Path
    side_pixels: int

    async def seconds(self, seed: int) -> float:
        """How long one picture takes, from asking until it is whole."""
        fields = {"prompt": _PROMPT, "width": self.side_pixels, "height": self.side_pixels}
        asked = protocol.Run(_BACKEND, _MODEL, "text-to-image", fields, {}, str(self.folder), seed)
        began = time.perf_counter()
        told: AsyncIterator[protocol.Progress | protocol.Made] = self.process.run(asked)
        async for _ in told:
            pass
        return time.perf_counter() - began


def _overhead(plan: Plan, one: Home, caller: Caller, seen: watch.Watch) -> Line:
    alone, through = asyncio.run(_paint_pairs(plan, one, caller, seen))
    note = (
        f"{len(alone)} pairs of {plan.side_pixels} x {plan.side_pixels} pixels with the same "
        f"seeds, quickest {min(alone):.3f} and {min(through):.3f} s; from before the HTTP submit "
        "until SUCCESS is answered; floor: the painter called alone in a child"
    )
    name = f"platform overhead on a task of {statistics.median(alone):.1f} s"
    return of_pairs(name, Budget(False, 1.02, " ×"), "s", alone, through, note)


async def _paint_pairs(
    plan: Plan, one: Home, caller: Caller, seen: watch.Watch
) -> tuple[list[float], list[float]]:
    folder = one.folder / "alone"
    folder.mkdir()
    process = await Process.start()
    found: tuple[list[float], list[float]] = ([], [])
    try:
        painter = _Alone(process, folder, plan.side_pixels)
        await painter.seconds(0)
        _through(caller, seen, plan.side_pixels, 0)
        for seed in plan.times(plan.pairs):
            # Who goes first changes, for machines that drift.
            for place in (0, 1) if seed % 2 else (1, 0):
                if place == 0:
                    found[0].append(await painter.seconds(seed))
                else:
                    found[1].append(_through(caller, seen, plan.side_pixels, seed))
    finally:
        await process.kill()
    return found


def _through(caller: Caller, seen: watch.Watch, side_pixels: int, seed: int) -> float:
    began = time.perf_counter()
    task_id = caller.submit(_PROMPT, side_pixels, seed)
    seen.wait(tasks.SUCCESS, task_id)
    assert caller.status(task_id) == tasks.SUCCESS
    return time.perf_counter() - began
