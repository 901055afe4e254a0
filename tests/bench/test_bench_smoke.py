"""The bench passes every measure and answers a well-formed table; its figures are not looked at."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).resolve().parents[2]
# Rows of the design's table of budgets, submit and status with two each, and four more.
_LINES = 12
# A minute and a half on two idle cores; other tests run beside it.
_SECONDS_MAX = 400

pytestmark = pytest.mark.timeout(_SECONDS_MAX + 20)


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    """What the shortest pass prints as JSON."""
    done = subprocess.run(
        [_ROOT / "bench" / "run", "--smoke", "--json"],
        capture_output=True,
        text=True,
        timeout=_SECONDS_MAX,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_bench_measures_every_budget(said: dict[str, Any]) -> None:
    lines = said["lines"]
    assert len({line["path"] for line in lines}) == len(lines) == _LINES
    assert all(line["figure"] > 0 for line in lines)
    assert all(line["budget"]["bound"] > 0 for line in lines if line["budget"])
    assert all(line["low"] <= line["high"] for line in lines if line["low"] is not None)


def test_bench_names_the_machine(said: dict[str, Any]) -> None:
    assert {"date", "cores", "versions", "load"} <= said["machine"].keys()
    assert all(said["machine"].values())
