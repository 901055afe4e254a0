"""The quickstart walked in a real browser: register, key, credits, picture, history, revoke."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

from playwright.sync_api import Page, expect

from ground import Server, wait_until

PASSWORD = "seven paper lanterns"
PICTURE = {"model": "FLUX_PRO", "prompt": "A quiet harbour at dawn", "resolution": "128x128"}


def test_from_registering_to_a_revoked_key(browser_page: Page, server: Server) -> None:
    page = browser_page
    page.goto("/")
    page.get_by_role("link", name="Create an account").click()
    page.get_by_label("E-mail").fill("walker@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_text("You have no credits to spend.")).to_be_visible()

    key = _create_key(page)
    status, answer = _curl(server, key, PICTURE)
    assert (status, answer["status"]) == (402, 1011), answer

    _open(page, "Pricing")
    page.get_by_role("button", name="Buy Starter for $50.00").click()
    page.get_by_role("button", name="in test money").click()
    expect(page.get_by_label("Credit balance")).to_contain_text("5,000")

    status, answer = _curl(server, key, PICTURE)
    assert status == 200, answer
    assert answer["data"]["task_ids"]

    request_id = _generate(page)
    _find(page, request_id)
    _find(page, answer["request_id"])

    _revoke_key(page)
    wait_until(lambda: _curl(server, key, PICTURE)[0] == 401, what="the end of the revoked key")


def _open(page: Page, name: str) -> None:
    page.get_by_role("banner").get_by_role("link", name=name).click()


def _create_key(page: Page) -> str:
    _open(page, "API Keys")
    page.get_by_role("button", name="Create New Key").click()
    page.get_by_label("Name").fill("walker")
    page.get_by_role("button", name="Create key", exact=True).click()
    key = page.locator("#new-key").inner_text()
    assert re.fullmatch("sk-[0-9a-f]{48}", key)
    return key


def _curl(server: Server, key: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """What curl gets for the quickstart's first request: the status and the answer."""
    said = subprocess.run(
        [
            *("curl", "-sS", "-X", "POST", f"{server.url}/v1/generation/text-to-image"),
            *("-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json"),
            *("-d", json.dumps(body), "-w", "\n%{http_code}"),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    text, _, status = said.rpartition("\n")
    return int(status), json.loads(text)


def _generate(page: Page) -> str:
    """Make a picture in the playground; answers its request's id."""
    _open(page, "Playground")
    page.get_by_label("Prompt", exact=True).fill("A red kite over dunes")
    page.get_by_label("Resolution").fill("270p")
    page.get_by_role("button", name="Generate").click()
    expect(page.locator(".output img").first).to_be_visible(timeout=60_000)
    record = page.get_by_role("link", name="Call record").get_attribute("href")
    assert record is not None
    return record.rpartition("/")[2]


def _find(page: Page, request_id: str) -> None:
    """Search the call history for a request, which is written within half a second."""
    _open(page, "Call History")

    def found() -> bool:
        page.get_by_role("searchbox").fill(request_id)
        page.get_by_role("button", name="Find").click()
        page.wait_for_load_state()
        return page.url.endswith(f"/api/history/{request_id}")

    wait_until(found, what=f"{request_id} in the call history")
    expect(page.get_by_text("/v1/generation/text-to-image").first).to_be_visible()


def _revoke_key(page: Page) -> None:
    _open(page, "API Keys")
    page.get_by_role("link", name="walker", exact=True).click()
    page.get_by_text("Revoke this key").click()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Revoke key").click()
    expect(page.get_by_text("was revoked.")).to_be_visible()
