"""Null tasks end to end: from the HTTP submit until SUCCESS, with a backend that does nothing."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path

import psycopg

import home
from caller import Caller
from home import Home
from lines import Line
from plan import Plan

_CATALOGUE = """
[NULL]
name = "Null"
backends = ["null"]
[NULL.kinds.text-to-image]
credits = 1
outputs_max = 50
"""
_TOGETHER = 50
_PAUSE_SECONDS = 0.02
_SECONDS_MAX = 60.0


def measure(plan: Plan, one: Home, where: str) -> Line:
    """Tasks a second of one server with a worker a core, whose queue is never empty."""
    with home.served(_with_null(one), os.cpu_count() or 1) as server:
        caller = Caller(server.url, one.keys(1)[0])
        caller.submit_many("NULL", _TOGETHER)  # children are loaded, statements prepared
        with psycopg.connect(one.conninfo, autocommit=True) as connection:
            done = _ended(connection, _TOGETHER)
            began = time.monotonic()
            for _ in range(plan.nulls // _TOGETHER):
                caller.submit_many("NULL", _TOGETHER)
            count = plan.nulls // _TOGETHER * _TOGETHER
            _ended(connection, done + count)
            rate = count / (time.monotonic() - began)
    note = f"{count} tasks in submits of {_TOGETHER}, {os.cpu_count()} children; no budget"
    name = f"null tasks end to end, {where}"
    return Line(name, None, "–", f"{rate:,.0f} tasks/s", rate, note=note)


def _ended(connection: psycopg.Connection, count: int) -> int:
    """Wait until so many tasks have ended well."""
    until = time.monotonic() + _SECONDS_MAX
    while True:
        asked = "SELECT count(*) FROM tasks WHERE model = 'NULL' AND status = 'SUCCESS'"
        [[done]] = connection.execute(asked).fetchall()
        if done >= count:
            return count
        if time.monotonic() > until:
            raise TimeoutError(f"{done} of {count} null tasks ended")
        time.sleep(_PAUSE_SECONDS)


def _with_null(one: Home) -> Home:
    """The home with the backend among the installed ones and its model in the catalogue."""
    package = one.folder / "null" / "null-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: null\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[darkroom.backends]\nnull = null_backend:Null\n")
    catalogue = one.folder / "null.toml"
    catalogue.write_text(_CATALOGUE)
    settings = {
        "PYTHONPATH": f"{package.parent}{os.pathsep}{Path(__file__).parent}",
        "DARKROOM_CATALOGUE_FILE": str(catalogue),
    }
    return dataclasses.replace(one, settings=one.settings | settings)
