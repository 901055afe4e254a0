"""The processes that use, supervise and run an embedded PostgreSQL, as the kernel shows them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg

from ground import wait_until

USER = """
import sys
from pathlib import Path
from darkroom.storage.embedded import Embedded
with Embedded.start(Path(sys.argv[1])) as embedded:
    print(embedded.conninfo, flush=True)
    sys.stdin.read()
"""
AS_NOBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
# The interpreter may lie in root's home: this lets nobody read it, and nothing more.
AS_NOBODY += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]


def commands(folder: Path) -> dict[int, str]:
    """Every process that names the folder in its command or works in it, by its id.

    One that is ending has no command any more, but may still hold the folder.
    """
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            command = os.fsdecode((entry / "cmdline").read_bytes()).replace("\0", " ")
            works_in = str((entry / "cwd").readlink())
        except (OSError, ValueError):
            continue  # ended meanwhile, no process, or another user's
        if f"{folder}/" in f"{command} {works_in}/".replace(f"{folder} ", f"{folder}/"):
            found[int(entry.name)] = command
    mine = {os.getpid(), os.getppid()}
    return {pid: text for pid, text in found.items() if pid not in mine}


def wait_ended(folder: Path) -> None:
    wait_until(lambda: not commands(folder), what="the end of every process")


def the(kind: str, folder: Path) -> int:
    """The id of the folder's one `supervisor.py` or `/postgres -D`."""
    pids = {pid for pid, text in commands(folder).items() if kind in text}
    # A child looks like its parent until it has its own program or title.
    (pid,) = (pid for pid in pids if parent(pid) not in pids | {0})
    return pid


def parent(pid: int) -> int:
    """The parent's id, 0 when the process has ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def postmaster(folder: Path) -> int:
    return the("/postgres -D", folder)


def capabilities(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("CapEff:")[1].split()[0], 16)


def query(conninfo: str, sql: Any) -> Any:
    with psycopg.connect(conninfo) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchone() if cursor.description else None


def user(folder: Path, *prefix: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", USER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def fill(disk: Path) -> Path:
    """Leave no byte free; the file to remove again."""
    filler = disk / "filler"
    with filler.open("wb") as out:
        os.posix_fallocate(out.fileno(), 0, shutil.disk_usage(disk).free)
    return filler


def conninfo_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
