"""The house that a story happens in, and a ComfyUI for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kitchens import Double, Kitchen

from ground import Ground


@pytest.fixture
def kitchen(ground: Ground, tmp_path: Path) -> Iterator[Kitchen]:
    """A house over a database of its own, without models yet."""
    one = Kitchen(ground, tmp_path)
    try:
        yield one
    finally:
        one.close()


@pytest.fixture
def double(kitchen: Kitchen) -> Double:
    """A running double of ComfyUI."""
    return kitchen.double()
