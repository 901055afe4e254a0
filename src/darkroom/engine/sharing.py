"""Sharing: a child runs several alike tasks in one call, and each has an attempt of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from darkroom import config, errors
from darkroom.engine import protocol
from darkroom.engine.backends import contract
from darkroom.engine.process import Process, error_of


class Shared:
    """One call of a child's for several attempts, each of which has a seat.

    It begins when every seat has its task or was left, or a while after the first has: those whose
    inputs are still on their way have a call of their own then, `rest`, once this one is over. One
    that is left, whatever for, holds up no other; when all that go on are to stop, so is the child.
    """

    def __init__(self, process: Process, seats: int, freed: Callable[[], None]) -> None:
        self.process = process
        self.seats = [Seat(self) for _ in range(seats)]
        # The seats whose tasks are in the call.
        self.aboard: list[Seat] = []
        # Whether they could not run in one call, and whether memory ran out.
        self.is_apart = self.is_full = False
        self.rest: Shared | None = None
        self._call: asyncio.Task[None] | None = None
        self._waits: asyncio.TimerHandle | None = None
        # Whether the child is still another call's.
        self._is_held = False
        self._freed = freed

    @property
    def is_begun(self) -> bool:
        return self._call is not None

    @property
    def is_over(self) -> bool:
        """Whether nobody here needs the child any more, so that others may have it."""
        return all(one.is_left for one in self.seats) and (self._call is None or self._call.done())

    @property
    def is_whole(self) -> bool:
        """Whether everything that was asked for was made in one call."""
        return not self.is_apart and all(one.is_made for one in self.aboard)

    def begin(self) -> None:
        """Have the child begin, unless it has or a task is still to come."""
        if self.is_begun or self._is_held:
            return
        ready = [one for one in self.seats if not (one.has_ended or one.is_awaited)]
        if any(one.is_awaited for one in self.seats):
            if ready and self._waits is None:
                loop = asyncio.get_running_loop()
                self._waits = loop.call_later(config.SEATS_SECONDS_MAX, self._part)
            return
        self.aboard = ready
        if self.aboard:
            self._call = asyncio.create_task(self._run())
            self._call.add_done_callback(lambda _: self._freed())

    def _part(self) -> None:
        """Begin without those that are still to come."""
        late = [one for one in self.seats if one.is_awaited]
        if late and not self.is_begun:
            self.rest = Shared(self.process, 0, self._freed)
            self.rest.seats, self.rest._is_held = late, True
            for one in late:
                self.seats.remove(one)
                one.shared = self.rest
        self.begin()

    def follow(self) -> None:
        """Have the child, which the call before this one is done with."""
        self._is_held = False
        self.begin()
        self._freed()

    async def _run(self) -> None:
        error: errors.TaskError = errors.BackendCrashed()
        runs = [one.asked for one in self.aboard if one.asked is not None]
        try:
            async for told in self.process.run_together(runs):
                if isinstance(told, protocol.Apart):
                    self.is_apart = True
                elif isinstance(told, protocol.Of):
                    self.aboard[told.number].hear(told.told)
                else:
                    for one in self.aboard:
                        one.hear(told)
        except errors.TaskError as exc:
            error = exc
            self.is_full = isinstance(exc, errors.OutOfMemory)
        finally:
            for one in self.aboard:
                one.end(error)
        if self.is_full:
            await self.process.kill()  # so that all it holds is given back

    def drop(self, seat: Seat) -> None:
        """Stop one seat's task: it ends at once, but for the last, which waits for the child."""
        if self.is_begun:
            self.process.cancel(self.aboard.index(seat))
        if not self.is_begun or any(one.goes_on for one in self.aboard):
            seat.end(contract.Canceled())
            self.begin()

    async def close(self) -> None:
        """End the child, and the call with it."""
        await self.process.kill()
        if self._call is not None:
            await asyncio.wait([self._call])


class Seat:
    """What an attempt sees of a call that it shares: a child that runs its task alone."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.asked: protocol.Run | None = None
        # Whether there is nothing more to hear, and whether its attempt is at an end as well.
        self.has_ended = self.is_left = self.is_made = False
        self._is_canceled = False
        self._told: asyncio.Queue[protocol.News | Exception | None] = (
            asyncio.Queue()  # bounded by what a call tells: steps in a hundred, previews, outputs
        )

    @property
    def count(self) -> int:
        """How many tasks share the call."""
        return max(1, len(self.shared.aboard))

    @property
    def is_awaited(self) -> bool:
        """Whether its task is still to come."""
        return self.asked is None and not self.has_ended

    @property
    def goes_on(self) -> bool:
        return not (self.has_ended or self._is_canceled)

    async def run(self, asked: protocol.Run) -> AsyncIterator[protocol.News]:
        """Run a task with the others; raises its `TaskError`, or `Canceled`."""
        self.asked = asked
        self.shared.begin()
        while (told := await self._told.get()) is not None:
            if isinstance(told, Exception):
                raise told
            yield told

    def cancel(self) -> None:
        """Stop the task; the others go on."""
        if self.goes_on:
            self._is_canceled = True
            self.shared.drop(self)

    async def kill(self) -> None:
        """End the child now, unless it is done with this task; the others are begun again alone."""
        if not self.has_ended:
            await self.shared.process.kill()

    def leave(self) -> None:
        """Take note that the attempt has ended, with its task run or without."""
        self.has_ended = self.is_left = True
        self.shared.begin()

    def hear(self, told: protocol.Told) -> None:
        """Take what the child tells of this task."""
        if isinstance(told, protocol.Failed):
            error = error_of(told)
            self.shared.is_full |= isinstance(error, errors.OutOfMemory)
            self.end(error)
        elif isinstance(told, protocol.Canceled):
            self.end(contract.Canceled())
        elif isinstance(told, protocol.Done):
            self.is_made = not self.has_ended
            self.end(None)
        elif not self.has_ended:
            self._told.put_nowait(told)

    def end(self, error: Exception | None) -> None:
        """Take the end of this task, unless it has one."""
        if not self.has_ended:
            self.has_ended = True
            self._told.put_nowait(error)
