"""The pool: which of several ComfyUIs gets a prompt, the healthy one with the shortest queue."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence

from darkroom import errors
from darkroom.engine.backends.remote.line import Lost

# One that failed is left alone for so long, where there are others.
_REST_SECONDS = 15.0
_ASK_SECONDS_MAX = 4.0
# One that starts anew with all its nodes takes about so long.
_RETRY_SECONDS = 10.0


class Pool:
    """What this worker knows of its ComfyUIs, whichever model they serve."""

    def __init__(self) -> None:
        self._rest_until: dict[str, float] = {}
        # Prompts on their way, which no queue counts yet.
        self._sending: Counter[str] = Counter()

    async def choose(
        self, addresses: Sequence[str], waiting: Callable[[str], Awaitable[int]]
    ) -> str:
        """The address with the fewest prompts; raises `Hindered` where none answers."""
        now = time.monotonic()
        resting = [one for one in addresses if self._rest_until.get(one, 0.0) > now]
        # Where all others fail, those that rest may be back.
        for asked in ([one for one in addresses if one not in resting], resting):
            counts = await asyncio.gather(*(self._count(one, waiting) for one in asked))
            found = {one: n for one, n in zip(asked, counts, strict=True) if n is not None}
            if found:
                return min(found, key=lambda one: found[one] + self._sending[one])
        raise errors.Hindered(
            "No ComfyUI of this model answers.", retry_after_seconds=_RETRY_SECONDS
        )

    def rest(self, address: str) -> None:
        """Leave one alone for a while, since it failed."""
        self._rest_until[address] = time.monotonic() + _REST_SECONDS

    @contextlib.contextmanager
    def sending(self, address: str) -> Iterator[None]:
        """Count a prompt that is on its way."""
        self._sending[address] += 1
        try:
            yield
        finally:
            self._sending[address] -= 1

    async def _count(self, address: str, waiting: Callable[[str], Awaitable[int]]) -> int | None:
        try:
            async with asyncio.timeout(_ASK_SECONDS_MAX):
                count = await waiting(address)
        except (Lost, errors.TaskError, TimeoutError):
            self.rest(address)
            return None
        self._rest_until.pop(address, None)
        return count
