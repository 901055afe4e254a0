"""Callers of the one server, closed when their test ends."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import httpx
import pytest

from ground import Server


@pytest.fixture
def callers(server: Server) -> Iterator[Callable[..., httpx.Client]]:
    """Makes callers, each with a fresh account: of `credits_given` and a `wire`."""
    with contextlib.ExitStack() as opened:
        yield lambda *given, **named: opened.enter_context(server.caller(*given, **named))


@pytest.fixture
def caller(callers: Callable[..., httpx.Client]) -> httpx.Client:
    """A caller with a fresh account of 1000 credits."""
    return callers()
