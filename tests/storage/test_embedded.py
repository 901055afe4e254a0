"""The embedded PostgreSQL survives, and cleans up after, every way to end one of its processes."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from postgres_processes import (
    AS_NOBODY,
    USER,
    capabilities,
    commands,
    conninfo_of,
    end,
    fill,
    postmaster,
    query,
    the,
    user,
    wait_ended,
)

from darkroom.errors import DatabaseTooNew, DatabaseTooOld, DatabaseUnavailable
from darkroom.storage import supervisor
from darkroom.storage.embedded import Embedded, programs
from ground import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def fresh() -> Iterator[Path]:
    """A folder that any user may reach; afterwards nothing runs on it."""
    top = Path(tempfile.mkdtemp(prefix="darkroom-test-"))
    top.chmod(0o755)
    yield top / "postgres"
    wait_ended(top)
    shutil.rmtree(top)


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A folder with a database and its one row, for the tests that do not break it."""
    top = Path(tempfile.mkdtemp(prefix="darkroom-test-"))
    top.chmod(0o755)
    folder = top / "postgres"
    with Embedded.start(folder) as embedded:
        query(embedded.conninfo, "CREATE TABLE kept AS SELECT 42 AS answer")
    yield folder
    wait_ended(top)
    shutil.rmtree(top)


@pytest.fixture
def embedded(made: Path) -> Iterator[Embedded]:
    with Embedded.start(made) as embedded:
        yield embedded


def is_kept(embedded: Embedded) -> bool:
    return bool(query(embedded.conninfo, "SELECT answer FROM kept") == (42,))


def test_start_keeps_data_and_stop_leaves_no_process(made: Path) -> None:
    with Embedded.start(made) as embedded:
        assert is_kept(embedded)
        assert postmaster(made)
    wait_ended(made)
    embedded.stop()


def test_database_is_utf8_sorted_by_code_point_in_utc(embedded: Embedded) -> None:
    sql = """SELECT current_database(), getdatabaseencoding(), current_setting('TimeZone'),
        current_setting('data_checksums'), current_setting('listen_addresses'), 'Z' < 'a'"""
    expected = ("darkroom", "UTF8", "UTC", "on", "", True)
    assert query(embedded.conninfo, sql) == expected


def test_use_is_shared_and_survives_the_first_user(made: Path) -> None:
    first = user(made)
    conninfo = conninfo_of(first)
    with Embedded.start(made) as second, psycopg.connect(conninfo) as connection:
        before = postmaster(made)
        end(first)
        assert is_kept(second)
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert postmaster(made) == before


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGKILL])
def test_postgres_ends_cleanly_after_a_signal_to_its_user(made: Path, kind: signal.Signals) -> None:
    process = user(made)
    assert conninfo_of(process)
    process.send_signal(kind)
    process.communicate()
    wait_ended(made)
    assert (made / "postgres.log").read_text().splitlines()[-1].endswith("system is shut down")


def test_start_during_a_stop_waits_for_it(made: Path) -> None:
    process = user(made)
    assert conninfo_of(process)
    end(process)
    with Embedded.start(made) as embedded:
        assert is_kept(embedded)


def test_users_that_start_together_share_one_postgres(fresh: Path) -> None:
    users = [user(fresh) for _ in range(3)]
    for process in users:
        assert "dbname=darkroom" in conninfo_of(process)
    assert postmaster(fresh)
    for process in users:
        end(process)


def test_killed_postgres_comes_back_with_its_data(made: Path, embedded: Embedded) -> None:
    query(embedded.conninfo, "CREATE TABLE late AS SELECT 1")
    before, owner = postmaster(made), the("supervisor.py", made)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: before not in commands(made), what="it has died")
    embedded.ensure()
    assert is_kept(embedded)
    assert the("supervisor.py", made) == owner
    query(embedded.conninfo, "DROP TABLE late")


def test_killed_supervisor_takes_postgres_along_and_ensure_brings_both_back(
    made: Path, embedded: Embedded
) -> None:
    before, owner = postmaster(made), the("supervisor.py", made)
    os.kill(owner, signal.SIGKILL)
    wait_until(lambda: owner not in commands(made), what="it has died")
    embedded.ensure()
    assert is_kept(embedded)
    assert postmaster(made) != before
    assert the("supervisor.py", made)


def test_killed_supervisor_leaves_no_postgres(made: Path, embedded: Embedded) -> None:
    os.kill(the("supervisor.py", made), signal.SIGKILL)
    wait_ended(made)


def test_supervisor_outlives_a_signal_to_everybody(made: Path, embedded: Embedded) -> None:
    before = postmaster(made)
    for kind in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(the("supervisor.py", made), kind)
    embedded.ensure()
    assert postmaster(made) == before


def test_start_stops_a_postgres_without_supervisor_first(made: Path) -> None:
    account = supervisor.account_of(made)
    orphan = supervisor.Server(made, programs(), account).postgres()
    wait_until((made / "socket/.s.PGSQL.5432").exists, what="the orphan listens")
    with Embedded.start(made) as embedded:
        assert orphan.wait(10) == 0
        assert is_kept(embedded)


def test_start_is_not_fooled_by_a_number_another_process_has(made: Path) -> None:
    uid = (made / "cluster").stat().st_uid
    prefix = ["setpriv", f"--reuid={uid}", "--clear-groups"] if os.geteuid() == 0 else []
    with subprocess.Popen([*prefix, "sleep", "60"]) as sleeper:
        (made / "cluster/postmaster.pid").write_text(f"{sleeper.pid}\n{made}/cluster\n")
        with Embedded.start(made) as embedded:
            assert is_kept(embedded)
        assert sleeper.poll() is None
        sleeper.kill()


def test_log_is_bounded(made: Path, embedded: Embedded) -> None:
    with (made / "postgres.log").open("a") as log:
        log.write("filled\n" * (supervisor.LOG_BYTES_MAX // 7 + 1))
    wait_until((made / "postgres.log.1").exists, what="the old log is kept")
    wait_until(lambda: (made / "postgres.log").stat().st_size < 1000, what="the log is short")
    query(embedded.conninfo, "DO $$ BEGIN RAISE WARNING 'written later'; END $$")
    assert "written later" in (made / "postgres.log").read_text()


def test_kill_during_the_making_leaves_no_half_cluster(fresh: Path) -> None:
    process = user(fresh)
    wait_until(lambda: list(fresh.glob("unfinished-*/base/1")), what="initdb is under way")
    os.kill(the("supervisor.py", fresh), signal.SIGKILL)
    end(process)
    assert not (fresh / "cluster").exists()
    with Embedded.start(fresh) as embedded:
        assert query(embedded.conninfo, "SELECT 1") == (1,)
    assert not list(fresh.glob("unfinished-*"))


def test_long_path_with_odd_letters_is_reached_from_here_and_from_children(fresh: Path) -> None:
    folder = fresh / ("long, 'é\" " * 8) / ("x" * 100)
    with Embedded.start(folder) as embedded:
        code = "import psycopg, sys; psycopg.connect(sys.argv[1]).close()"
        subprocess.run([sys.executable, "-c", code, embedded.conninfo], check=True)


@pytest.mark.parametrize(("major", "error"), [("17", DatabaseTooOld), ("19", DatabaseTooNew)])
def test_other_major_is_refused(tmp_path: Path, major: str, error: type[Exception]) -> None:
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster/PG_VERSION").write_text(f"{major}\n")
    with pytest.raises(error, match=f"made by PostgreSQL {major}, this Darkroom has 18"):
        Embedded.start(tmp_path)
    assert not commands(tmp_path)


def test_broken_cluster_is_reported_with_the_end_of_the_log(made: Path, fresh: Path) -> None:
    shutil.copytree(made, fresh, ignore=shutil.ignore_patterns("pg_control"))
    for path in [fresh / "cluster", *(fresh / "cluster").rglob("*")]:
        shutil.copystat(made / path.relative_to(fresh), path)
        if os.geteuid() == 0:
            shutil.chown(path, "nobody", "nogroup")
    with pytest.raises(DatabaseUnavailable, match=r"(?s)could not be started.*pg_control"):
        Embedded.start(fresh)


def test_start_gives_up_after_its_bound(made: Path, embedded: Embedded) -> None:
    process = postmaster(made)
    os.kill(process, signal.SIGSTOP)
    try:
        with pytest.raises(DatabaseUnavailable, match=r"no connection within 0\.1 s"):
            embedded.ensure(start_seconds_max=0.1)
    finally:
        os.kill(process, signal.SIGCONT)


@root_only
def test_root_runs_it_as_nobody_with_no_capability(made: Path, embedded: Embedded) -> None:
    process = postmaster(made)
    assert Path(f"/proc/{process}").stat().st_uid == pwd.getpwnam("nobody").pw_uid
    assert capabilities(process) == 0
    assert "runs as user nobody" in embedded.notice


@root_only
def test_nobody_else_may_connect(made: Path, embedded: Embedded) -> None:
    code = "import psycopg, sys; psycopg.connect(sys.argv[1])"
    command = [*AS_NOBODY, sys.executable, "-c", code, embedded.conninfo]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert "Peer authentication failed" in refused.stderr


@root_only
def test_private_parents_are_passed_and_left_as_they_are(fresh: Path) -> None:
    private = fresh / "private"
    private.mkdir(parents=True)
    private.chmod(0o700)
    before = [(s.st_mode, s.st_uid, s.st_gid) for s in (private.stat(), fresh.stat())]
    with Embedded.start(private / "data/postgres") as embedded:
        assert query(embedded.conninfo, "SELECT count(*) > 0 FROM pg_ls_waldir()") == (True,)
        assert capabilities(postmaster(private)) == 1 << 2  # CAP_DAC_READ_SEARCH alone
        os.kill(the("supervisor.py", private), signal.SIGKILL)
        wait_ended(private)
    assert before == [(s.st_mode, s.st_uid, s.st_gid) for s in (private.stat(), fresh.stat())]


@root_only
def test_programs_below_a_private_folder_run(fresh: Path) -> None:
    private = fresh / "private"
    private.mkdir(parents=True)
    private.chmod(0o700)
    wheel = programs().parents[1]
    for part in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        shutil.copytree(part, private / part.name)
    code = "import sys; from pathlib import Path; from darkroom.storage.embedded import *; "
    code += "print(programs()); Embedded.start(Path(sys.argv[1])).stop()"
    process = subprocess.run(
        [sys.executable, "-c", code, fresh / "postgres"],
        env={**os.environ, "PYTHONPATH": str(private)},
        capture_output=True,
        text=True,
    )
    assert process.stdout.startswith(str(private)), process.stderr
    assert process.returncode == 0, process.stderr


@root_only
def test_barrier_is_named_when_nothing_helps(fresh: Path) -> None:
    private = fresh / "private"
    private.mkdir(parents=True)
    private.chmod(0o700)
    code = "import sys; from pathlib import Path; from darkroom.storage.embedded import Embedded; "
    code += "Embedded.start(Path(sys.argv[1]))"
    # Without setpriv on the path there is no capability to be had.
    (fresh / "test").symlink_to(shutil.which("test") or "")
    process = subprocess.run(
        [sys.executable, "-c", code, private / "postgres"],
        env={"PATH": str(fresh)},
        capture_output=True,
        text=True,
    )
    assert f"user nobody may not use {private}: run Darkroom as" in process.stderr


@root_only
def test_ordinary_user_runs_it_as_itself(fresh: Path) -> None:
    fresh.mkdir()
    shutil.chown(fresh, "nobody", "nogroup")
    process = user(fresh, *AS_NOBODY)
    assert query(conninfo_of(process), "SELECT 1") == (1,)
    uids = {Path(f"/proc/{pid}").stat().st_uid for pid in commands(fresh)}
    assert uids == {pwd.getpwnam("nobody").pw_uid}
    with Embedded.start(fresh) as root:
        end(process)
        assert query(root.conninfo, "SELECT 1") == (1,)
    again = user(fresh, *AS_NOBODY)
    assert conninfo_of(again)
    end(again)


@root_only
def test_folder_of_another_user_is_refused_clearly(made: Path) -> None:
    process = subprocess.run(
        [*AS_NOBODY, sys.executable, "-c", USER, str(made)], capture_output=True, text=True
    )
    assert "DatabaseUnavailable" in process.stderr
    assert "Permission denied" in process.stderr


@pytest.fixture
def small(fresh: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    fresh.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m,mode=755", "tmpfs", str(fresh)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount a small file system")
    yield fresh
    wait_ended(fresh)
    # The kernel lets go of an ended process's files a moment later.
    wait_until(
        lambda: not subprocess.run(["umount", str(fresh)], capture_output=True).returncode,
        what="the release of the file system",
    )


@root_only
def test_full_disk_is_reported_and_space_mends_it(small: Path) -> None:
    folder = small / "postgres"
    with pytest.raises(DatabaseUnavailable, match="The disk is full: free some space"):
        Embedded.start(folder)
    assert not list(folder.glob("unfinished-*"))
    subprocess.run(["mount", "-o", "remount,size=200m", str(small)], check=True)
    with Embedded.start(folder) as embedded:
        query(embedded.conninfo, "CREATE TABLE kept AS SELECT 42 AS answer")
    filler = fill(small)
    with pytest.raises(DatabaseUnavailable, match="The disk is full: free some space"):
        Embedded.start(folder)
    filler.unlink()
    with Embedded.start(folder) as embedded:
        assert is_kept(embedded)


@root_only
def test_disk_that_fills_under_it_is_survived(small: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=200m", str(small)], check=True)
    with Embedded.start(small / "postgres") as embedded:
        query(embedded.conninfo, "CREATE TABLE kept AS SELECT 42 AS answer")
        filler = fill(small)
        with pytest.raises(psycopg.Error):
            query(
                embedded.conninfo,
                "CREATE TABLE big AS SELECT repeat('x', 1000) FROM generate_series(1, 40000)",
            )
        filler.unlink()
        embedded.ensure()
        assert is_kept(embedded)
