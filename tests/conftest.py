"""What every test may use: a fresh migrated database, a real server, an account with a key."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import fcntl
import importlib.util
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import certifi
import pytest
from hypothesis import settings
from psycopg.conninfo import make_conninfo

from buckets import CREDENTIALS, OTHER, S3, run_s3
from darkroom.engine.backends import registry
from darkroom.storage import migrate
from darkroom.storage.embedded import Embedded
from ground import Ground, Server, create_database, fresh_database, serve, wait_until
from receivers import certify
from stripes import Stripe, run_stripe

__all__ = ["wait_until"]

_END = "-----END CERTIFICATE-----\n"
# Every client of httpx, in the tests and in what they start, would read all authorities of the
# machine, 70 ms of work each; nothing here speaks to anybody whom one of them vouches for. One is
# left, since the library of buckets wants to find any.
_AUTHORITY = Path(tempfile.mkdtemp(prefix="darkroom-authority-")) / "one.pem"
_AUTHORITY.write_text(certifi.contents().partition(_END)[0] + _END)
atexit.register(shutil.rmtree, _AUTHORITY.parent, ignore_errors=True)
os.environ["SSL_CERT_FILE"] = str(_AUTHORITY)
os.environ.pop("SSL_CERT_DIR", None)
# As in a child, so that each of several test processes does not wake threads for every core: what
# they wait for each other is a quarter of the work. Read when the libraries are imported.
os.environ |= dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), "1"
)

# No example fails by the clock: a busy machine may stop anywhere for a moment.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# A file system in memory, where copying and dropping a database waits for no disk: a sixth of
# the time, and what is proved over it does not hang on durability.
_MEMORY = Path("/dev/shm")
_MEMORY_BYTES_MIN = 4 << 30


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Conninfo of a PostgreSQL: that of DARKROOM_TEST_DATABASE_URL, or an embedded one."""
    if given := os.environ.get("DARKROOM_TEST_DATABASE_URL"):
        yield given
        return
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _MEMORY_BYTES_MIN
    place = _MEMORY if roomy else None
    with (
        tempfile.TemporaryDirectory(dir=place, ignore_cleanup_errors=True) as folder,
        Embedded.start(Path(folder) / "postgres") as embedded,
    ):
        yield embedded.conninfo


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """Name of a migrated database that is never used itself, only copied."""
    name = f"darkroom_template_{os.getpid()}"
    create_database(postgres, name, None)
    asyncio.run(migrate.migrate(make_conninfo(postgres, dbname=name)))
    return name


@pytest.fixture
def database_conninfo(postgres: str, template: str) -> Iterator[str]:
    """Conninfo of an empty migrated database of the test's own."""
    yield from fresh_database(postgres, template)


@pytest.fixture
def ground(database_conninfo: str) -> Iterator[Ground]:
    """A database of the test's own, audited when the test ends."""
    one = Ground(database_conninfo)
    yield one
    assert one.audit() == []


@pytest.fixture(scope="module")
def shared_ground(postgres: str, template: str) -> Iterator[Ground]:
    """A database for tests of a module that only read the many rows laid out in it; audited."""
    databases = fresh_database(postgres, template)
    one = Ground(next(databases))
    yield one
    assert one.audit() == []
    next(databases, None)


@pytest.fixture(scope="session")
def server(
    postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One real server for the whole run; tests make accounts of their own."""
    databases = fresh_database(postgres, template)
    ground = Ground(next(databases))
    served = serve(ground.conninfo, tmp_path_factory.mktemp("server"), workers="2")
    account = ground.account()
    key = ground.key(account.id)
    yield Server(served.url, key, account.id, ground, served.log.parent)
    served.stop()
    assert ground.audit() == []
    next(databases, None)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of files.example, with its key, in one file."""
    return certify(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3]:
    """A server that speaks S3's protocol, as a process; or the one that is named."""
    with contextlib.nullcontext(S3(OTHER)) if OTHER else run_s3() as one:
        yield one


@pytest.fixture
def s3(s3_server: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """A fresh bucket, and the credentials to it in this process's environment."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return s3_server.with_bucket()


@pytest.fixture(scope="session")
def stripe_server() -> Iterator[Stripe]:
    """A double of Stripe, as a process."""
    yield from run_stripe()


@pytest.fixture(scope="module")
def shop(
    postgres: str, template: str, stripe_server: Stripe, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A real server that sells through Stripe, with a database of its own."""
    databases = fresh_database(postgres, template)
    ground = Ground(next(databases))
    folder = tmp_path_factory.mktemp("shop")
    served = serve(ground.conninfo, folder, workers="0", **stripe_server.settings)
    account = ground.account()
    yield Server(served.url, ground.key(account.id), account.id, ground, folder)
    served.stop()
    assert ground.audit() == []
    next(databases, None)


@pytest.fixture(scope="session")
def has_torch() -> Iterator[None]:
    """Torch and diffusers are installed; required where DARKROOM_TEST_TORCH says so."""
    missing = [name for name in ("torch", "diffusers") if not importlib.util.find_spec(name)]
    if missing:
        assert "DARKROOM_TEST_TORCH" not in os.environ, f"{missing} are not installed"
        pytest.skip("no torch and diffusers here: no model is run (docs/howto/diffusers.md)")
    with pytest.MonkeyPatch.context() as patch:
        # Read when the libraries are imported: no test asks a hub.
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="session")
def tiny(has_torch: None, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny pipeline by its name; those who run tests side by side share them.

    Torch takes its time: who finds the folder there is spared it.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "pipelines"
    folder.mkdir(exist_ok=True)

    def made(name: str) -> Path:
        with (folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / name).exists():
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    # With it come the libraries, as quickly as may be.
                    registry.create("diffusers")
                    import tiny_pipelines

                    tiny_pipelines.save(folder, name)
        return folder / name

    return made
