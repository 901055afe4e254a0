"""The command as a user runs it: a process of its own, in a folder of its own."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import starter


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on standard output of a command that went well."""
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """The plain error of a command that went wrong."""
        assert self.code == 1, self.out + self.err
        assert "Traceback" not in self.err
        return self.err


@dataclass(frozen=True)
class Shell:
    """A folder and an environment to run `darkroom` in."""

    folder: Path
    environment: dict[str, str]

    def __call__(self, *arguments: str) -> Done:
        """Run a command to its end."""
        with self.running(*arguments) as process:
            out, err = process.communicate(timeout=100)
        return Done(process.returncode, out, err)

    @contextlib.contextmanager
    def running(self, *arguments: str) -> Iterator[starter.Started]:
        """A command that runs, at the latest until the block ends."""
        process = starter.start(arguments, self.environment, folder=self.folder)
        try:
            yield process
        finally:
            process.end(100)


def shell(folder: Path, **settings: str) -> Shell:
    """A shell without settings of this machine but those given; no end is given notice of."""
    kept = {name: value for name, value in os.environ.items() if "DARKROOM" not in name}
    settings = {"notice_seconds": "0"} | settings
    settings = {f"DARKROOM_{name.upper()}": value for name, value in settings.items()}
    return Shell(folder, {**kept, **settings})


@pytest.fixture
def bare(tmp_path: Path) -> Shell:
    """A shell that has neither a database nor a server."""
    return shell(tmp_path)


@pytest.fixture
def darkroom(tmp_path: Path, database_conninfo: str) -> Shell:
    """A shell whose database is the test's own."""
    return shell(tmp_path, database_url=database_conninfo)


@pytest.fixture
def served(tmp_path: Path, server: Any) -> Callable[..., Shell]:
    """A shell whose server is the real one, with its key or another."""
    return lambda key=server.key: shell(tmp_path, base_url=server.url, api_key=key)
