"""An errand: one task that a remote runs, in the worker's own loop, with the rows that it keeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import ClassVar

import httpx
import msgspec

from darkroom import config, errors
from darkroom.domain import upstream_calls
from darkroom.domain.kinds.table import defaults
from darkroom.domain.leases import Claim
from darkroom.engine import protocol
from darkroom.engine.backends import contract
from darkroom.outbound import Outbound
from darkroom.storage.database import Database, Transaction

_RETRY_SECONDS = 0.5
# Of an attempt's time this is kept for telling the service to stop, or so many seconds where that
# is more, but never more than half.
_SHARE_TO_STOP, _SECONDS_TO_STOP = 0.05, 1.0

_Told = float | contract.Preview | contract.Output


class Means(msgspec.Struct, frozen=True):
    """What every errand of a worker uses."""

    database: Database
    outbound: Outbound
    http: httpx.AsyncClient


class Errand:
    """Runs a task as a child would: asked, told to stop, or ended at once; without one, nothing."""

    count: ClassVar[int] = 1

    def __init__(
        self, remote: contract.Remote | None, claimed: Claim, means: Means, seconds_max: float
    ) -> None:
        self.http = means.http
        self.folder = Path()
        self.seed = claimed.seed
        self._remote = remote
        self._name = remote.name if remote else ""
        self._claimed = claimed
        self._means = means
        self._canceled = asyncio.Event()
        self._step: asyncio.Task[_Told | None] | None = None
        self._is_killed = False
        self._seconds_max = seconds_max
        self._until = float("inf")
        self._is_late = False

    async def run(self, asked: protocol.Run) -> AsyncIterator[protocol.News]:
        """Run the task and yield what the remote tells; raises its `TaskError`, or `Canceled`."""
        assert self._remote is not None
        self.folder = Path(asked.folder)
        to_stop = max(_SHARE_TO_STOP * self._seconds_max, _SECONDS_TO_STOP)
        self._until = time.monotonic() + self._seconds_max - min(to_stop, self._seconds_max / 2)
        files = {name: [Path(path) for path in paths] for name, paths in asked.files.items()}
        given = contract.Input(asked.kind, asked.model, defaults(asked.kind) | asked.fields, files)
        steps = aiter(self._remote.run(given, asked.options, self))
        try:
            while (told := await self._next(steps)) is not None:
                yield _told(told)
        except contract.Canceled:
            if not self._is_late:
                raise
            raise errors.TimedOut(
                f"{self._name} took longer than the {self._seconds_max:g} seconds that "
                f"{asked.model} may take. It was told to stop."
            ) from None

    async def _next(self, steps: AsyncIterator[_Told]) -> _Told | None:
        """The next step; raises `BackendCrashed` where it is ended at once."""

        async def step() -> _Told | None:
            return await anext(steps, None)

        going = asyncio.create_task(step())
        self._step = going
        try:
            return await going
        except asyncio.CancelledError:
            # A worker that stops cancels the attempt itself, which is no crash.
            attempt = asyncio.current_task()
            is_stopped = attempt is not None and attempt.cancelling()
            if self._is_killed and going.cancelled() and not is_stopped:
                raise errors.BackendCrashed("The request to the service was ended.") from None
            raise

    def cancel(self) -> None:
        """Ask the remote to stop at its next step."""
        self._canceled.set()

    async def kill(self) -> None:
        """End it now; what the service makes of it is not known."""
        self._is_killed = True
        if self._step is not None:
            self._step.cancel()

    async def open(self) -> contract.Call:
        """The task's call that is still going on, or a new one; its row is stored."""
        async with self._means.database.transaction() as tx:
            found = await upstream_calls.open_call(tx, self._claimed, self._name)
        if found is None:
            raise contract.Canceled
        going, is_new = found
        return contract.Call(going.id, going.state, going.remote_id, is_resumed=not is_new)

    async def accept(self, call: contract.Call, remote_id: str) -> None:
        """Store at once what the service calls it."""

        async def kept(tx: Transaction) -> None:
            await upstream_calls.accept(tx, call.key, remote_id)

        await self._keep(kept)

    async def close(
        self,
        call: contract.Call,
        state: contract.Ending,
        *,
        is_billed: bool | None,
        cost_micro: int | None = None,
        error: str | None = None,
    ) -> None:
        """Store how the call ended."""

        async def kept(tx: Transaction) -> None:
            await upstream_calls.close(
                tx, self._claimed, state, is_billed=is_billed, cost_micro=cost_micro, error=error
            )

        await self._keep(kept)

    async def _keep(self, what: Callable[[Transaction], Awaitable[None]]) -> None:
        """Store what only this process knows, however long the database is away."""
        while True:
            try:
                async with self._means.database.statement() as tx:
                    return await what(tx)
            except errors.DatabaseUnavailable:
                await asyncio.sleep(_RETRY_SECONDS)

    async def pause(self, seconds: float) -> None:
        """Wait; raises `Canceled` as soon as the task should stop here, or its time is over."""
        left = self._until - time.monotonic()
        try:
            # Who waits for no time does not look at all.
            if not self._canceled.is_set():
                await asyncio.wait_for(self._canceled.wait(), min(seconds, left))
        except TimeoutError:
            self._is_late = seconds >= left
            if not self._is_late:
                return
        raise contract.Canceled

    async def fetch(self, address: str, name: str, *, bytes_max: int) -> Path:
        """Write what is at a public address into the task's folder; raises `BadInput`."""
        path = self.folder / name
        await self._means.outbound.fetch(
            address, path, bytes_max=bytes_max, seconds_max=config.FETCH_SECONDS_MAX, accept=None
        )
        return path


def _told(told: _Told) -> protocol.News:
    if isinstance(told, contract.Output):
        return protocol.made(told)
    if isinstance(told, contract.Preview):
        return protocol.Preview(told.picture)
    return protocol.Progress(min(max(told, 0.0), 1.0))
