"""The house that a story happens in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_house import House, opened

from ground import Ground


@pytest.fixture
def house(ground: Ground, tmp_path: Path) -> Iterator[House]:
    """A house over a database of its own, audited at the end."""
    with opened(ground, tmp_path) as one:
        yield one
