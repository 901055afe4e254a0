"""Callers of the one server, closed when their test ends."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import httpx
import pytest
from wire_calls import balance, rows

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


@pytest.fixture(scope="module")
def careful(server: Server) -> Iterator[httpx.Client]:
    """A caller whose every request is refused: at the end nothing of it may be found."""
    account = server.ground.account(credits_given=1000)
    with server.client(server.ground.key(account.id)) as caller:
        yield caller
        assert balance(caller) == 1000
    for table in ("batches", "tasks", "holds", "assets"):
        assert not rows(server, f"SELECT * FROM {table} WHERE account_id = %s", account.id)
    assert len(rows(server, "SELECT 1 FROM ledger_entries WHERE account_id = %s", account.id)) == 1
