"""The house that a story happens in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_house import House

from ground import Ground, install_probe

CATALOGUE = """
[PROBE]
name = "Probe"
backends = ["probe"]
[PROBE.kinds.text-to-image]
credits = 2
outputs_max = 64
[PROBE.kinds.image-to-image]
credits = 2
"""


@pytest.fixture
def house(ground: Ground, tmp_path: Path) -> Iterator[House]:
    """A house over a database of its own, with the probe among its models, audited at the end."""
    (tmp_path / "catalogue.toml").write_text(CATALOGUE)
    (tmp_path / "marks").mkdir()
    one = House(
        ground,
        tmp_path,
        {
            **os.environ,
            "PYTHONPATH": install_probe(tmp_path),
            "PROBE_MARKS": str(tmp_path / "marks"),
            "DARKROOM_DATABASE_URL": ground.conninfo,
            "DARKROOM_DATA": str(tmp_path / "data"),
            "DARKROOM_CATALOGUE_FILE": str(tmp_path / "catalogue.toml"),
            "DARKROOM_PORT": "0",
            "DARKROOM_NOTICE_SECONDS": "0",
            "DARKROOM_LEASE_SECONDS": "2",
            "DARKROOM_WORKERS": "2",
        },
    )
    try:
        yield one
    finally:
        one.close()
