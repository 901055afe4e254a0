"""The child: a process that holds one model and runs one task after another for its worker."""

from __future__ import annotations

import os
import queue
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darkroom import errors
from darkroom.engine import protocol
from darkroom.engine.backends import contract, registry

# Progress more often than this tells nobody anything.
_PROGRESS_STEP = 0.01


class _Line:
    """The connection to the worker; when the worker is gone, so is the child."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.asked: queue.SimpleQueue[protocol.Run | protocol.Warm] = queue.SimpleQueue()
        self.canceled = threading.Event()

    def send(self, message: protocol.ToWorker) -> None:
        self._connection.sendall(protocol.encode(message))

    def listen(self) -> None:
        try:
            self._listen()
        finally:
            # However the line ended, by a reset in the middle of a message too. Not sys.exit: the
            # main thread may be deep in a model and must not hold up the end.
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
    """The one backend and model that this child holds."""

    def __init__(self) -> None:
        self._held: tuple[str, str] | None = None
        self._backend: contract.Backend | None = None

    def load(self, backend: str, model: str) -> contract.Backend:
        if self._backend is None or self._held != (backend, model):
            if self._backend is None or self._backend.name != backend:
                self._backend = registry.create(backend)
            self._backend.setup(model)
            self._held = (backend, model)
        return self._backend


def main() -> None:
    """Serve the worker at the other end of the file descriptor named on the command line."""
    # Ctrl-C at a terminal reaches the whole group; only the worker decides when a child ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = _Line(socket.socket(fileno=int(sys.argv[1])))
    threading.Thread(target=line.listen, daemon=True, name="line").start()
    loaded = _Loaded()
    while True:
        asked = line.asked.get()
        if isinstance(asked, protocol.Warm):
            loaded.load(asked.backend, asked.model)
            continue
        line.send(_run(line, loaded, asked))


def _run(line: _Line, loaded: _Loaded, asked: protocol.Run) -> protocol.ToWorker:
    try:
        backend = loaded.load(asked.backend, asked.model)
        context = _Context(line, Path(asked.folder), asked.seed)
        for output in backend.run(_given(asked), context):
            made = protocol.Made(
                str(output.path),
                output.media_type,
                output.width,
                output.height,
                dict(output.notes),
            )
            line.send(made)
    except contract.Canceled:
        return protocol.Canceled()
    except errors.TaskError as error:
        return protocol.Failed(type(error).__name__, error.message)
    except MemoryError:
        return protocol.Failed(errors.OutOfMemory.__name__, "")
    except Exception as exc:  # noqa: BLE001 - whatever a model raises costs one task, not the child
        traceback.print_exc()
        return protocol.Failed(errors.BackendFailed.__name__, f"The model failed: {_brief(exc)}")
    return protocol.Done()


def _given(asked: protocol.Run) -> contract.Input:
    files: Mapping[str, list[Path]] = {
        name: [Path(path) for path in paths] for name, paths in asked.files.items()
    }
    fields: Mapping[str, Any] = asked.fields
    return contract.Input(asked.kind, asked.model, fields, files)


def _brief(exc: Exception) -> str:
    return f"{type(exc).__name__}: {exc}"[:300]


if __name__ == "__main__":
    main()
