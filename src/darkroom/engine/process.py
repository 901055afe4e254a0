"""A child as its worker sees it: started, asked, listened to, killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import ClassVar

import msgspec

from darkroom import errors
from darkroom.engine import bounds, protocol
from darkroom.engine.backends import contract


class _Garbled(Exception):
    """What came over the line is no message."""


class Process:
    """One child process; runs a task, or several in one call, and may die at any moment."""

    # Alone, its task shares with no other; a seat in it may.
    count: ClassVar[int] = 1

    def __init__(
        self,
        child: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        gpu: str | None,
    ) -> None:
        self._child = child
        self._reader = reader
        self._writer = writer
        self.gpu = gpu
        self.backend: str | None = None
        self.model: str | None = None
        # The models that it need not load any more, with the seconds that loading each took.
        self.held: dict[str, float] = {}
        # Of the model that it ran last: the kinds of which it runs several in one call, how many.
        self.together: Mapping[str, int] = {}
        # How long the last run took once the model was loaded; None unless it ended well.
        self.took: float | None = None

    @classmethod
    async def start(
        cls, *, threads: int = 1, memory_mb: int | None = None, gpu: str | None = None
    ) -> Process:
        """Start a child over a socket pair of its own; raises `OSError` where the system cannot."""
        ours, theirs = socket.socketpair()
        with theirs, contextlib.ExitStack() as undone:
            undone.callback(ours.close)
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "darkroom.engine.child",
                str(theirs.fileno()),
                str(memory_mb or 0),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sys.stderr,
                pass_fds=(theirs.fileno(),),
                env=os.environ | bounds.environment(threads, gpu),
                # A group of its own, so that a kill takes what the model started as well.
                start_new_session=True,
            )
            undone.pop_all()
        reader, writer = await asyncio.open_connection(sock=ours)
        return cls(child, reader, writer, gpu)

    @property
    def alive(self) -> bool:
        is_open = not (self._reader.at_eof() or self._writer.is_closing())
        return self._child.returncode is None and is_open

    @property
    def pid(self) -> int:
        return self._child.pid

    def warm(self, backend: str, model: str) -> None:
        """Ask the child to load a backend before its first task."""
        self.backend, self.model = backend, model
        self._writer.write(protocol.encode(protocol.Warm(backend, model)))

    async def run(self, asked: protocol.Run) -> AsyncIterator[protocol.News]:
        """Run a task and yield what the child tells; raises its `TaskError`, or `Canceled`."""
        async for told in self._ask(asked, asked):
            assert isinstance(told, protocol.News)
            yield told

    async def run_together(
        self, asked: Sequence[protocol.Run]
    ) -> AsyncIterator[protocol.Progress | protocol.Of | protocol.Apart]:
        """Run alike tasks in one call and yield what is told; each has an end of its own, by `Of`.

        Raises the `TaskError` that ends all that have not ended before.
        """
        async for told in self._ask(protocol.Together([*asked]), asked[0]):
            assert not isinstance(told, protocol.Preview | protocol.Made)
            yield told

    async def _ask(
        self, message: protocol.Run | protocol.Together, first: protocol.Run
    ) -> AsyncIterator[protocol.News | protocol.Of | protocol.Apart]:
        self.backend, self.model, self.took = first.backend, first.model, None
        # What it holds is told once the model is loaded: others may have made room for it.
        before, self.held = self.held.get(first.model, 0.0), {}
        begun, oom_kills = 0.0, bounds.oom_kills()
        try:
            if not self.alive:
                raise ConnectionResetError  # it died idle; uvloop refuses the write otherwise
            self._writer.write(protocol.encode(message))
            await self._writer.drain()
            while not isinstance(told := await self._receive(), protocol.Done):
                if isinstance(told, protocol.Begun):
                    begun = time.monotonic()
                elif isinstance(told, protocol.Loaded):
                    self.held = {first.model: max(before, told.seconds)} | told.held
                    self.together, begun = told.together, time.monotonic()
                elif isinstance(told, protocol.Failed):
                    if told.error == errors.OutOfMemory.__name__:
                        await self.kill()  # so that all it holds is given back
                    raise error_of(told)
                elif isinstance(told, protocol.Canceled):
                    raise contract.Canceled
                else:
                    yield told
            self.took = time.monotonic() - begun
        except (_Garbled, msgspec.MsgspecError) as exc:
            await self.kill()
            raise errors.BackendCrashed("The model's process sent what is no message.") from exc
        except (OSError, asyncio.IncompleteReadError) as exc:
            raise await self._obituary(begun > 0, oom_kills) from exc

    def cancel(self, number: int = 0) -> None:
        """Ask the running task to stop at its next step; of several, the one of this number."""
        if not self.alive:
            return
        self._writer.write(protocol.encode(protocol.Cancel(number)))

    async def kill(self) -> None:
        """End the child now, with everything it started that did not leave its group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._writer.close()
        await self._child.wait()

    async def _receive(self) -> protocol.ToWorker:
        head = await self._reader.readexactly(protocol.LENGTH.size)
        (size,) = protocol.LENGTH.unpack(head)
        if size > protocol.MESSAGE_BYTES_MAX:
            raise _Garbled
        return protocol.to_worker.decode(await self._reader.readexactly(size))

    async def _obituary(self, begun: bool, oom_kills: int) -> errors.TaskError:
        await self.kill()
        code = self._child.returncode or 0
        name = next((one.name for one in signal.Signals if one == -code), f"signal {-code}")
        how = f"was ended by {name}" if code < 0 else f"ended with exit status {code}"
        if not begun:
            return errors.Hindered(f"The model's process {how} before it took up the task.")
        if code == -signal.SIGKILL and bounds.oom_kills() > oom_kills:
            return errors.OutOfMemory("The machine ran out of memory. Ask for a smaller size.")
        return errors.BackendCrashed(f"The model's process {how}.")


def error_of(told: protocol.Failed) -> errors.TaskError:
    """The failure that a child tells of."""
    kind = getattr(errors, told.error)
    assert issubclass(kind, errors.TaskError)
    error: errors.TaskError = kind(told.message or None)
    return error
