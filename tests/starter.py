"""`darkroom` started by a fork of a process that has loaded it: as real, in a moment.

What is started here runs the same `__main__` as `python -m darkroom`, with memory, folder,
environment, streams, signals and an exit status of its own; only the modules are there already.
It ends with the tests, however those end.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import importlib.metadata
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_NUMBER = struct.Struct("!i")
_LOCK = threading.Lock()


class Started:
    """A running `darkroom`, with what tests use of a `subprocess.Popen`."""

    def __init__(self, pid: int, status: int, stdout: IO[str], stderr: IO[str] | None) -> None:
        self.pid = pid
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None
        self._status = status

    def __enter__(self) -> Started:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def poll(self) -> int | None:
        """Its exit status, negative for the signal that ended it; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status once it has ended; raises `subprocess.TimeoutExpired`."""
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("darkroom", timeout or 0)
            (self.returncode,) = _NUMBER.unpack(os.read(self._status, _NUMBER.size))
            os.close(self._status)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            # Its end may be a moment older than what is told of it.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float) -> tuple[str, str]:
        """All that it prints until it ends, on its output and its error stream."""
        assert self.stderr is not None
        complaints: list[str] = []
        reading = threading.Thread(target=lambda: complaints.append(self.stderr.read()))
        ending = threading.Timer(timeout, self.kill)
        for thread in (reading, ending):
            thread.start()
        try:
            out = self.stdout.read()
            reading.join()
        finally:
            ending.cancel()
        self.wait(timeout)
        return out, complaints[0]

    def end(self, timeout: float = 30) -> int:
        """See that it ends, in good order if it can; closes its streams, answers its status."""
        try:
            self.terminate()
            return self.wait(timeout)
        finally:
            self.kill()
            self.wait(10)
            for stream in filter(None, (self.stdout, self.stderr)):
                stream.close()


def end_all(running: Sequence[Started]) -> None:
    """See that all of them end, side by side."""
    for process in running:
        process.terminate()
    with contextlib.ExitStack() as ending:
        for process in running:
            ending.callback(process.end)


def start(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    folder: Path | None = None,
    stderr: IO[str] | None = None,
    anew: bool = False,
) -> Started:
    """Start `darkroom ARGUMENTS`; its complaints go to the given file, or are there to be read.

    Anew, it loads everything itself: where the environment says how Python begins.
    """
    # The system's own libraries of a Mac may not be used on both sides of a fork.
    anew = anew or sys.platform == "darwin"
    asked = [[*arguments], dict(environment), str(folder or Path.cwd()), anew]
    body = json.dumps(asked).encode()
    out, out_end = os.pipe()
    status, status_end = os.pipe()
    err, err_end = (None, stderr.fileno()) if stderr else os.pipe()
    with _LOCK:
        line = _line()
        line.sendall(_NUMBER.pack(len(body)))
        socket.send_fds(line, [body], [out_end, err_end, status_end])
        (pid,) = _NUMBER.unpack(line.recv(_NUMBER.size, socket.MSG_WAITALL))
    for end in (out_end, status_end, *([] if stderr else [err_end])):
        os.close(end)
    return Started(pid, status, os.fdopen(out), None if err is None else os.fdopen(err))


@functools.cache
def _line() -> socket.socket:
    """The line to the process that forks, which lives as long as its other end is held here."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, __file__, str(theirs.fileno())]
    with theirs:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])

    def close() -> None:
        ours.close()
        process.wait(30)

    atexit.register(close)
    return ours


class _Forker:
    """The other end: forks for each who asks, and tells who has ended how."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._running: dict[int, int] = {}
        self._bell, bell_end = os.pipe()
        for end in (self._bell, bell_end):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(bell_end, warn_on_full_buffer=False)
        self._inner = (self._bell, bell_end)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # Ctrl-C reaches the whole group, and those who run decide for themselves.
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def serve(self) -> list[str]:
        """Fork until nobody asks any more; answers the arguments in each process that is forked."""
        while True:
            ready = select.select([self._line, self._bell], [], [])[0]
            if self._bell in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._bell, 1 << 16)
                self._tell_ends()
            if self._line in ready:
                head = self._line.recv(_NUMBER.size, socket.MSG_WAITALL)
                if not head:
                    self._end_all()
                asked, streams, status = self._hear(*_NUMBER.unpack(head))
                assert threading.active_count() == 1
                if (pid := os.fork()) == 0:
                    os.close(status)
                    return self._become(asked, streams)
                self._running[pid] = status
                for stream in streams:
                    os.close(stream)
                self._line.sendall(_NUMBER.pack(pid))

    def _hear(self, size: int) -> tuple[list[Any], list[int], int]:
        body, fds, _, _ = socket.recv_fds(self._line, size, 3)
        while len(body) < size:
            body += self._line.recv(size - len(body))
        return json.loads(body), fds[:2], fds[2]

    def _tell_ends(self) -> None:
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            told = self._running.pop(pid)
            # Whoever asked may have ended meanwhile; then the line tells so next.
            with contextlib.suppress(BrokenPipeError):
                os.write(told, _NUMBER.pack(os.waitstatus_to_exitcode(status)))
            os.close(told)

    def _end_all(self) -> None:
        for pid in self._running:
            os.kill(pid, signal.SIGKILL)
        sys.exit(0)

    def _become(self, asked: Any, streams: list[int]) -> list[str]:
        """Be the process that was asked for: nothing of this one is left but the modules."""
        arguments, environment, folder, anew = asked
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._line.close()
        for number in (*self._running.values(), *self._inner):
            os.close(number)
        for number, stream in enumerate(streams, 1):
            os.dup2(stream, number)
            os.close(stream)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        if anew:
            os.execv(sys.executable, [sys.executable, "-m", "darkroom", *arguments])
        path = environment.get("PYTHONPATH", "").split(os.pathsep)
        sys.path[:1] = [folder, *filter(None, path)]
        return arguments


def _load() -> None:
    """Load what the commands do, and what a worker does at its start."""
    from darkroom.cli import lazy, main

    for entry in main.COMMANDS.values():
        lazy.load(entry.target)
    for remote in importlib.metadata.entry_points(group="darkroom.remotes"):
        remote.load()
    importlib.import_module("anyio._backends._asyncio")
    gc.freeze()


def _run() -> int:
    """Run `darkroom` to its end; answers the exit status."""
    try:
        runpy.run_module("darkroom", run_name="__main__", alter_sys=True)
    except SystemExit as exc:
        return int(exc.code or 0)
    return 0


def _leave() -> None:
    """End for good when the threads and whoever waits for the end are done.

    To take all the modules apart, one by one, would be a tenth of a second of each process.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_ended_with)


if __name__ == "__main__":
    # What is registered first is called last. An exception that nobody caught is told before.
    _ended_with = 1
    atexit.register(_leave)
    _load()
    sys.argv[1:] = _Forker(socket.socket(fileno=int(sys.argv[1]))).serve()
    _ended_with = _run()
