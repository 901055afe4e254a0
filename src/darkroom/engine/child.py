"""The child: a process that holds models and runs one task after another for its worker."""

from __future__ import annotations

import errno
import os
import queue
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darkroom import errors
from darkroom.domain.kinds.table import defaults
from darkroom.engine import bounds, protocol
from darkroom.engine.backends import contract, registry

# Progress more often than this tells nobody anything.
_PROGRESS_STEP = 0.01
_MESSAGE_CHARS_MAX = 1000
_CV_NO_MEMORY = -4  # cv::Error::StsNoMem


class _Line:
    """The connection to the worker; when the worker is gone, so is the child."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.asked: queue.SimpleQueue[protocol.Run | protocol.Warm] = queue.SimpleQueue()
        self.canceled = threading.Event()

    def send(self, message: protocol.ToWorker) -> None:
        try:
            self._connection.sendall(protocol.encode(message))
        except OSError:
            # The worker is gone, and that is no failure of the model's to tell of.
            os._exit(0)

    def listen(self) -> None:
        try:
            self._listen()
        finally:
            # However the line ended, by a reset in the middle of a message too. Not sys.exit: the
            # main thread may be deep in a model and must not hold up the end.
            # What the model started ends as well: nobody else is left who knows of it. (A death
            # signal of the kernel's would come first, and take this process alone.)
            if os.getpgrp() == os.getpid():
                os.killpg(0, signal.SIGKILL)
            os._exit(0)

    def _listen(self) -> None:
        stream = self._connection.makefile("rb")
        while head := stream.read(protocol.LENGTH.size):
            (size,) = protocol.LENGTH.unpack(head)
            message = protocol.to_child.decode(stream.read(size))
            if isinstance(message, protocol.Cancel):
                self.canceled.set()
            else:
                # Here, not where the task begins: a cancel may come before the child gets to it.
                self.canceled.clear()
                self.asked.put(message)


class _Context:
    """What the running task may use, over the line to the worker."""

    def __init__(self, line: _Line, folder: Path, seed: int) -> None:
        self.folder = folder
        self.seed = seed
        self._line = line
        self._told = 0.0

    def progress(self, fraction: float) -> None:
        """Tell the worker how much is done; raises `Canceled` when it asked for a stop."""
        if self._line.canceled.is_set():
            raise contract.Canceled
        if fraction - self._told >= _PROGRESS_STEP:
            self._told = min(fraction, 1.0)
            self._line.send(protocol.Progress(self._told))


class _Loaded:
    """The backends that this child has made: the one at work, and those that keep their models."""

    def __init__(self) -> None:
        self._made: dict[str, contract.Backend] = {}
        self._set_up: tuple[str, str, Mapping[str, Any]] | None = None

    def load(self, asked: protocol.Run | protocol.Warm) -> contract.Backend:
        wanted = (asked.backend, asked.model, asked.options)
        backend = self._made.pop(asked.backend, None)
        if backend is None or self._set_up != wanted:
            kept = self._made.items()
            self._made = {name: one for name, one in kept if isinstance(one, contract.Keeper)}
            # One that fails here is half made: the next task gets another.
            self._set_up = None
            backend = backend or registry.create(asked.backend)
            backend.setup(asked.model, asked.options)
            self._set_up = wanted
        self._made[asked.backend] = backend
        return backend

    def held(self) -> dict[str, float]:
        """What the backends that keep their models hold, with the seconds that each took."""
        keepers = (one for one in self._made.values() if isinstance(one, contract.Keeper))
        return {model: seconds for one in keepers for model, seconds in one.held.items()}


def main() -> None:
    """Serve the worker at the other end of a file descriptor, within so many megabytes."""
    connection, memory_mb = (int(word) for word in sys.argv[1:])
    bounds.apply(memory_mb)
    # Ctrl-C at a terminal reaches the whole group; only the worker decides when a child ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = _Line(socket.socket(fileno=connection))
    threading.Thread(target=line.listen, daemon=True, name="line").start()
    loaded = _Loaded()
    while True:
        asked = line.asked.get()
        if isinstance(asked, protocol.Warm):
            # What is wrong is told to the task that needs it.
            _load(loaded, asked)
            continue
        line.send(protocol.Begun())
        began = time.monotonic()
        backend = _load(loaded, asked)
        if isinstance(backend, protocol.Failed):
            line.send(backend)
            continue
        line.send(protocol.Loaded(time.monotonic() - began, loaded.held()))
        line.send(_run(line, backend, asked))


def _load(
    loaded: _Loaded, asked: protocol.Run | protocol.Warm
) -> contract.Backend | protocol.Failed:
    try:
        return loaded.load(asked)
    except Exception as exc:  # noqa: BLE001 - a model that cannot be loaded costs one task
        return _failed(exc, "could not be loaded")


def _run(line: _Line, backend: contract.Backend, asked: protocol.Run) -> protocol.ToWorker:
    try:
        context = _Context(line, Path(asked.folder), asked.seed)
        for output in backend.run(_given(asked), context):
            line.send(protocol.made(output))
    except contract.Canceled:
        return protocol.Canceled()
    except Exception as exc:  # noqa: BLE001 - whatever a model raises costs one task, not the child
        return _failed(exc, "failed")
    return protocol.Done()


def _failed(exc: Exception, what: str) -> protocol.Failed:
    if isinstance(exc, errors.TaskError):
        # A package may have classes of its own; the worker knows these alone.
        kind = next(one for one in type(exc).__mro__ if vars(errors).get(one.__name__) is one)
        return protocol.Failed(kind.__name__, _clean(exc.message))
    if _is_out_of_memory(exc):
        return protocol.Failed(errors.OutOfMemory.__name__, "")
    traceback.print_exception(exc)
    said = f"The model {what}: {type(exc).__name__}: {exc}"
    return protocol.Failed(errors.BackendFailed.__name__, _clean(said))


def _is_out_of_memory(exc: Exception) -> bool:
    """Whether a library says in its own way that there is no memory, the machine's or the GPU's."""
    return (
        isinstance(exc, MemoryError)  # Python, NumPy, Pillow
        or type(exc).__name__ == "OutOfMemoryError"  # torch, on a GPU
        or "DefaultCPUAllocator: can't allocate memory" in str(exc)  # torch, on the processor
        or getattr(exc, "errno", None) == errno.ENOMEM
        or getattr(exc, "code", None) == _CV_NO_MEMORY  # OpenCV
    )


def _clean(text: str) -> str:
    """The text as a message and a row can hold it."""
    return text[:_MESSAGE_CHARS_MAX].replace("\0", "").encode("utf-8", "replace").decode()


def _given(asked: protocol.Run) -> contract.Input:
    files: Mapping[str, list[Path]] = {
        name: [Path(path) for path in paths] for name, paths in asked.files.items()
    }
    fields = defaults(asked.kind) | asked.fields
    return contract.Input(asked.kind, asked.model, fields, files)


if __name__ == "__main__":
    main()
