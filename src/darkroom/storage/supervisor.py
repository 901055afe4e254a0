"""The small process that owns the embedded PostgreSQL: starts, restarts and at the end stops it.

It is run as a script, by its path and without site-packages (about 12 MB): standard library only.
Three locks on files, which the kernel drops when their holder dies however it dies, say who lives:

users.lock       held shared by every process that uses the server; when the supervisor gets it
                 exclusively nobody uses the server any more, so it stops PostgreSQL and ends
supervisor.lock  held exclusively by the supervisor; whoever starts it takes the lock first and
                 passes it on as an open file, so that two supervisors can never be started
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEVNULL = subprocess.DEVNULL
Command = list[str | Path]

USERS_LOCK = "users.lock"
SUPERVISOR_LOCK = "supervisor.lock"
LOG = "postgres.log"
CLUSTER = "cluster"
UNFINISHED = "unfinished-"
SOCKET = "socket"
PORT = 5432
NAME = "darkroom"  # the database, and the role that owns it
ROOTS_USER = "nobody"

POLL_SECONDS = 0.2
STEADY_SECONDS = 10.0
FAILURES_MAX = 6
STOP_SECONDS_MAX = 60.0
QUIT_SECONDS_MAX = 10.0
LOG_BYTES_MAX = 8 << 20

INITDB = (
    f"--username={NAME}",
    "--encoding=UTF8",
    # PostgreSQL's own C.UTF-8: the same order of texts on every machine and after every upgrade.
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-locale",
    "--data-checksums",
    "--auth=peer",
    "--no-instructions",
    # Synced once, when the database has been made too.
    "--no-sync",
)
SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    # Relative to the cluster, where PostgreSQL works: the path always fits into a socket address.
    "unix_socket_directories": f"../{SOCKET}",
    "unix_socket_permissions": "0700",
    "max_connections": "120",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # Nothing is replicated from here, so the log need hold only what recovery needs.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "wal_compression": "on",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_checkpoints": "off",
}


class Failed(Exception):
    """PostgreSQL cannot be run; the text says why and what to do."""


def try_lock(file: int, kind: int) -> bool:
    """Take the lock (LOCK_SH or LOCK_EX) on an open file if nobody is in the way."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def open_ours(path: Path, flags: int) -> int:
    """Open or make a file of mode 0600 that belongs to the owner of its folder, never a link."""
    file = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    owner = path.parent.stat()
    if os.geteuid() == 0 and os.fstat(file).st_uid != owner.st_uid:
        # Else a first start by root would lock the folder's owner out.
        os.fchown(file, owner.st_uid, owner.st_gid)
    return file


def account_of(folder: Path) -> pwd.struct_passwd:
    """Who runs PostgreSQL: this user; for root, which it refuses, the cluster's owner or nobody."""
    uid = os.geteuid()
    cluster = folder / CLUSTER
    if uid == 0 and cluster.is_dir():
        uid = cluster.stat().st_uid
    try:
        return pwd.getpwuid(uid) if uid else pwd.getpwnam(ROOTS_USER)
    except KeyError:
        raise Failed(
            f"user {uid or ROOTS_USER} has no entry in /etc/passwd, which PostgreSQL needs: add "
            "one, or use another PostgreSQL with DARKROOM_DATABASE_URL"
        ) from None


def say(text: str) -> None:
    """Write a line to the log."""
    line = f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC supervisor: {text}\n"
    try:
        os.write(2, line.encode("utf-8", "replace"))
    except OSError:
        # A full disk: PostgreSQL has to be looked after all the same.
        return


@dataclass
class Server:
    """PostgreSQL's programs, and where and as whom they run."""

    folder: Path
    programs: Path
    account: pwd.struct_passwd
    capability: str | None = None

    @property
    def cluster(self) -> Path:
        return self.folder / CLUSTER

    def launch(
        self, command: Command, signal_at_death: str, stdin: int = DEVNULL, *, quiet: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start a program as the account; on Linux it gets the signal when this process dies."""
        root = os.geteuid() == 0
        uid, gid = self.account.pw_uid, self.account.pw_gid
        options: dict[str, Any] = {
            "stdin": stdin,
            "stdout": DEVNULL,
            "stderr": DEVNULL if quiet else None,
            "env": {k: v for k, v in os.environ.items() if not k.startswith("PG")},
        }
        prefix: Command = []
        if setpriv := shutil.which("setpriv"):
            # It sets the signal last; a change of user after that would clear it.
            prefix = [setpriv, "--pdeathsig", signal_at_death]
            if root:
                prefix += [f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
            if self.capability:
                only = self.capability
                prefix += [f"--inh-caps=-all,+{only}", f"--ambient-caps=+{only}"]
                # Else access(2), with which initdb looks for its sibling, would not count it.
                prefix += ["--securebits=+no_setuid_fixup"]
            prefix += ["--"]
        elif root:
            # No Linux, or a bare one: the next supervisor stops what outlives this one.
            options |= {"user": uid, "group": gid, "extra_groups": []}
        return subprocess.Popen([*prefix, *command], **options)  # noqa: S603 - the wheel's programs

    def reaches(self) -> bool:
        """Whether the account can run the programs and enter the folder."""
        commands: list[Command] = [
            # It loads a library from beside the programs: to be executed alone proves nothing.
            [self.programs / "initdb", "--version"],
            ["test", "-d", self.folder / SOCKET],
        ]
        return all(self.launch(one, "KILL", quiet=True).wait() == 0 for one in commands)

    def barrier(self) -> Path:
        """The first folder on the way that the account may not enter; else the program itself."""
        ways = [(*reversed(end.parents), end) for end in (self.folder, self.programs)]
        folders = [folder for way in ways for folder in way]
        tests: list[Command] = [["test", "-x", folder] for folder in folders]
        blocked = (self.launch(test, "KILL", quiet=True).wait() for test in tests)
        found = (folder for folder, is_so in zip(folders, blocked, strict=True) if is_so)
        return next(found, self.programs / "postgres")

    def open_the_way(self) -> None:
        """As root: let the account through our own folder; past a private parent by a capability.

        No parent's permissions are touched. Raises Failed when there is no way.
        """
        if os.geteuid():
            return
        own = self.folder.stat()
        if own.st_uid != self.account.pw_uid and not own.st_mode & 0o001:
            os.chown(self.folder, -1, self.account.pw_gid)
            self.folder.chmod(own.st_mode & 0o777 | 0o010)
        os.chown(self.folder / SOCKET, self.account.pw_uid, self.account.pw_gid)
        # Without need, no capability; the second is for containers that lack the first.
        for self.capability in (None, "dac_read_search", "dac_override"):
            if self.reaches():
                break
        else:
            self.capability = None
            raise Failed(
                f"PostgreSQL refuses root, and user {self.account.pw_name} may not use "
                f"{self.barrier()}: run Darkroom as an ordinary user, or put its data (and its "
                "programs) outside of that folder, the data with --data"
            )
        passing = f" with the capability {self.capability}, to pass private parent folders"
        who = self.account.pw_name + passing * bool(self.capability)
        say(f"PostgreSQL refuses root, so it runs as user {who}")

    def admit(self) -> None:
        """Write who may connect: over the socket, by the user id the kernel reports.

        The socket's folder is private already. `peer` also keeps out other processes of a shared
        account such as nobody: only root, this user and a cluster's own user become `darkroom`.
        """
        names = {pwd.getpwuid(0).pw_name, pwd.getpwuid(os.geteuid()).pw_name}
        if self.account.pw_name != ROOTS_USER:
            names.add(self.account.pw_name)
        users = "".join(f'{NAME} "{name}" {NAME}\n' for name in sorted(names))
        for name, text in (("hba", f"local all all peer map={NAME}\n"), ("ident", users)):
            file = open_ours(self.folder / f"{name}.conf", os.O_WRONLY | os.O_TRUNC)
            with os.fdopen(file, "w", encoding="utf-8") as out:
                out.write(text)
                if os.geteuid() == 0:
                    os.fchown(file, -1, self.account.pw_gid)
                    os.fchmod(file, 0o640)

    def make_cluster(self) -> None:
        """Make the cluster beside its place and rename it when it is whole and on the disk."""
        for left in self.folder.glob(f"{UNFINISHED}*"):
            shutil.rmtree(left, ignore_errors=True)
        if self.cluster.exists():
            return
        new = self.folder / f"{UNFINISHED}{os.getpid()}"
        new.mkdir(mode=0o700)
        try:
            if os.geteuid() == 0:
                os.chown(new, self.account.pw_uid, self.account.pw_gid)
            initdb = self.programs / "initdb"
            create = f"CREATE DATABASE {NAME} STRATEGY file_copy;\n".encode()
            self.check([initdb, *INITDB, "-D", new])
            single: Command = [self.programs / "postgres", "--single", "-F", "-D", new]
            self.check([*single, "-c", "log_checkpoints=off", "postgres"], create)
            self.check([initdb, "--sync-only", "-D", new])
            new.rename(self.cluster)
        except (Failed, OSError):
            shutil.rmtree(new, ignore_errors=True)
            raise
        folder = os.open(self.folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def check(self, command: Command, text: bytes = b"") -> None:
        """Run a program of the wheel to its end; raise Failed when it fails."""
        program = self.launch(command, "KILL", subprocess.PIPE)
        program.communicate(text)
        if program.returncode:
            raise Failed(f"{Path(command[0]).name} failed: no database was made")

    def postgres(self) -> subprocess.Popen[bytes]:
        """Start PostgreSQL on the cluster."""
        settings = {
            **SETTINGS,
            "hba_file": str(self.folder / "hba.conf"),
            "ident_file": str(self.folder / "ident.conf"),
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command: Command = [self.programs / "postgres", "-D", self.cluster, *options]
        # SIGINT is PostgreSQL's fast shutdown.
        return self.launch(command, "INT")


def is_postmaster(pid: int, cluster: Path) -> bool:
    """Whether the process runs now and is the PostgreSQL of this cluster, not a later namesake."""
    try:
        if Path("/proc/self").exists():
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
        else:
            ps = ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)]
            told = subprocess.run(ps, capture_output=True, check=False)  # noqa: S603 - a number
            command = told.stdout
    except (FileNotFoundError, ProcessLookupError):
        return False
    return os.fsencode(f"/postgres -D {cluster} -c ") in command


def end_orphan(cluster: Path) -> None:
    """Stop a PostgreSQL that outlived its supervisor; remove what a dead one left behind."""
    note = cluster / "postmaster.pid"
    if not note.exists():
        return
    first = note.read_text(encoding="utf-8", errors="replace").split("\n", 1)[0]
    pid = int(first) if first.isdecimal() else 0
    for kind, seconds_max in (
        (signal.SIGINT, STOP_SECONDS_MAX),
        (signal.SIGQUIT, QUIT_SECONDS_MAX),
        (signal.SIGKILL, QUIT_SECONDS_MAX),
    ):
        until = time.monotonic() + seconds_max
        if pid and is_postmaster(pid, cluster):
            say(f"a PostgreSQL without a supervisor runs (process {pid}): {kind.name}")
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, kind)
        while pid and is_postmaster(pid, cluster) and time.monotonic() < until:
            time.sleep(0.02)
    # PostgreSQL would believe a number that another process of the same user has by now.
    note.unlink(missing_ok=True)


def stop(postgres: subprocess.Popen[bytes]) -> None:
    """End PostgreSQL: fast, then at once, then by force, each within its bound."""
    for kind, seconds_max in (
        (signal.SIGINT, STOP_SECONDS_MAX),
        (signal.SIGQUIT, QUIT_SECONDS_MAX),
        (signal.SIGKILL, QUIT_SECONDS_MAX),
    ):
        postgres.send_signal(kind)
        try:
            postgres.wait(seconds_max)
        except subprocess.TimeoutExpired:
            say(f"PostgreSQL did not end within {seconds_max:.0f} s after {kind.name}")
        else:
            return


def bound_log(folder: Path) -> None:
    """Keep the log and the one before it, each of at most 8 MB (and what a poll's time adds)."""
    if os.fstat(2).st_size < LOG_BYTES_MAX:
        return
    try:
        kept = open_ours(folder / f"{LOG}.1", os.O_WRONLY | os.O_TRUNC)
        with (folder / LOG).open("rb") as log, os.fdopen(kept, "wb") as out:
            shutil.copyfileobj(log, out)
    except OSError as error:
        say(f"the old log could not be kept: {error}")
    # Its writers append, so they go on at the new end.
    os.ftruncate(2, 0)


def supervise(server: Server, users: int) -> None:
    """Keep PostgreSQL running while somebody uses it; raise Failed when it cannot be started."""
    server.open_the_way()
    server.admit()
    server.make_cluster()
    failures = 0
    while failures < FAILURES_MAX:
        time.sleep(failures and 0.05 * 2**failures)
        end_orphan(server.cluster)
        started_at = time.monotonic()
        postgres = server.postgres()
        while postgres.poll() is None:
            if try_lock(users, fcntl.LOCK_EX):
                stop(postgres)
                return
            bound_log(server.folder)
            time.sleep(POLL_SECONDS)
        failures = 1 if time.monotonic() - started_at > STEADY_SECONDS else failures + 1
        say(f"PostgreSQL ended by itself with status {postgres.returncode}")
        if try_lock(users, fcntl.LOCK_EX):
            return
    raise Failed(f"PostgreSQL ended {failures} times in a row: given up")


def main(folder: Path, programs: Path, lock: int) -> int:
    """Detach, then supervise the folder's PostgreSQL; `lock` is supervisor.lock, open and held."""
    if os.fork():
        return 0
    os.set_inheritable(lock, False)
    # Its life is its users': a signal to the whole group or at a shutdown reaches them as well.
    for kind in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, lambda *_: None)
    os.umask(0o077)
    os.chdir("/")
    users = open_ours(folder / USERS_LOCK, os.O_RDWR)
    try:
        supervise(Server(folder, programs, account_of(folder)), users)
    except (Failed, OSError) as error:
        say(str(error))
        return 1
    finally:
        # This one first: who then gets users.lock must not take us for alive.
        os.close(lock)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
