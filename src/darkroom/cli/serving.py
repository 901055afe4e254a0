"""A `darkroom serve` for the quickstart: found on its port, or started as a child and ended."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import httpx

from darkroom import errors
from darkroom.config import Config

READY_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 60.0
POLL_SECONDS = 0.05
# A Darkroom that is just starting listens before it answers.
PROBE_SECONDS_MAX = 10.0
TAIL_LINES = 15
LOG_BYTES_MAX = 16 * 2**20
_READY_LINE = re.compile(r"^Darkroom serves on http://\S*:(\d+)", re.MULTILINE)
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - looked for


class Child:
    """A running `darkroom serve` whose output goes to a log in its data folder."""

    def __init__(self, settings: Config) -> None:
        self._settings = settings
        settings.data.mkdir(parents=True, exist_ok=True)
        self.log = settings.data / "serve.log"
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES_MAX:
            self.log.replace(self.log.with_suffix(".log.1"))
        environment = {**os.environ, "DARKROOM_DATA": str(settings.data)}
        environment["DARKROOM_NOTICE_SECONDS"] = "0"  # nobody stands before it
        if settings.database_url is not None:
            environment["DARKROOM_DATABASE_URL"] = settings.database_url
        command = [sys.executable, "-m", "darkroom", "serve", "--port", str(settings.port)]
        with self.log.open("ab") as log:
            self._log_at = log.tell()
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C reaches this process only, which passes on one clean end.
                start_new_session=True,
            )

    def wait_ready(self) -> str:
        """The address, once the server can take requests; raises with the log's end if it dies."""
        until = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise click.ClickException(f"Darkroom did not start.\n{self._tail()}")
            if line := _READY_LINE.search(self._said()):
                url = address(self._settings.host, int(line[1]))
                with contextlib.suppress(httpx.TransportError):
                    if _get(f"{url}/health/ready").status_code == 200:
                        return url
            time.sleep(POLL_SECONDS)
        raise click.ClickException(
            f"Darkroom was not ready within {READY_SECONDS_MAX:g} s.\n{self._tail()}"
        )

    def wait(self) -> None:
        """Wait for a KeyboardInterrupt; raises with the log's end when the server ends."""
        code = self._process.wait()
        raise click.ClickException(f"Darkroom ended by itself ({code}).\n{self._tail()}")

    def stop(self) -> None:
        """Ask the server to end and wait until it has; a second Ctrl-C ends it at once."""
        if self._process.poll() is not None:
            return
        try:
            self._process.terminate()
            code = self._process.wait(self._settings.drain_seconds + STOP_SECONDS_MAX)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            # Safe at any moment: what ran is taken back and runs again at the next start.
            self._process.kill()
            self._process.wait()
            raise
        # Before it has its handlers, the signal itself ends it.
        if code not in (0, -signal.SIGTERM):
            raise click.ClickException(f"Darkroom ended with status {code}.\n{self._tail()}")

    def _said(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self._log_at)
            return log.read(LOG_BYTES_MAX).decode("utf-8", "replace")

    def _tail(self) -> str:
        lines = self._said().splitlines()[-TAIL_LINES:]
        return "\n".join([*lines, f"(the log is {shown(self.log)})"])


@contextlib.contextmanager
def started(settings: Config) -> Iterator[Child]:
    """A child that is ended with the block."""
    child = Child(settings)
    try:
        yield child
    finally:
        child.stop()


@contextlib.contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """SIGTERM and a closed terminal are what Ctrl-C is: a KeyboardInterrupt."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def find(settings: Config) -> str | None:
    """The address of a Darkroom on the wanted port, None if nobody listens; refuses any other."""
    if settings.port == 0:
        return None
    url = address(settings.host, settings.port)
    try:
        answer = _get(f"{url}/")
        name = answer.json()["data"]["name"]
    except httpx.ConnectError:
        return None
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        name = None
    if name != "Darkroom":
        raise errors.ConfigInvalid(
            f"Port {settings.port} is taken by another program. Choose another, such as "
            f"--port {settings.port + 1 if settings.port < 65535 else 8080}."
        )
    return url


def readiness(url: str) -> dict[str, Any]:
    """What the server says of itself when it is ready."""
    data: dict[str, Any] = _get(f"{url}/health/ready").json()["data"]
    return data


def address(host: str, port: int) -> str:
    """The address by which this machine reaches a server that listens on `host`."""
    host = _EVERYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _get(url: str) -> httpx.Response:
    return httpx.get(url, timeout=PROBE_SECONDS_MAX, trust_env=False)


def shown(path: Path) -> str:
    """A path as a person reads it: relative where it lies below the current folder."""
    path = path.absolute()
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
