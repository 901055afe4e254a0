"""A running task is seen as it comes into being, by its owner and an operator alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from console_visitors import Visitor
from desk_stories import admin_id
from playwright.sync_api import Page, expect

import probes
from ground import Ground, Server, serve


@pytest.fixture
def server(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that offers the probe, which shows what it makes."""
    for name, value in probes.install(tmp_path).items():
        monkeypatch.setenv(name, value)
    account = ground.account()
    served = serve(ground.conninfo, tmp_path / "data", workers="1")
    yield Server(served.url, ground.key(account.id), account.id, ground, tmp_path / "data")
    # What a test that failed left waiting.
    (tmp_path / "open").touch()
    served.stop()


def test_what_is_made_is_watched_where_it_was_asked_for_and_on_its_page(
    signed_in_page: Page, server: Server, visitors: Callable[..., Visitor], tmp_path: Path
) -> None:
    page = signed_in_page
    page.goto("/playground?model=PROBE")
    page.get_by_label("Prompt", exact=True).fill("show, wait")
    page.get_by_role("button", name="Generate").click()
    shown = page.locator("#runs .task-wait img")
    expect(shown).to_be_visible(timeout=60_000)
    expect(shown).to_have_js_property("naturalWidth", 40)
    address = shown.get_attribute("src") or ""
    # The next one comes in its place.
    expect(shown).not_to_have_attribute("src", address, timeout=30_000)
    task = re.search(r"task_\w+", address)
    assert task
    opened = page.context.new_page()
    opened.goto(f"/gallery/{task[0]}")
    expect(opened.locator("img.preview")).to_have_js_property("naturalWidth", 40)
    path = f"/gallery/{task[0]}/preview"
    assert visitors().get(path).status_code == 404
    assert visitors(is_signed_in=False).get(path).status_code == 303
    admin = visitors(admin_id(server))
    assert f"/admin/tasks/{task[0]}/preview" in admin.get(f"/admin/tasks/{task[0]}").text
    seen = admin.get(f"/admin/tasks/{task[0]}/preview")
    assert (seen.status_code, seen.headers["cache-control"]) == (200, "no-store")
    assert visitors().get(f"/admin/tasks/{task[0]}/preview").status_code == 404
    (tmp_path / "open").touch()
    expect(page.locator("#runs .outputs img")).to_be_visible(timeout=60_000)
    expect(shown).to_have_count(0)
    expect(opened.locator("figure img")).to_be_visible(timeout=30_000)
    expect(opened.locator("img.preview")).to_have_count(0)
    assert admin.get(f"/admin/tasks/{task[0]}/preview").status_code == 404
