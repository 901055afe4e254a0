"""Previews of running tasks: made small and clean, and stored for who looks, once a second each."""

from __future__ import annotations

import asyncio
import io
import logging
import time
from collections.abc import Collection

from darkroom import config, thumbnails
from darkroom.domain import previews
from darkroom.engine.attempt import Attempt
from darkroom.engine.backends import contract
from darkroom.storage.database import Database

_log = logging.getLogger(__name__)
# What the column holds, and qualities of which the last makes noise as small as that.
_KEPT_BYTES_MAX = 64 * 2**10
_QUALITIES = (80, 50, 20)
_PIXELS_MAX = 2048 * 2048


class Previews:
    """What one worker has shown of its tasks.

    One after the other: where there are more than a core can make small, each is shown less often,
    and the newest picture of each is the one that counts.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        # When each running task was shown last, on the monotonic clock.
        self._shown: dict[tuple[str, int], float] = {}

    async def show(self, running: Collection[Attempt]) -> None:
        """Store what was told of these tasks since they were shown, at least a second ago."""
        attempts = {(one.claimed.id, one.claimed.attempt): one for one in running}
        self._shown = {name: at for name, at in self._shown.items() if name in attempts}
        for name, attempt in attempts.items():
            now = time.monotonic()
            if now - self._shown.get(name, -config.PREVIEW_SECONDS) < config.PREVIEW_SECONDS:
                continue
            told, attempt.preview = attempt.preview, None
            if told is None or attempt.ending or attempt.stopped_at:
                continue
            self._shown[name] = now
            small = await asyncio.to_thread(shrink, told)
            if small is None:
                _log.debug("%s: what is told as its preview is none", attempt.claimed.id)
                continue
            async with self._database.statement() as tx:
                await previews.keep(tx, attempt.claimed, small)


def shrink(told: bytes) -> bytes | None:
    """A JPEG of the pixels alone, as small as is kept; None where there is no picture in it."""
    if len(told) > contract.PREVIEW_BYTES_MAX:
        return None
    picture = thumbnails.make(io.BytesIO(told), pixels_max=_PIXELS_MAX)
    if picture is None:
        return None
    for quality in _QUALITIES:
        small = io.BytesIO()
        picture.convert("RGB").save(small, "JPEG", quality=quality)
        if small.tell() <= _KEPT_BYTES_MAX:
            return small.getvalue()
    return None
