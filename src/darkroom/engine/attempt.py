"""One attempt at one task: fetch the inputs, run the child, store the files, end the task."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from darkroom import config, credentials, errors, media
from darkroom.domain import assets, failures, leases
from darkroom.domain.kinds import kind
from darkroom.domain.kinds.table import KINDS
from darkroom.engine import protocol
from darkroom.engine.backends import contract
from darkroom.engine.marking import Marker, source_of
from darkroom.outbound import Outbound
from darkroom.storage.database import Database
from darkroom.storage.files import Files

_T = TypeVar("_T")
_log = logging.getLogger(__name__)
_RETRY_SECONDS = 0.5


class Tools(msgspec.Struct, frozen=True):
    """What every attempt of a worker uses."""

    database: Database
    files: Files
    outbound: Outbound
    marker: Marker
    work_folder: Path


class Runner(Protocol):
    """Who makes the result: a child's process, a seat in it, or an errand to another service."""

    @property
    def count(self) -> int:
        """How many tasks share what it runs, and its time."""

    def run(self, asked: protocol.Run) -> AsyncIterator[protocol.News]:
        """Run a task and yield what is told of it; raises its `TaskError`, or `Canceled`."""

    def cancel(self) -> None:
        """Ask the running task to stop at its next step."""

    async def kill(self) -> None:
        """End it now."""


class Attempt(msgspec.Struct):
    """A claimed task on its way through a backend."""

    claimed: leases.Claim
    backend: str
    runner: Runner
    tools: Tools
    # What the model's catalogue entry tells the backend.
    options: Mapping[str, Any]
    # Whether another backend can have the task if this one cannot serve it.
    has_other: bool
    # What its model gets to make the result.
    seconds_max: float
    # Called when the result is made and only has to be kept: the runner may have another task.
    freed: Callable[[Attempt], None]
    is_made: bool = False
    progress: float = 0.0
    # What it looks like so far, as the backend told it; None when that is shown already.
    preview: bytes | None = None
    # The end is being written: from here on the attempt is not stopped any more.
    ending: bool = False
    # When it was told to stop, on the monotonic clock; 0: it was not.
    stopped_at: float = 0.0
    # Its owner canceled it, so that its end is ours to write; else a stop means a lost lease.
    is_canceled: bool = False
    fetching: asyncio.Task[dict[str, list[str]]] | None = None
    notes: dict[str, Any] = msgspec.field(default_factory=dict)
    # Why it ended, unless it ended well.
    error: errors.TaskError | None = None
    # How long it took from its claim to its end; None unless it ended well.
    seconds: float | None = None

    async def run(self) -> None:
        """Take the task to its end; a failure ends it, gives it back or leaves it to the lease."""
        folder = self.tools.work_folder / f"{self.claimed.id}-{self.claimed.attempt}"
        began = time.monotonic()
        try:
            await asyncio.to_thread(_make_private, folder)
            made = await self._make(folder)
            self.is_made = True
            self.freed(self)
            stored = [await self._store(output, folder) for output in made]
        except contract.Canceled:
            if self.is_canceled:
                await self._fail(errors.Canceled())
            else:
                _log.info("%s: stopped, the lease is another's", self.claimed.id)
        except errors.TaskError as error:
            # A child that does not listen is killed: that is no crash, it is the cancel's end.
            is_killed = self.is_canceled and error.counts_as == "crash"
            await self._fail(errors.Canceled() if is_killed else error)
        except OSError as exc:
            # A full disk, most likely: the fault is this machine's, another attempt may end better.
            _log.error("%s: %s", self.claimed.id, exc)
            await self._fail(errors.Hindered(f"The worker cannot keep files: {exc.strerror}."))
        else:
            await self._succeed(stored)
            self.seconds = time.monotonic() - began
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def cancel(self) -> None:
        """Stop because the owner asked for it: the task ends as canceled."""
        self.is_canceled = True
        self.stop()

    def stop(self) -> None:
        """Ask for the stop of what runs: the download of inputs, or the child at its next step."""
        if self.stopped_at or self.ending:
            return
        self.stopped_at = time.monotonic()
        if self.fetching is not None:
            self.fetching.cancel()
        if not self.is_made:
            self.runner.cancel()

    async def kill(self) -> None:
        """End what runs now, unless it is done with this task."""
        if not self.is_made:
            await self.runner.kill()

    async def give_back(self) -> None:
        """Return an unfinished task to the queue, without a strike."""
        async with self.tools.database.transaction() as tx:
            await leases.requeue(tx, self.claimed, delay_seconds=0, strikes=0)

    async def _make(self, folder: Path) -> list[protocol.Made]:
        if not self.backend:
            # Of this model's kinds, which are claimed together, another worker may serve this one.
            raise errors.Hindered(f"This worker has no backend for {self.claimed.kind}.")
        files = await self._fetch_unless_stopped(folder)
        asked = protocol.Run(
            backend=self.backend,
            model=self.claimed.model,
            kind=self.claimed.kind,
            fields=self.claimed.input["fields"],
            files=files,
            folder=str(folder),
            seed=self.claimed.seed,
            options=dict(self.options),
        )
        made = []
        try:
            async with asyncio.timeout(self.seconds_max):
                async for told in self.runner.run(asked):
                    if isinstance(told, protocol.Progress):
                        self.progress = told.fraction
                    elif isinstance(told, protocol.Preview):
                        self.preview = told.picture
                    else:
                        made.append(told)
        except TimeoutError as exc:
            await self.runner.kill()
            if self.runner.count > 1:
                # Whose fault it was is seen when each runs alone.
                raise errors.BackendCrashed(
                    f"{self.runner.count} tasks together took too long."
                ) from exc
            raise errors.TimedOut(
                f"The task took longer than the {self.seconds_max:g} seconds that "
                f"{self.claimed.model} may take."
            ) from exc
        if not made:
            raise errors.BackendFailed("The model ended without a result.")
        return made

    async def _fetch_unless_stopped(self, folder: Path) -> dict[str, list[str]]:
        """The inputs; raises `Canceled` on a stop, since there is no child yet that would."""
        self.fetching = asyncio.create_task(self._fetch(folder))
        try:
            files = await self.fetching
        except asyncio.CancelledError:
            if not self.stopped_at:
                raise
            raise contract.Canceled from None
        finally:
            self.fetching = None
        if self.stopped_at:
            raise contract.Canceled
        return files

    async def _fetch(self, folder: Path) -> dict[str, list[str]]:
        fetched: dict[str, list[str]] = {}
        references: Mapping[str, list[str]] = self.claimed.input["files"]
        for name, addresses in references.items():
            rule = KINDS[self.claimed.kind].files[name]
            fetched[name] = []
            for number, address in enumerate(addresses):
                path = folder / f"{name}-{number}"
                if address.startswith("file:"):
                    path = await self._fetch_own(address.removeprefix("file:"), path)
                else:
                    await self._download(address, path, rule.bytes_max)
                await asyncio.to_thread(_check_type, path, rule)
                fetched[name].append(str(path))
        return fetched

    async def _fetch_own(self, name: str, path: Path) -> Path:
        try:
            return await self._wait_for_files(lambda: self.tools.files.fetch(name, path))
        except errors.FileNotFound as exc:
            raise errors.BadInput("image url error: the input file is no longer here.") from exc

    async def _wait_for_files(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Work with the store of files, again and again while it is away: what is made is kept."""
        until = time.monotonic() + config.FILES_AWAY_SECONDS_MAX
        while True:
            try:
                return await work()
            except errors.FilesUnavailable as fault:
                if self.stopped_at:
                    raise contract.Canceled from fault
                if time.monotonic() > until:
                    raise errors.Hindered("The store of files cannot be reached.") from fault
                _log.warning("%s: waits for the store of files: %s", self.claimed.id, fault)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _download(self, address: str, path: Path, bytes_max: int) -> None:
        try:
            await self.tools.outbound.fetch(
                address,
                path,
                bytes_max=bytes_max,
                seconds_max=config.FETCH_SECONDS_MAX,
                accept=None,
            )
        except errors.InputRefused as refused:
            raise errors.BadInput(refused.message) from refused

    async def _store(self, made: protocol.Made, folder: Path) -> assets.Asset:
        await asyncio.to_thread(_check_output, made, folder)
        if made.notes:
            self.notes |= made.notes
        path, likeness = Path(made.path), None
        if self.claimed.has_provenance:
            path, likeness = await asyncio.gather(self._sign(made), self.tools.marker.measure(made))
        file, size, digest = await self._wait_for_files(
            lambda: self.tools.files.take(path, made.media_type)
        )
        return assets.Asset(file, made.media_type, size, digest, made.width, made.height, likeness)

    async def _sign(self, made: protocol.Made) -> Path:
        """The signed file; the plain one, and a note of it, where it cannot be signed."""
        references: Mapping[str, list[str]] = self.claimed.input["files"]
        origin = credentials.Origin(
            task_id=self.claimed.id,
            kind=self.claimed.kind,
            model=self.claimed.model,
            served_by=self.backend,
            source=source_of(self.notes.get("digital_source_type")),
            inputs=tuple(name for name, addresses in references.items() for _ in addresses),
        )
        try:
            return await self.tools.marker.sign(made, origin)
        except credentials.NotSigned as exc:
            _log.error("%s: stored unsigned: %s", self.claimed.id, exc)
            self.notes["unsigned"] = "The file could not be signed."
            return Path(made.path)

    async def _succeed(self, stored: list[assets.Asset]) -> None:
        self.ending = True
        unsure = False
        while True:
            try:
                async with self.tools.database.transaction() as tx:
                    kept = await leases.succeed(
                        tx, self.claimed, stored, served_by=self.backend, notes=self.notes
                    )
                break
            except errors.StatementRefused as fault:
                _log.error("%s: the result was refused: %s", self.claimed.id, fault)
                await self._discard(stored)
                await self._fail(errors.BackendFailed("The model's notes cannot be stored."))
                return
            except errors.DatabaseUnavailable as fault:
                # The commit may have happened: the fence makes the repeat harmless.
                unsure = True
                _log.warning("%s: the end could not be written yet: %s", self.claimed.id, fault)
                await asyncio.sleep(_RETRY_SECONDS)
        if not kept and not unsure:
            _log.warning("%s: attempt %d came too late", self.claimed.id, self.claimed.attempt)
            await self._discard(stored)

    async def _discard(self, stored: list[assets.Asset]) -> None:
        try:
            await self.tools.files.remove([one.file for one in stored])
        except errors.FilesUnavailable as fault:
            _log.warning("%s: left in the store of files: %s", self.claimed.id, fault)

    async def _fail(self, error: errors.TaskError) -> None:
        self.ending, self.error = True, error
        _log.warning("%s: %s: %s", self.claimed.id, self.backend, error)
        while True:
            try:
                async with self.tools.database.transaction() as tx:
                    await failures.end(
                        tx,
                        self.claimed,
                        error,
                        served_by=self.backend,
                        has_other=self.has_other,
                    )
                return
            except errors.DatabaseUnavailable as fault:
                _log.warning("%s: the end could not be written yet: %s", self.claimed.id, fault)
                await asyncio.sleep(_RETRY_SECONDS)


def _make_private(folder: Path) -> None:
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(exist_ok=True)


def _check_type(path: Path, rule: kind.Files) -> None:
    try:
        with path.open("rb") as stream:
            media_type = media.sniff(stream.read(media.SNIFF_BYTES))
    except FileNotFoundError as exc:
        raise errors.BadInput("image url error: the input file is no longer here.") from exc
    if media_type not in rule.media_types:
        raise errors.BadInput(rule.refusal)


def _check_output(made: protocol.Made, folder: Path) -> None:
    path = Path(made.path).resolve()
    if folder.resolve() not in path.parents or not path.is_file():
        raise errors.BackendFailed("The model answered no file of its task's folder.")
    if made.media_type not in media.EXTENSIONS:
        raise errors.BackendFailed(f"The model made a file of a strange type, {made.media_type}.")
