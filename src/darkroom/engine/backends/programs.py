"""Programs of the machine: each run apart from this one, without a shell, and bounded in time."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from darkroom.errors import BackendFailed


def run(
    command: Sequence[str],
    given: bytes = b"",
    *,
    seconds_max: float,
    progress: Callable[[], None] = lambda: None,
) -> tuple[bytes, str]:
    """Returns what a program says when it is given this, and what it tells of its work beside it.

    `progress` is called while it works, and ends it by what it raises. Raises `BackendFailed` where
    the program fails or takes too long, and `FileNotFoundError` where there is none.
    """
    name = Path(command[0]).name
    deadline = time.monotonic() + seconds_max
    pipe = subprocess.PIPE
    # The caller's words go in by the standard input or a file, never among the arguments.
    with subprocess.Popen(  # noqa: S603 - no shell, no words of a caller's among the arguments
        command, stdin=pipe, stdout=pipe, stderr=pipe
    ) as program:
        waiting: bytes | None = given
        try:
            while True:
                try:
                    said, told = program.communicate(waiting, timeout=0.1)
                    break
                except subprocess.TimeoutExpired:
                    waiting = None
                    progress()
                    if time.monotonic() > deadline:
                        raise BackendFailed(f"{name} took over {seconds_max:g} seconds.") from None
        finally:
            program.kill()
    beside = told.decode("utf-8", "replace").strip()
    if program.returncode:
        lines = beside.splitlines()
        raise BackendFailed(f"{name} failed: {lines[-1][:300] if lines else program.returncode}")
    return said, beside
