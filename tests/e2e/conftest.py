"""The house that a story happens in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_house import House

import probes
from ground import Ground


@pytest.fixture
def house(ground: Ground, tmp_path: Path) -> Iterator[House]:
    """A house over a database of its own, with the probe among its models, audited at the end."""
    one = House(
        ground,
        tmp_path,
        {
            **probes.install(tmp_path),
            "DARKROOM_DATABASE_URL": ground.conninfo,
            "DARKROOM_PORT": "0",
            "DARKROOM_LEASE_SECONDS": "2",
            "DARKROOM_WORKERS": "2",
            # Nothing but the probe need be loaded, and nothing stands in for a missing backend.
            "DARKROOM_SANDBOX": "false",
        },
    )
    try:
        yield one
    finally:
        one.close()
