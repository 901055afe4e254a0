"""The torture at a small size; `tests/torture/run --minutes 10 --seed 7` is any other."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parent / "run"


@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", [1])
def test_no_word_is_broken_by_kills_freezes_restarts_and_cuts(seed: int) -> None:
    told = subprocess.run(
        [RUN, "--minutes", "0.3", "--seed", str(seed)], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, f"{told.stdout}\n{told.stderr[-8000:]}"
