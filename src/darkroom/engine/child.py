"""The child: a process that holds models and runs one task after another for its worker."""

from __future__ import annotations

import errno
import functools
import os
import queue
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from darkroom import config, errors
from darkroom.domain.kinds.table import defaults
from darkroom.engine import bounds, protocol
from darkroom.engine.backends import contract, registry

# Progress more often than this tells nobody anything.
_PROGRESS_STEP = 0.01
_MESSAGE_CHARS_MAX = 1000
_CV_NO_MEMORY = -4  # cv::Error::StsNoMem
_Asked = protocol.Run | protocol.Together | protocol.Warm
_End = protocol.Done | protocol.Failed | protocol.Canceled


class _Line:
    """The connection to the worker; when the worker is gone, so is the child."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.asked: queue.SimpleQueue[_Asked] = queue.SimpleQueue()
        # The numbers of tasks that should stop.
        self.canceled: set[int] = set()

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
                self.canceled.add(message.number)
            else:
                # Here, not where the task begins: a cancel may come before the child gets to it.
                self.canceled = set()
                self.asked.put(message)


class _Steps:
    """How far the work is, over the line to the worker: on one task, or on several in one call."""

    def __init__(self, line: _Line, live: Set[int], number: int | None = None) -> None:
        self._line, self._live, self._number = line, live, number
        self._told = 0.0

    def tell(self, fraction: float) -> None:
        """Tell the worker how much is done; raises `Canceled` when it asked all to stop."""
        if self._live <= self._line.canceled:
            raise contract.Canceled
        if fraction - self._told >= _PROGRESS_STEP:
            self._told = min(fraction, 1.0)
            told = protocol.Progress(self._told)
            self._line.send(told if self._number is None else protocol.Of(self._number, told))


class _Context:
    """What a running task may use."""

    def __init__(
        self, asked: protocol.Run, steps: _Steps, say: Callable[[protocol.Told], None]
    ) -> None:
        self.folder = Path(asked.folder)
        self.seed = asked.seed
        self.progress = steps.tell
        self._say = say
        self._shown_at = -config.PREVIEW_SECONDS

    def preview(self, draw: Callable[[], contract.Preview]) -> None:
        """Show the worker what is made so far, unless it saw that a moment ago."""
        now = time.monotonic()
        if now - self._shown_at < config.PREVIEW_SECONDS:
            return
        self._shown_at = now
        picture = draw().picture
        if len(picture) <= contract.PREVIEW_BYTES_MAX:
            self._say(protocol.Preview(picture))


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
        first = asked.runs[0] if isinstance(asked, protocol.Together) else asked
        began = time.monotonic()
        backend = _load(loaded, first)
        if isinstance(backend, protocol.Failed):
            line.send(backend)
            continue
        seconds = time.monotonic() - began
        line.send(protocol.Loaded(seconds, loaded.held(), _together(backend)))
        if isinstance(asked, protocol.Run):
            line.send(_run(line, backend, asked))
        else:
            _Call(line, backend, asked.runs).run()
            line.send(protocol.Done())


def _together(backend: contract.Backend) -> dict[str, int]:
    """The kinds of which the backend runs several tasks in one call, with how many."""
    if not isinstance(backend, contract.Joiner):
        return {}
    found = {kind: backend.together_max(kind) for kind in backend.kinds}
    return {kind: count for kind, count in found.items() if count > 1}


def _load(
    loaded: _Loaded, asked: protocol.Run | protocol.Warm
) -> contract.Backend | protocol.Failed:
    try:
        return loaded.load(asked)
    except Exception as exc:  # noqa: BLE001 - a model that cannot be loaded costs one task
        return _failed(exc, "could not be loaded")


def _run(
    line: _Line, backend: contract.Backend, asked: protocol.Run, number: int | None = None
) -> _End:
    def say(told: protocol.Told) -> None:
        line.send(told if number is None else protocol.Of(number, told))

    try:
        context = _Context(asked, _Steps(line, {number or 0}, number), say)
        for output in backend.run(_given(asked), context):
            say(protocol.made(output))
    except contract.Canceled:
        return protocol.Canceled()
    except Exception as exc:  # noqa: BLE001 - whatever a model raises costs one task, not the child
        return _failed(exc, "failed")
    return protocol.Done()


class _Call:
    """Several tasks in one call; where that fails, one after another."""

    def __init__(
        self, line: _Line, backend: contract.Backend, runs: Sequence[protocol.Run]
    ) -> None:
        self._line, self._backend = line, backend
        # Those that have not ended, by their numbers.
        self._live = dict(enumerate(runs))

    def run(self) -> None:
        """Run them all to their ends."""
        if self._is_done_together():
            return
        self._line.send(protocol.Apart())
        # Out of the handler of what went wrong, which would keep its memory.
        for number, asked in [*self._live.items()]:
            self._end(number, _run(self._line, self._backend, asked, number))

    def _is_done_together(self) -> bool:
        try:
            outputs = self._outputs()
        except contract.Canceled:
            outputs = {}
        except Exception as exc:  # noqa: BLE001 - each task is told by itself what is wrong with it
            traceback.print_exception(exc)
            return False
        for number in [*self._live]:
            if number in self._line.canceled:
                self._end(number, protocol.Canceled())
                continue
            for output in outputs.get(number, ()):
                self._line.send(protocol.Of(number, protocol.made(output)))
            self._end(number, protocol.Done())
        return True

    def _outputs(self) -> dict[int, list[contract.Output]]:
        """What came of the call, by the numbers of the tasks; told when all of it is there."""
        assert isinstance(self._backend, contract.Joiner)
        numbers = [*self._live]
        steps = _Steps(self._line, self._live.keys())
        contexts = [
            _Context(asked, steps, functools.partial(self._say, number))
            for number, asked in self._live.items()
        ]
        given = [_given(asked) for asked in self._live.values()]
        outputs: dict[int, list[contract.Output]] = {number: [] for number in numbers}
        for place, told in self._backend.run_together(given, contexts):
            if isinstance(told, errors.TaskError):
                self._end(numbers[place], _failed(told, "failed"))
            else:
                outputs[numbers[place]].append(told)
        return outputs

    def _say(self, number: int, told: protocol.Told) -> None:
        self._line.send(protocol.Of(number, told))

    def _end(self, number: int, end: _End) -> None:
        del self._live[number]
        self._say(number, end)


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
