"""Documents in the console: all of them, with the reader's address, and links that lead on."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from console_visitors import Visitor
from playwright.sync_api import Page, expect

from darkroom.api.app import ROUTES
from darkroom.console import markdown
from ground import Server

ROOT = Path(__file__).parents[2]
KEY = f"sk-{'0123456789ab' * 4}"


@pytest.fixture
def stranger(visitors: Callable[..., Visitor]) -> Visitor:
    return visitors(is_signed_in=False)


def test_every_document_is_a_page_for_everybody(stranger: Visitor) -> None:
    written = {
        str(file.relative_to(ROOT / "docs").with_suffix("")) for file in ROOT.glob("docs/**/*.md")
    }
    assert written == {*markdown.shelf()}
    for name in written:
        answer = stranger.get(f"/docs/{name}", headers={"Accept": "text/html"})
        assert answer.status_code == 200
        assert "style=" not in answer.text
    assert stranger.get("/docs").text.count("<h1") == 1


def test_links_lead_to_documents_and_headings_that_are_there(stranger: Visitor) -> None:
    pages = {f"/docs/{name}": stranger.get(f"/docs/{name}").text for name in markdown.shelf()}
    pages["/docs"], pages["/docs/api"] = stranger.get("/docs").text, stranger.get("/docs/api").text
    lost = []
    for path, page in pages.items():
        for href in re.findall(r'href="((?:/docs|#)[^"?]*)"', page):
            target, _, mark = href.partition("#")
            there = pages.get(target or path)
            if there is None or (mark and f'id="{mark}"' not in there):
                lost.append((path, href))
    assert lost == []


def test_examples_name_the_address_of_this_server(stranger: Visitor, server: Server) -> None:
    for path in ("/docs", "/docs/api"):
        page = stranger.get(path).text
        assert f"{server.url}/v1/generation/text-to-image" in page
        assert markdown.ADDRESS not in page or server.url == markdown.ADDRESS


def test_the_reference_has_every_route_and_field(stranger: Visitor) -> None:
    page = stranger.get("/docs/api").text
    for route in ROUTES:
        assert f'<code class="wrap">{route.path}</code>' in page
        assert route.summary in page.replace("&#39;", "'").replace("&#34;", '"')
    for text in ("aspect_ratio", "up to 2000 characters", "Idempotency-Key", "at most 86400"):
        assert text in page


def test_a_search_finds_headings_and_routes(stranger: Visitor) -> None:
    page = stranger.get("/docs/search", params={"q": "Flask webhooks"}).text
    assert "/docs/howto/webhooks#flask" in page
    assert "/docs/api#get_v1_history" in stranger.get("/docs/search?q=/v1/history").text
    for nothing in ("<b>zzz</b>", "", "\x00"):
        answer = stranger.get("/docs/search", params={"q": nothing})
        assert (answer.status_code, "<b>zzz" in answer.text) == (200, False)


@pytest.mark.parametrize("path", ["/docs/nothing", "/docs/howto/nothing", "/docs/%2e%2e/README"])
def test_what_is_no_document_is_not_there(stranger: Visitor, path: str) -> None:
    assert stranger.get(path, headers={"Accept": "text/html"}).status_code == 404


def test_a_wheel_brings_the_documents(tmp_path: Path) -> None:
    built = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(built, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"darkroom/docs/quickstart.md", "darkroom/docs/howto/webhooks.md"} <= {*names}


def test_a_reader_s_key_fills_the_examples_and_stays_in_the_tab(browser_page: Page) -> None:
    asked: list[str] = []
    browser_page.on("request", lambda request: asked.append(request.url + str(request.headers)))
    browser_page.goto("/docs")
    example = browser_page.locator("code", has_text="text-to-image").first
    expect(example).to_contain_text("Bearer $DARKROOM_API_KEY")
    browser_page.get_by_label("Your API key in the examples").fill(KEY)
    expect(example).to_contain_text(f"Bearer {KEY}")
    browser_page.goto("/docs/howto/requests")
    expect(browser_page.locator("code", has_text=KEY).first).to_be_visible()
    browser_page.get_by_label("Your API key in the examples").fill("")
    expect(browser_page.locator("code", has_text="$DARKROOM_API_KEY").first).to_be_visible()
    assert not any(KEY in one for one in asked)
