"""The service that a module or a test is about, and stories of tasks that it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from wires import Story, Upstream

from ground import Ground


@pytest.fixture
def wire(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    """The service: the test's parameter, else the module's `WIRE`."""
    service = getattr(request, "param", None) or request.module.WIRE
    monkeypatch.setenv(service.variable, service.key)
    with service().running() as one:
        yield one


@pytest.fixture
def story(ground: Ground, tmp_path: Path, wire: Upstream) -> Story:
    """A task for its remote."""
    return Story(ground, tmp_path, wire.remote())
