"""Visitors of the one server's console: signed-in HTTP clients, and a real browser."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from account_houses import House, housed
from console_visitors import Visitor, token_for
from desk_stories import admin_id
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from ground import Server

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture
def visitors(server: Server) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors: of a fresh account, of the account given, or of nobody."""
    with contextlib.ExitStack() as opened:

        def made(
            account_id: str | None = None, *, credits_given: int = 1000, is_signed_in: bool = True
        ) -> Visitor:
            visitor = opened.enter_context(Visitor(base_url=server.url, timeout=30))
            if is_signed_in:
                visitor.account_id = account_id or server.ground.account(credits_given).id
                visitor.cookies.set("darkroom", token_for(server, visitor.account_id))
            return visitor

        yield made


@pytest.fixture
def visitor(visitors: Callable[..., Visitor]) -> Visitor:
    """A visitor signed in as a fresh account of 1000 credits."""
    return visitors()


@pytest.fixture
def admin(visitors: Callable[..., Visitor], server: Server) -> Visitor:
    """A visitor signed in as an admin."""
    return visitors(admin_id(server))


@pytest.fixture(scope="module")
def house(
    postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """A server that sends letters."""
    with housed(postgres, template, tmp_path_factory.mktemp("house")) as one:
        yield one


# Of one module, for while it is open an event loop runs in this thread.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium; required where DARKROOM_TEST_BROWSER says so, else skipped if missing."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        assert "DARKROOM_TEST_BROWSER" not in os.environ, "there is no Chromium on this machine"
        pytest.skip("no Chromium on this machine: the console is not driven by a real browser")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def browser_page(browser: Browser, server: Server) -> Iterator[Page]:
    """A page of a fresh browser; what its console says in red fails the test."""
    context = browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(15_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def hear(said: ConsoleMessage) -> None:
        # What htmx says of its own is that a page was left while a part of it was on its way.
        if said.type == "error" and not said.text.startswith("htmx:"):
            complaints.append(said.text)

    page.on("console", hear)
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def signed_in_page(browser_page: Page, server: Server) -> Page:
    """A browser's page signed in as a fresh account of 1000 credits."""
    token = token_for(server, server.ground.account().id)
    browser_page.context.add_cookies([{"name": "darkroom", "value": token, "url": server.url}])
    return browser_page
