"""The torture of webhooks at a small size; `tests/torture/webhooks --tasks 10000` is any other."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parent / "webhooks"


@pytest.mark.timeout(400)
def test_every_end_arrives_whatever_receivers_do_and_whoever_is_killed() -> None:
    told = subprocess.run(
        [RUN, "--tasks", "300", "--seed", "1"], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, f"{told.stdout}\n{told.stderr[-8000:]}"
    assert "all arrived" in told.stdout
