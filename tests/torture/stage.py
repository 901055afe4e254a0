"""The stage: PostgreSQL behind a line that can be cut, and processes that are kept running."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

import probes
from darkroom.storage.embedded import Embedded
from ground import wait_until
from lines import Line, line_to

SERVERS, WORKERS, DAEMONS = 2, 3, 2
LEASE_SECONDS = 2.0
SETTINGS = {
    "DARKROOM_LEASE_SECONDS": f"{LEASE_SECONDS:g}",
    "DARKROOM_DRAIN_SECONDS": "2",
    "DARKROOM_NOTICE_SECONDS": "0.5",
    "DARKROOM_TASK_SECONDS_MAX": "4",
    "DARKROOM_WORKERS": "2",
}
# A stop in good order: notice, drain, the answers under way, and a database that is away.
STOP_SECONDS_MAX = 45.0
_KEEP_SECONDS = 0.1


@dataclass(slots=True, eq=False)
class Player:
    """One process that is started again whenever it ends."""

    name: str
    command: tuple[str, ...]
    folder: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes] = field(init=False)
    # Until when it has to end with status 0, having been asked to; 0: it was not asked.
    asked_until: float = 0.0
    is_killed: bool = False
    is_frozen: bool = False

    @property
    def has_begun(self) -> bool:
        """Whether it said that it runs."""
        return (self.folder / f"{self.name}.out").read_bytes().startswith(b"Darkroom")

    def start(self) -> None:
        """Start the process, anew."""
        self.asked_until, self.is_killed, self.is_frozen = 0.0, False, False
        with (
            (self.folder / f"{self.name}.out").open("wb") as out,
            (self.folder / f"{self.name}.log").open("ab") as log,
        ):
            self.process = subprocess.Popen(
                [sys.executable, "-m", "darkroom", *self.command],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
            )

    def kill(self) -> None:
        """End it as a power cut would."""
        self.is_killed = True
        self.process.kill()

    def ask_to_end(self) -> None:
        """SIGTERM: from now on it has its bound to end in good order."""
        self.asked_until = time.monotonic() + STOP_SECONDS_MAX
        self.process.terminate()

    def freeze(self) -> None:
        """Stop it as a laptop's lid would."""
        self.is_frozen = True
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.is_frozen = False
        self.process.send_signal(signal.SIGCONT)

    def fault(self) -> str | None:
        """What is wrong with its end, if it has ended, or with its not ending."""
        code = self.process.poll()
        if code is None:
            late = self.asked_until and time.monotonic() > self.asked_until
            return f"did not end within {STOP_SECONDS_MAX:g} s of SIGTERM" if late else None
        if self.is_killed or not self.has_begun:
            return None
        return None if self.asked_until and code == 0 else f"ended with status {code}"


@dataclass(slots=True)
class Stage:
    """Everything that runs; `guard` is held by whoever touches a player."""

    folder: Path
    embedded: Embedded
    line: Line
    environment: dict[str, str]
    urls: list[str]
    players: list[Player] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    starts: Counter[str] = field(default_factory=Counter)
    guard: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)
    keeping: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.keeping = threading.Thread(target=self._keep)

    def postmaster(self) -> int | None:
        """PostgreSQL's process, while there is one."""
        try:
            note = self.embedded.folder / "cluster" / "postmaster.pid"
            return int(note.read_text().splitlines()[0])
        except (FileNotFoundError, IndexError, ValueError):
            return None

    def children(self) -> list[int]:
        """The processes of the workers' models."""
        parents = {player.process.pid for player in self.players}
        found = []
        for status in Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                parent = int(status.read_text().partition("PPid:")[2].split()[0])
                if parent in parents:
                    found.append(int(status.parent.name))
        return found

    def leftovers(self) -> list[int]:
        """Processes that were started for this stage and still run, PostgreSQL's aside."""
        mark = f"DARKROOM_DATA={self.environment['DARKROOM_DATA']}\0".encode()
        found = []
        for environ in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if mark in environ.read_bytes():
                    found.append(int(environ.parent.name))
        return found

    def _keep(self) -> None:
        """Start again whatever has ended, and note what ended wrongly, until it is over."""
        while not self.over.wait(_KEEP_SECONDS):
            with self.guard:
                for player in self.players:
                    if fault := player.fault():
                        self.faults.append(f"{player.name} {fault}")
                        player.kill()
                    if player.process.poll() is not None:
                        player.start()
                        self.starts[player.name] += 1

    def is_well(self) -> bool:
        """Whether PostgreSQL and every process run, and every server is ready."""
        self.embedded.ensure()
        with self.guard:
            begun = all(one.has_begun and not one.asked_until for one in self.players)
        with contextlib.suppress(httpx.TransportError):
            answers = [httpx.get(f"{url}/health/ready", timeout=15) for url in self.urls]
            return begun and all(answer.status_code == 200 for answer in answers)
        return False

    def end(self) -> None:
        """End every process in good order, and note what does not."""
        self.over.set()
        self.keeping.join()
        for player in self.players:
            player.ask_to_end()
        for player in self.players:
            with contextlib.suppress(subprocess.TimeoutExpired):
                player.process.wait(STOP_SECONDS_MAX)
            if player.process.poll() != 0:
                self.faults.append(f"{player.name} {player.fault() or 'did not end well'}")
                player.kill()


@contextlib.contextmanager
def raised(folder: Path, ports: list[int]) -> Iterator[Stage]:
    """A stage whose processes all run, ended with the block."""
    settings = probes.install(folder) | SETTINGS
    with (
        Embedded.start(folder / "postgres") as embedded,
        line_to(embedded.conninfo) as line,
    ):
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        settings |= {"DARKROOM_DATABASE_URL": line.conninfo, "DARKROOM_PUBLIC_URL": urls[0]}
        commands = {
            f"serve-{port}": ("serve", "--workers", "0", "--port", str(port)) for port in ports
        }
        commands |= {f"work-{number}": ("work",) for number in range(WORKERS)}
        commands |= {f"daemon-{number}": ("daemon",) for number in range(DAEMONS)}
        stage = Stage(folder, embedded, line, settings, urls)
        (folder / "logs").mkdir()
        for name, command in commands.items():
            player = Player(name, command, folder / "logs", settings)
            player.start()
            stage.players.append(player)
        stage.keeping.start()
        try:
            wait_until(stage.is_well, seconds_max=180, what="the start of every process")
            yield stage
        finally:
            stage.over.set()
            stage.keeping.join()
            for player in stage.players:
                if player.process.poll() is None:
                    os.kill(player.process.pid, signal.SIGCONT)
                    player.kill()
                player.process.wait()
