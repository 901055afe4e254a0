"""The pages of API keys: shown once, masked ever after, limited, rotated, revoked."""

from __future__ import annotations

import re

import httpx
import pytest
from console_visitors import Visitor
from playwright.sync_api import Page, expect

from darkroom.domain import api_keys
from ground import Server, wait_until

_KEY = re.compile(r"sk-[0-9a-f]{48}")
BALANCE = "/v1/generation/balance"


def _keys(server: Server, visitor: Visitor) -> list[api_keys.ApiKey]:
    async def story(database):
        async with database.statement() as tx:
            return await api_keys.list_for(tx, visitor.account_id)

    return server.ground.run(story)


def _created(visitor: Visitor, **fields: object) -> str:
    answer = visitor.post_form("/api/keys", **({"name": "ci", "wire": "quickstart"} | fields))
    assert answer.status_code == 200, answer.text
    [key] = set(_KEY.findall(answer.text))
    return key


def _status(server: Server, key: str) -> int:
    return httpx.get(server.url + BALANCE, headers={"Authorization": f"Bearer {key}"}).status_code


def test_a_new_key_is_shown_once_and_works(server: Server, visitor: Visitor) -> None:
    answer = visitor.post_form("/api/keys", name="ci", wire="reference")
    assert answer.headers["cache-control"] == "no-store"
    [key] = set(_KEY.findall(answer.text))
    assert f"Bearer {key}" in answer.text.replace("&#34;", '"')
    assert f"curl -X POST {server.url}/v1/generation/text-to-image" in answer.text
    assert "Keep your API key secure!" in answer.text
    assert _status(server, key) == 200
    listed = visitor.get("/api/keys").text
    assert api_keys.mask(key) in listed
    [row] = _keys(server, visitor)
    assert row.wire == "reference"
    for text in (
        listed,
        visitor.get(f"/api/keys/{row.id}").text,
        visitor.get("/api/keys/new").text,
    ):
        assert not _KEY.search(text)


def test_a_key_is_made_with_everything_that_the_form_asks(server: Server, visitor: Visitor) -> None:
    _created(
        visitor,
        days="30",
        spend_limit="12.5",
        spend_period="total",
        requests_per_minute="60",
        models=["PAINTER", "FLUX_PRO"],
        callback_hosts="Hooks.example.com\r\n*.example.org, a.example.net",
    )
    [row] = _keys(server, visitor)
    hosts = ["hooks.example.com", "*.example.org", "a.example.net"]
    assert row.rules == api_keys.Rules(60, 12_500, "total", ["FLUX_PRO", "PAINTER"], hosts)
    assert (row.expires_at - row.created_at).days == 30
    page = visitor.get("/api/keys").text
    assert "0 of 12.5" in page
    assert "2 models · 3 hosts" in page


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("name", value) for value in ("", "x" * 101)),
        *(("spend_limit", value) for value in ("x", "-1", "0", "1.0001", "NaN", "1e30")),
        *(("requests_per_minute", value) for value in ("0", "-1", "1.5", "x", "9" * 12)),
        *(("days", value) for value in ("0", "x", "4000", "keep")),
        ("spend_period", "week"),
        ("models", "NOPE"),
        ("callback_hosts", "https://x.com"),
        ("wire", "morse"),
    ],
)
def test_a_field_that_is_wrong_says_so_beside_itself(
    server: Server, visitor: Visitor, field: str, value: str
) -> None:
    given = {"name": "my own name", "wire": "quickstart", "spend_limit": "7", "days": "90"}
    answer = visitor.post_form("/api/keys", **(given | {field: value}))
    assert answer.status_code == 400
    told = re.search(rf'<p class="error" id="{field}-told">([^<]+)</p>', answer.text)
    assert told, answer.text
    if field != "name":
        assert 'value="my own name"' in answer.text
    assert _keys(server, visitor) == []


def test_a_name_is_written_out_as_text(server: Server, visitor: Visitor) -> None:
    name = '<img src=x onerror="alert(1)">'
    _created(visitor, name=name)
    [row] = _keys(server, visitor)
    for path in ("/api/keys", f"/api/keys/{row.id}"):
        assert "<img" not in visitor.get(path).text


def test_a_change_keeps_the_end_unless_it_is_named(server: Server, visitor: Visitor) -> None:
    _created(visitor, days="30", spend_limit="5")
    [row] = _keys(server, visitor)
    answer = visitor.post_form(f"/api/keys/{row.id}", name="other", days="keep", models="PAINTER")
    assert (answer.status_code, answer.headers["location"]) == (303, "/api/keys")
    [changed] = _keys(server, visitor)
    assert (changed.name, changed.models, changed.spend_mill_max) == ("other", ["PAINTER"], None)
    assert changed.expires_at == row.expires_at
    visitor.post_form(f"/api/keys/{row.id}", name="other", days="")
    assert _keys(server, visitor)[0].expires_at is None


def test_a_rotation_shows_the_new_key_and_both_work(server: Server, visitor: Visitor) -> None:
    old = _created(visitor)
    [row] = _keys(server, visitor)
    wrong = visitor.post_form(f"/api/keys/{row.id}/rotate", overlap_hours="721")
    assert wrong.status_code == 400
    answer = visitor.post_form(f"/api/keys/{row.id}/rotate", overlap_hours="2")
    [new] = set(_KEY.findall(answer.text))
    assert new != old
    assert [_status(server, key) for key in (old, new)] == [200, 200]
    page = visitor.get(f"/api/keys/{row.id}").text
    assert "Another key has taken its place" in page
    again = visitor.post_form(f"/api/keys/{row.id}/rotate", overlap_hours="2")
    assert "rotate the key that took its place" in again.text


def test_a_revoked_key_ends_within_a_moment(server: Server, visitor: Visitor) -> None:
    key = _created(visitor)
    [row] = _keys(server, visitor)
    assert _status(server, key) == 200
    assert visitor.post_form(f"/api/keys/{row.id}/revoke").status_code == 303
    wait_until(lambda: _status(server, key) == 401, seconds_max=5, what="the end of a key")
    page = visitor.get("/api/keys").text
    assert "No live key" in page
    assert "Revoked and expired keys (1)" in page
    assert "Revoke key" not in visitor.get(f"/api/keys/{row.id}").text


@pytest.mark.parametrize("verb", ["", "/rotate", "/revoke"])
def test_another_account_s_key_is_not_there(server: Server, visitors, verb: str) -> None:
    owner, other = visitors(), visitors()
    _created(owner)
    [row] = _keys(server, owner)
    fields = {"name": "mine now", "overlap_hours": "0"}
    assert other.post_form(f"/api/keys/{row.id}{verb}", **fields).status_code == 404
    assert other.get(f"/api/keys/{row.id}").status_code == 404
    assert other.get("/api/keys/%00").status_code == 404
    assert _keys(server, owner) == [row]


def test_a_key_s_story_in_a_browser(signed_in_page: Page, server: Server) -> None:
    page = signed_in_page
    page.goto("/api/keys")
    page.get_by_role("button", name="Create New Key").click()
    page.get_by_label("Name").fill("laptop")
    page.get_by_label("Search the models").fill("painter")
    expect(page.get_by_label("FLUX_PRO")).to_be_hidden()
    page.get_by_role("checkbox", name="Darkroom Painter PAINTER").check()
    page.get_by_role("button", name="Create key", exact=True).click()
    key = page.locator("#new-key").inner_text()
    assert _status(server, key) == 200
    assert key not in page.url
    page.reload()
    expect(page.get_by_role("heading", name="API Keys")).to_be_visible()
    assert page.get_by_role("link", name="laptop", exact=True).count() == 1
    assert key not in page.content()
    page.go_back()
    page.go_forward()
    assert key not in page.content()
    page.goto("/api/keys")
    page.get_by_role("link", name="laptop", exact=True).click()
    page.get_by_text("Revoke this key").click()
    page.get_by_role("button", name="Revoke key").click()
    expect(page.get_by_text("was revoked.")).to_be_visible()
    wait_until(lambda: _status(server, key) == 401, seconds_max=5, what="the end of a key")
