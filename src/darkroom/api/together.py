"""Work that arrives together is done together: one statement group, one commit, an answer each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from darkroom import errors

# So many together cost the database and this process little more than one.
_WORTH_A_FLIGHT = 8
Item = TypeVar("Item")
Result = TypeVar("Result")


class Together(Generic[Item, Result]):
    """Collects what is asked while the work for others is under way, and does it next, at once.

    A lone item waits for nobody. `work` answers a result for each item, in their order. Once it has
    called `follow`, nothing later can overtake it, and another group may set out while this one is
    still under way, if it is large enough to be worth a flight of its own. When a group is refused
    by the database, each item is tried alone: nobody pays for another's broken request.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        items_max: int,
        flights_max: int = 1,
    ) -> None:
        self._work = work
        self._items_max = items_max
        self._flights_max = flights_max
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._flying: set[asyncio.Task[None]] = set()
        # The last that took off, as long as a later one could overtake it.
        self._climbing: asyncio.Task[None] | None = None

    async def ask(self, item: Item) -> Result:
        """The result for one item."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._take_off()
        return await future

    def follow(self) -> None:
        """Let the next flight begin beside the one that calls this from its work."""
        self._let_follow(asyncio.current_task())

    def _take_off(self) -> None:
        """Begin the next flight, if there is reason to and room in the air."""
        if not self._waiting or self._climbing is not None:
            return
        is_worth_it = (
            len(self._waiting) >= _WORTH_A_FLIGHT and len(self._flying) < self._flights_max
        )
        if self._flying and not is_worth_it:
            return
        self._climbing = asyncio.create_task(self._fly())
        self._flying.add(self._climbing)
        self._climbing.add_done_callback(self._land)

    def _land(self, flight: asyncio.Task[None]) -> None:
        self._flying.discard(flight)
        self._let_follow(flight)

    def _let_follow(self, flight: asyncio.Task[None] | None) -> None:
        if self._climbing is flight:
            self._climbing = None
        self._take_off()

    async def _fly(self) -> None:
        count = min(len(self._waiting), self._items_max)
        await self._carry([self._waiting.popleft() for _ in range(count)])

    async def _carry(self, group: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._work([item for item, _ in group])
        except errors.StatementRefused as fault:
            if len(group) == 1:
                _fail(group, fault)
                return
            for one in group:
                await self._carry([one])
        except errors.DatabaseUnavailable as fault:
            _fail(group, fault)
        except BaseException as exc:
            # A bug, or the end of the process: nobody may wait for an answer that never comes.
            _fail(group, exc)
            raise
        else:
            for (_, future), result in zip(group, results, strict=True):
                if not future.done():
                    future.set_result(result)


def _fail(group: list[tuple[Item, asyncio.Future[Result]]], exc: BaseException) -> None:
    for _, future in group:
        if not future.done():
            future.set_exception(exc)
