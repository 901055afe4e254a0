"""The frame of the console: who sees what, what forms must carry, and what pages may load."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from console_visitors import Visitor
from playwright.sync_api import Page, expect

from ground import Server

PASSWORD = "correct horse battery"


def test_a_stranger_is_led_to_the_sign_in_and_back(visitors: Callable[..., Visitor]) -> None:
    stranger = visitors(is_signed_in=False)
    answer = stranger.get("/settings?tab=1")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=/settings%3Ftab%3D1"


def test_a_form_without_its_token_is_refused(visitor: Visitor) -> None:
    assert visitor.post("/logout").status_code == 403
    assert visitor.post("/logout", data={"csrf": "0" * 64}).status_code == 403
    assert visitor.get("/", headers={"Accept": "text/html"}).status_code == 303


def test_a_form_of_another_site_is_refused(visitor: Visitor) -> None:
    token = visitor.form_token()
    for site in ("cross-site", "same-site"):
        headers = {"Sec-Fetch-Site": site}
        answer = visitor.post("/logout", data={"csrf": token}, headers=headers)
        assert answer.status_code == 403


def test_another_browsers_token_is_refused(visitors: Callable[..., Visitor]) -> None:
    one, other = visitors(), visitors()
    answer = one.post("/logout", data={"csrf": other.form_token()})
    assert answer.status_code == 403


def test_a_session_is_a_caller_of_the_api(visitor: Visitor) -> None:
    assert visitor.get("/v1/generation/balance").json()["data"] == 1000
    body = {"model": "PAINTER", "prompt": "a lake", "resolution": "64x64"}
    path = "/v1/generation/text-to-image"
    assert visitor.post(path, json=body).status_code == 403
    headers = {"X-CSRF-Token": visitor.form_token()}
    answer = visitor.post(path, json=body, headers=headers)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("path", ["/nothing", "/api/%00", "/logout"])
def test_a_wrong_turn_leaves_a_visitor_signed_in(visitor: Visitor, path: str) -> None:
    answer = visitor.get(path, headers={"Accept": "text/html"})
    assert answer.status_code in (404, 405)
    assert "set-cookie" not in answer.headers
    assert visitor.get("/settings").status_code == 200


def test_a_session_that_is_over_is_nobodys(visitor: Visitor, server: Server) -> None:
    token = visitor.cookies["darkroom"]
    assert visitor.post_form("/logout").status_code == 303
    late = httpx.get(f"{server.url}/v1/generation/balance", cookies={"darkroom": token})
    assert late.status_code == 401


def test_pages_load_nothing_from_elsewhere(visitor: Visitor) -> None:
    answer = visitor.get("/login", follow_redirects=False, headers={"Accept": "text/html"})
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


def test_static_files_are_kept_for_ever_under_their_mark(visitors: Callable[..., Visitor]) -> None:
    stranger = visitors(is_signed_in=False)
    page = stranger.get("/login").text
    for path in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        answer = stranger.get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert stranger.get("/static/../app.py").status_code == 404
    assert stranger.get("/static/nothing.css").status_code == 404


def test_the_cookie_is_out_of_reach_of_scripts_and_sites(
    visitors: Callable[..., Visitor],
) -> None:
    stranger = visitors(is_signed_in=False)
    plain = stranger.get("/login").headers["set-cookie"]
    assert "HttpOnly" in plain
    assert "SameSite=lax" in plain


@pytest.mark.parametrize("accept", ["text/html", "*/*"])
def test_what_is_not_there_is_said_in_the_callers_form(
    visitors: Callable[..., Visitor], accept: str
) -> None:
    answer = visitors(is_signed_in=False).get("/nothing", headers={"Accept": accept})
    assert answer.status_code == 404
    is_page = answer.headers["content-type"].startswith("text/html")
    assert is_page == (accept == "text/html")


def test_the_start_is_a_page_for_people_and_data_for_programs(
    visitors: Callable[..., Visitor],
) -> None:
    stranger = visitors(is_signed_in=False)
    assert "<h1>" in stranger.get("/", headers={"Accept": "text/html"}).text
    assert stranger.get("/").json()["data"]["name"] == "Darkroom"


def test_nobody_learns_which_accounts_there_are(visitors: Callable[..., Visitor]) -> None:
    stranger = visitors(is_signed_in=False)
    answers = [
        stranger.post_form("/login", email=email, password="a wrong password")
        for email in ("nobody@example.com", "someone-1@example.com")
    ]
    pages = [answer.text.replace(answer.request.content.decode(), "") for answer in answers]
    assert {answer.status_code for answer in answers} == {422}
    assert all("The e-mail address or the password is wrong." in page for page in pages)


@pytest.mark.parametrize("wanted", ["https://elsewhere.example", "//elsewhere.example", "/\\else"])
def test_a_sign_in_leads_to_no_other_site(visitor: Visitor, wanted: str) -> None:
    answer = visitor.get("/login", params={"next": wanted})
    assert answer.headers["location"] == "/"


def test_a_person_registers_and_logs_out_and_in(browser_page: Page) -> None:
    browser_page.goto("/register")
    browser_page.get_by_label("E-mail").fill("new@example.com")
    browser_page.get_by_label("Password").fill(PASSWORD)
    browser_page.get_by_role("button", name="Register").click()
    expect(browser_page).to_have_url(re.compile("/playground$"))
    browser_page.get_by_role("button", name="Log out").click()
    browser_page.get_by_label("E-mail").fill("NEW@example.com")
    browser_page.get_by_label("Password").fill(PASSWORD)
    browser_page.get_by_role("button", name="Log in").click()
    expect(browser_page).to_have_url(re.compile("/playground$"))
