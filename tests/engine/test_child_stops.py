"""A child that is asked to stop does, whenever the wish comes, and runs the next task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from darkroom.engine import protocol
from darkroom.engine.backends import contract
from darkroom.engine.process import Process


def _asked(folder: Path) -> protocol.Run:
    fields = {"prompt": "a lake", "width": 64, "height": 64}
    return protocol.Run("painter", "PAINTER", "text-to-image", fields, {}, str(folder), 7)


async def _begun(running: AsyncIterator) -> asyncio.Task:
    """A run whose message to the child is on its way."""
    first = asyncio.ensure_future(anext(running))
    await asyncio.sleep(0)
    return first


def test_a_stop_that_comes_before_the_child_gets_to_the_task_is_heeded(tmp_path: Path) -> None:
    async def story() -> list:
        process = await Process.start()
        try:
            process.warm("painter", "PAINTER")  # what the child is at meanwhile
            first = await _begun(process.run(_asked(tmp_path)))
            process.cancel()
            with pytest.raises(contract.Canceled):
                await first
            return [told async for told in process.run(_asked(tmp_path))]
        finally:
            await process.kill()

    assert isinstance(asyncio.run(story())[-1], protocol.Made)


def test_a_stop_that_comes_after_the_end_does_not_hit_the_next_task(tmp_path: Path) -> None:
    async def story() -> list:
        process = await Process.start()
        try:
            assert [told async for told in process.run(_asked(tmp_path))]
            process.cancel()
            return [told async for told in process.run(_asked(tmp_path))]
        finally:
            await process.kill()

    assert isinstance(asyncio.run(story())[-1], protocol.Made)
