"""What tests of the backends share: one that has its libraries and weights loaded."""

from __future__ import annotations

from typing import Any

import pytest

from darkroom.engine.backends import registry


@pytest.fixture(scope="session")
def diffusers(has_torch: None) -> Any:
    """One backend for all tests: it keeps the weights that it has loaded."""
    return registry.create("diffusers")
