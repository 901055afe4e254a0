"""A child ends with its worker, however the line between them breaks."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from darkroom.engine import protocol

SECONDS_MAX = 20


@contextmanager
def child() -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """A child and the worker's end of its line."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "darkroom.engine.child", str(theirs.fileno()), "0"]
    with ours, theirs, subprocess.Popen(command, pass_fds=[theirs.fileno()]) as process:
        theirs.close()
        try:
            yield process, ours
        finally:
            process.kill()


def test_a_closed_line_ends_it() -> None:
    with child() as (process, line):
        line.close()
        assert process.wait(SECONDS_MAX) == 0


def test_a_line_cut_inside_a_message_ends_it() -> None:
    with child() as (process, line):
        line.sendall(protocol.LENGTH.pack(100) + b"half")
        line.close()
        assert process.wait(SECONDS_MAX) == 0


def test_a_line_reset_with_an_answer_unread_ends_it() -> None:
    with child() as (process, line):
        line.sendall(protocol.encode(protocol.Run("nobody", "", "", {}, {}, ".", 1)))
        assert select.select([line], [], [], SECONDS_MAX)[0]
        line.close()
        assert process.wait(SECONDS_MAX) == 0
