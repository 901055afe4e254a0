"""A server at rest: the memory it keeps, and how soon its second start answers."""

from __future__ import annotations

import contextlib
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import home
from home import Home, Server
from lines import Budget, Line, spread
from plan import Plan

_ROOT = Path(__file__).resolve().parents[1]
_SECONDS_MAX = 60.0


def memory(plan: Plan, one: Home, server: Server) -> Line:
    """Memory of a fresh server without workers after a moment of rest, PostgreSQL beside it."""
    _answered(f"{server.url}/health/ready", time.monotonic() + _SECONDS_MAX)
    time.sleep(plan.rest_seconds)
    held = _memory_mb()
    ours = held[server.pid][0]
    folder = str(one.folder)
    supervisor = [mb for mb, line in held.values() if folder in line and "supervisor" in line]
    cluster = _cluster(one.folder, held)
    postgres = sum(held[pid][0] for pid in cluster)
    note = (
        f"resident; beside it the supervisor {sum(supervisor):.0f} MB and PostgreSQL "
        f"{postgres:.0f} MB over {len(cluster)} processes (pages that they share counted in each)"
    )
    return Line(
        "server memory at rest, no backends", Budget(False, 150, " MB"), "–", f"{ours:.0f} MB",
        ours, note=note,
    )  # fmt: skip


def second_start(plan: Plan) -> Line:
    """Seconds from the command until `/health/ready` answers, the data being there already."""
    took = []
    command, name = _command()
    with home.folder() as data:
        environment = home.plain_environment() | {
            "DARKROOM_DATA": str(data / "data"),
            # Not in the figure: a stop that does not wait for the first picture to be painted.
            "DARKROOM_DRAIN_SECONDS": "0",
        }
        for _ in plan.times(1 + plan.starts):
            port = str(_free_port())
            began = time.monotonic()
            with _running([*command, "--port", port, "--out", str(data)], environment):
                url = f"http://127.0.0.1:{port}/health/ready"
                took.append(_answered(url, began + _SECONDS_MAX) - began)
    first, *took = took
    low, high = spread(took)
    found = statistics.median(took)
    return Line(
        f"`{name}`, second start to first answer", Budget(False, 3, " s"), "–", f"{found:.2f} s",
        found, low, high, f"until `/health/ready` answers 200; the first start took {first:.2f} s",
    )  # fmt: skip


def _memory_mb() -> dict[int, tuple[float, str]]:
    """Resident megabytes and command line of every process."""
    said = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,rss=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = (line.split(maxsplit=2) for line in said.splitlines())
    return {int(row[0]): (int(row[1]) / 1024, row[2] if len(row) > 2 else "") for row in rows}


def _cluster(data: Path, held: dict[int, tuple[float, str]]) -> list[int]:
    """PostgreSQL's processes over a data folder: the one its pid file names, and its children."""
    pid_file = data / "postgres" / "cluster" / "postmaster.pid"
    first = int(pid_file.read_text(encoding="utf-8").split()[0])
    said = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    pairs = [line.split() for line in said.splitlines()]
    children = [int(pid) for pid, parent in pairs if int(parent) == first and int(pid) in held]
    return [first, *children]


def _command() -> tuple[list[str], str]:
    """`./run`, or what it executes where it would first have to install into .venv."""
    if (_ROOT / ".venv" / "server.stamp").exists():
        return [str(_ROOT / "run")], "./run"
    return [sys.executable, "-m", "darkroom", "quickstart"], "darkroom quickstart"


@contextlib.contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet) as process:
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _answered(url: str, until: float) -> float:
    """The instant of the first answer 200."""
    while time.monotonic() < until:
        with (
            contextlib.suppress(OSError),  # not listening yet, or a 503
            urllib.request.urlopen(url, timeout=5),
        ):
            return time.monotonic()
        time.sleep(0.01)
    raise TimeoutError(f"{url} did not answer")
