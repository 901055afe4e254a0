"""The bench of diffusers runs on a toy and answers a ratio; its figures are not looked at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_BENCH = Path(__file__).resolve().parents[2] / "bench" / "measure_diffusers.py"


@pytest.mark.timeout(300)
def test_the_toy_is_measured_beside_a_bare_loop(has_torch) -> None:
    done = subprocess.run(
        [sys.executable, _BENCH, "--tiny", "--pictures", "8", "--steps", "2"],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["architecture"] == "toy"
    assert all(rate > 0 for rate in found["pictures_per_second"].values())
    assert found["ratio_one_caller"] > 0
    assert found["ratio_8_callers"] > 0
    assert found["ratio_together"] > 0
