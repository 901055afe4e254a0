"""Signing in with a real OpenID Connect issuer, and all that an issuer or a thief may get wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from account_houses import PASSWORD, House, housed, is_signed_in
from console_visitors import Visitor
from playwright.sync_api import Page, expect

from issuers import CLIENT_ID, CLIENT_SECRET, Issuer


@pytest.fixture(scope="module")
def running() -> Iterator[Issuer]:
    """An issuer that lets everybody in."""
    with Issuer() as one:
        yield one


@pytest.fixture
def issuer(running: Issuer) -> Issuer:
    """The issuer as it is when nobody told it to err."""
    running.behave()
    return running


@pytest.fixture(scope="module")
def served(
    running: Issuer, postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """A server where people may sign in with that issuer."""
    with housed(
        *(postgres, template, tmp_path_factory.mktemp("house")),
        public_url="",
        smtp_url="",
        oidc_issuer=running.url,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret=CLIENT_SECRET,
        oidc_name="Example ID",
    ) as one:
        yield one


@pytest.fixture
def house(served: House, issuer: Issuer) -> House:
    """The server, at which nobody has an account."""
    served.query("TRUNCATE accounts, buckets CASCADE")
    return served


@pytest.fixture
def stranger(house: House) -> Iterator[Visitor]:
    """A browser of nobody."""
    with house.visitor() as one:
        yield one


def leave(stranger: Visitor, path: str = "/login/issuer", **fields: str) -> str:
    """Go to the issuer and be let in there; answers the address at which it sends one back."""
    answer = stranger.post_form(path, **fields)
    assert answer.status_code == 200, answer.text
    address = answer.headers["refresh"].partition("url=")[2]
    assert answer.text.count("Example ID")
    return httpx.get(address).headers["location"]


def sign_in(stranger: Visitor, **fields: str) -> httpx.Response:
    return stranger.get(leave(stranger, **fields), headers={"Accept": "text/html"})


def test_a_new_person_is_let_in_where_they_wanted(stranger: Visitor, issuer: Issuer) -> None:
    assert "Log in with Example ID" in stranger.get("/login").text
    answer = sign_in(stranger, next="/settings?tab=1")
    assert answer.headers["location"] == "/settings?tab=1"
    page = stranger.get("/settings").text
    assert "ann@issuer.example" in page
    assert "connected" in page
    asked = issuer.asked[0]
    assert asked["code_challenge_method"] == "S256"
    assert asked["response_type"] == "code"
    assert len(asked["state"]) > 40


def test_the_same_person_comes_back_to_the_same_account(
    house: House, stranger: Visitor, issuer: Issuer
) -> None:
    sign_in(stranger)
    issuer.email = "renamed@issuer.example"
    with house.visitor() as other:
        sign_in(other)
        assert is_signed_in(other)
    assert house.query("SELECT email, is_admin FROM accounts") == [("ann@issuer.example", True)]


WRONG = {
    "a wrong nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "another audience": {"aud": "somebody-else"},
    "no audience": {"aud": None},
    "several audiences and another party": {"aud": [CLIENT_ID, "b"], "azp": "b"},
    "another issuer": {"iss": "https://evil.example"},
    "an expired token": {"exp": 1_000_000_000},
    "no end": {"exp": None},
    "no subject": {"sub": None},
}


@pytest.mark.parametrize("claims", WRONG.values(), ids=WRONG)
def test_a_token_that_is_not_right_lets_nobody_in(
    house: House, stranger: Visitor, issuer: Issuer, claims: dict[str, object]
) -> None:
    issuer.claims = claims
    answer = sign_in(stranger)
    assert answer.status_code == 503
    assert not is_signed_in(stranger)
    assert house.query("SELECT * FROM accounts") == []


@pytest.mark.parametrize("trick", ["none", "HS256", "another key"])
def test_a_signature_that_is_not_the_issuers_lets_nobody_in(
    house: House, stranger: Visitor, issuer: Issuer, trick: str
) -> None:
    if trick == "none":
        issuer.algorithm = "none"
    elif trick == "HS256":
        issuer.sign_with_what_everybody_knows()
    else:
        theirs = issuer.published
        issuer.rotate()
        issuer.published = theirs
    assert sign_in(stranger).status_code == 503
    assert house.query("SELECT * FROM accounts") == []


def test_a_new_key_of_the_issuer_is_found(house: House, stranger: Visitor, issuer: Issuer) -> None:
    sign_in(stranger)
    issuer.rotate()
    with house.visitor() as other:
        sign_in(other)
        assert is_signed_in(other)


def test_a_state_works_once(house: House, stranger: Visitor) -> None:
    back = leave(stranger)
    assert stranger.get(back).status_code == 303
    stranger.post_form("/logout")
    answer = stranger.get(back, headers={"Accept": "text/html"})
    assert answer.status_code == 410
    assert not is_signed_in(stranger)


def test_a_state_is_its_browsers(house: House, stranger: Visitor) -> None:
    """Nobody is signed in to an attacker's account by an address that the attacker sends."""
    back = leave(stranger)
    with house.visitor() as victim:
        victim.get("/login")
        assert victim.get(back, headers={"Accept": "text/html"}).status_code == 410
        assert not is_signed_in(victim)


@pytest.mark.parametrize("query", ["", "?state=x&code=y", "?code=y", "?state=&error=denied"])
def test_what_did_not_leave_cannot_come_back(stranger: Visitor, query: str) -> None:
    headers = {"Accept": "text/html"}
    assert stranger.get(f"/login/issuer/back{query}", headers=headers).status_code == 410


def test_who_says_no_there_is_back_at_the_log_in(stranger: Visitor) -> None:
    state = re.search(r"state=([^&]+)", leave(stranger))[1]
    answer = stranger.get(f"/login/issuer/back?state={state}&error=access_denied")
    assert answer.headers["location"] == "/login"


def test_a_code_that_the_issuer_does_not_know_lets_nobody_in(stranger: Visitor) -> None:
    state = re.search(r"state=([^&]+)", leave(stranger))[1]
    answer = stranger.get(
        f"/login/issuer/back?state={state}&code=stolen", headers={"Accept": "text/html"}
    )
    assert answer.status_code == 503


def test_an_account_that_never_verified_its_address_is_not_taken_over(
    house: House, stranger: Visitor
) -> None:
    house.account("ann@issuer.example")
    answer = sign_in(stranger)
    assert answer.status_code == 403
    assert "never verified" in answer.text
    house.query("UPDATE accounts SET verified_at = now()")
    assert sign_in(stranger).status_code == 303
    assert is_signed_in(stranger)


def test_an_address_that_the_issuer_did_not_verify_is_worth_nothing(
    house: House, stranger: Visitor, issuer: Issuer
) -> None:
    house.account("ann@issuer.example")
    house.query("UPDATE accounts SET verified_at = now()")
    issuer.is_email_verified = False
    assert sign_in(stranger).status_code == 403
    assert not is_signed_in(stranger)


def test_an_address_is_asked_for_where_the_token_has_none(
    house: House, stranger: Visitor, issuer: Issuer
) -> None:
    issuer.tells_address_by = "userinfo"
    assert sign_in(stranger).status_code == 303
    assert house.query("SELECT email FROM accounts") == [("ann@issuer.example",)]


def test_an_issuer_is_connected_and_disconnected_in_the_settings(
    house: House, stranger: Visitor, issuer: Issuer
) -> None:
    house.account("me@example.com")
    issuer.is_email_verified = False
    stranger.post_form("/login", email="me@example.com", password=PASSWORD)
    wrong = stranger.post_form("/settings/issuer/connect", issuer_password="not right")
    assert wrong.status_code == 422
    back = leave(stranger, "/settings/issuer/connect", issuer_password=PASSWORD)
    assert stranger.get(back).headers["location"] == "/settings"
    with house.visitor() as other:
        sign_in(other)
        assert "me@example.com" in other.get("/settings").text
        gone = {"issuer": issuer.url, "issuer_password": PASSWORD}
        assert other.post_form("/settings/issuer/disconnect", **gone).status_code == 303
    with house.visitor() as third:
        assert sign_in(third).status_code == 403


def test_who_logged_out_meanwhile_connects_nothing(
    house: House, stranger: Visitor, issuer: Issuer
) -> None:
    house.account("me@example.com")
    stranger.post_form("/login", email="me@example.com", password=PASSWORD)
    back = leave(stranger, "/settings/issuer/connect", issuer_password=PASSWORD)
    stranger.post_form("/logout")
    assert stranger.get(back, headers={"Accept": "text/html"}).status_code == 410
    assert house.query("SELECT * FROM identities") == []


def test_an_issuer_that_is_away_is_said_so(house: House, stranger: Visitor, issuer: Issuer) -> None:
    back = leave(stranger)
    issuer.is_away = True
    answer = stranger.get(back, headers={"Accept": "text/html"})
    assert answer.status_code == 503
    assert "did not end well" in answer.text


def test_a_person_signs_in_with_the_issuer(house: House, browser_page: Page) -> None:
    browser_page.goto(f"{house.url}/login")
    browser_page.get_by_role("button", name="Log in with Example ID").click()
    expect(browser_page).to_have_url(re.compile("/playground$"))
    browser_page.goto(f"{house.url}/settings")
    expect(browser_page.get_by_text("connected", exact=True)).to_be_visible()
