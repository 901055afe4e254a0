"""What a start loads: nothing that another process, or only some of the tasks, need."""

from __future__ import annotations

import subprocess
import sys

import pytest

_MODELS = {"av", "cv2", "numpy", "torch"}
_WORKER = (
    "import darkroom.cli.processes\n"
    "from darkroom.engine.backends import registry\n"
    "registry.remotes()"
)


@pytest.mark.parametrize(
    ("started", "others"),
    [
        ("import darkroom.cli.main", {"httpx", "msgspec", "psycopg", "rich"}),
        ("import darkroom.engine.child", {"asyncio", "click", "httpx", "psycopg"} | _MODELS),
        (_WORKER, {"jinja2", "starlette", "uvicorn", "darkroom.api", "darkroom.console"} | _MODELS),
        ("import darkroom.cli.server", {"authlib", "obstore", "stripe"} | _MODELS),
    ],
    ids=["command", "child", "worker", "server"],
)
def test_a_start_loads_what_it_needs(started: str, others: set[str]) -> None:
    told = subprocess.run(
        [sys.executable, "-c", f"{started}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert others.isdisjoint(told.stdout.split())
