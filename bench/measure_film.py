"""Films: the seconds of one core that a second of video takes, scenes of several kinds."""

from __future__ import annotations

import asyncio
import resource
import statistics
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from darkroom.engine import protocol
from darkroom.engine.process import Process
from lines import Budget, Line
from plan import Plan

_SCENES = (
    "waves roll onto a beach at sunset",
    "a mountain lake in summer, slow pan right",
    "a city at night, dolly in",
    "an autumn forest, handheld",
)
_BUDGET = Budget(False, 3, " s")


def measure(plan: Plan) -> Line:
    """The line of the slowest scene; each film is made by the backend alone in a child."""
    found = asyncio.run(_made(plan))
    slowest = max(found, key=lambda prompt: found[prompt])
    told = ", ".join(f"{prompt} {seconds:.2f} s" for prompt, seconds in found.items())
    width, height = plan.film_pixels
    name = f"a second of film, {width} x {height}, one core"
    note = (
        f"CPU of a fresh child, its imports too, for {plan.film_seconds} s of 24 frames a second "
        f"and their encoding: {told}"
    )
    measured = f"{statistics.median(found.values()):.2f} s p50"
    return Line(name, _BUDGET, "–", measured, found[slowest], note=note)


async def _made(plan: Plan) -> dict[str, float]:
    found = {}
    for prompt in _SCENES[: plan.scenes]:
        before = _children_seconds()
        process = await Process.start()
        try:
            with tempfile.TemporaryDirectory() as folder:
                await _film(plan, process, prompt, Path(folder))
        finally:
            await process.kill()
        found[prompt] = (_children_seconds() - before) / plan.film_seconds
    return found


async def _film(plan: Plan, process: Process, prompt: str, folder: Path) -> None:
    width, height = plan.film_pixels
    fields = {
        "model": "FILM",
        "prompt": prompt,
        "duration": plan.film_seconds,
        "width": width,
        "height": height,
    }
    asked = protocol.Run("film", "FILM", "text-to-video", fields, {}, str(folder), 1)
    told: AsyncIterator[protocol.Progress | protocol.Made] = process.run(asked)
    async for _ in told:
        pass


def _children_seconds() -> float:
    """What children that have ended took of the processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
