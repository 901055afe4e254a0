"""A child as its worker sees it: started, asked, listened to, killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator

from darkroom import errors
from darkroom.engine import protocol
from darkroom.engine.backends import contract

# One core a child: models that want more are given it by their own backend.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Process:
    """One child process; runs one task at a time and may die at any moment."""

    def __init__(
        self,
        child: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._child = child
        self._reader = reader
        self._writer = writer
        self.backend: str | None = None
        self.model: str | None = None

    @classmethod
    async def start(cls) -> Process:
        """Start a child over a socket pair of its own."""
        ours, theirs = socket.socketpair()
        with theirs:
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "darkroom.engine.child",
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sys.stderr,
                pass_fds=(theirs.fileno(),),
                env=os.environ | _ONE_THREAD,
                # A group of its own, so that a kill takes what the model started as well.
                start_new_session=True,
            )
        reader, writer = await asyncio.open_connection(sock=ours)
        return cls(child, reader, writer)

    @property
    def alive(self) -> bool:
        return self._child.returncode is None and not self._reader.at_eof()

    @property
    def pid(self) -> int:
        return self._child.pid

    def warm(self, backend: str, model: str) -> None:
        """Ask the child to load a backend before its first task."""
        self.backend, self.model = backend, model
        self._writer.write(protocol.encode(protocol.Warm(backend, model)))

    async def run(self, asked: protocol.Run) -> AsyncIterator[protocol.Progress | protocol.Made]:
        """Run a task and yield what the child tells; raises its `TaskError`, or `Canceled`."""
        self.backend, self.model = asked.backend, asked.model
        try:
            self._writer.write(protocol.encode(asked))
            await self._writer.drain()
            while not isinstance(told := await self._receive(), protocol.Done):
                if isinstance(told, protocol.Failed):
                    raise _error(told)
                if isinstance(told, protocol.Canceled):
                    raise contract.Canceled
                yield told
        except (OSError, asyncio.IncompleteReadError) as exc:
            raise errors.BackendCrashed(await self._obituary()) from exc

    def cancel(self) -> None:
        """Ask the running task to stop at its next step."""
        if not self.alive:
            return
        self._writer.write(protocol.encode(protocol.Cancel()))

    async def kill(self) -> None:
        """End the child now, with everything it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._writer.close()
        await self._child.wait()

    async def _receive(self) -> protocol.ToWorker:
        head = await self._reader.readexactly(protocol.LENGTH.size)
        (size,) = protocol.LENGTH.unpack(head)
        if size > protocol.MESSAGE_BYTES_MAX:
            raise errors.BackendCrashed(f"The model's process sent a message of {size} bytes.")
        return protocol.to_worker.decode(await self._reader.readexactly(size))

    async def _obituary(self) -> str:
        await self.kill()
        code = self._child.returncode
        if code is not None and code < 0:
            return f"The model's process was ended by {signal.Signals(-code).name}."
        return f"The model's process ended without an answer (exit status {code})."


def _error(told: protocol.Failed) -> errors.TaskError:
    kind = getattr(errors, told.error)
    assert issubclass(kind, errors.TaskError)
    error: errors.TaskError = kind(told.message or None)
    return error
