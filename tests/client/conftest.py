"""The scripted server, and both colours of the client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from scripted import COLOURS, Scripted


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    """A server whose answers the test sets."""
    server = Scripted()
    yield server
    server.close()


@pytest.fixture(params=COLOURS, ids=lambda colour: colour.__name__)
def colour(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """A function that runs a story with a client of one colour."""
    return request.param


@pytest.fixture
def ask(scripted: Scripted, colour: Callable[..., Any]) -> Callable[..., Any]:
    """What a story does with a client of the scripted server, in both colours."""
    return lambda story, **settings: colour(scripted.url, story, **settings)
