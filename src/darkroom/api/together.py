"""Work that arrives together is done together: one statement group, one commit, an answer each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from darkroom import errors

Item = TypeVar("Item")
Result = TypeVar("Result")


class Together(Generic[Item, Result]):
    """Collects what is asked while the work for others is under way, and does it next, at once.

    A lone item waits for nobody. `work` answers a result for each item, in their order; when it
    refused by the database, each item is tried alone: nobody pays for another's broken request.
    """

    def __init__(
        self, work: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], *, items_max: int
    ) -> None:
        self._work = work
        self._items_max = items_max
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._flying: asyncio.Task[None] | None = None

    async def ask(self, item: Item) -> Result:
        """The result for one item."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._flying is None:
            self._flying = asyncio.create_task(self._fly())
        return await future

    async def _fly(self) -> None:
        try:
            while self._waiting:
                count = min(len(self._waiting), self._items_max)
                await self._carry([self._waiting.popleft() for _ in range(count)])
        finally:
            self._flying = asyncio.create_task(self._fly()) if self._waiting else None

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
