"""Work done again and again until a stop: nothing that goes wrong once ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from darkroom import errors

_log = logging.getLogger(__name__)
_PAUSE_SECONDS_MAX = 5.0


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait for the stop, at most so long."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def every(
    seconds: float, work: Callable[..., Awaitable[object]], stop: asyncio.Event, *given: Any
) -> None:
    """Do the work on what is given, pause, and again; after a failure the pause doubles."""
    rest = seconds
    while not stop.is_set():
        try:
            await work(*given)
            rest = seconds
        except (errors.DatabaseUnavailable, errors.FilesUnavailable) as fault:
            rest = min(max(rest, 0.1) * 2, _PAUSE_SECONDS_MAX)
            _log.warning("%s: %s", work.__name__, fault)
        except Exception:  # noqa: BLE001 - a loop outlives what one round met; it is logged whole
            rest = min(max(rest, 0.1) * 2, _PAUSE_SECONDS_MAX)
            _log.exception("%s failed", work.__name__)
        await pause(stop, rest)
