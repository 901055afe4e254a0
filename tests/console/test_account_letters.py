"""Accounts by letter: registering, verifying, resetting, changing; and who learns nothing by it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from account_houses import (
    NEW_PASSWORD,
    PASSWORD,
    PUBLIC,
    House,
    is_signed_in,
    without_tokens,
)
from console_visitors import Visitor

ANN = "ann@example.com"


@pytest.fixture
def stranger(house: House) -> Iterator[Visitor]:
    """A browser of nobody, from whom nothing was ever counted."""
    house.query("DELETE FROM buckets")
    with house.visitor() as one:
        yield one


def log_in(visitor: Visitor, email: str, password: str = PASSWORD):
    return visitor.post_form("/login", email=email, password=password)


def test_registering_ends_with_the_link_of_the_letter(house: House, stranger: Visitor) -> None:
    answer = stranger.post_form("/register", email="reg@example.com")
    assert "Look into your mail" in answer.text
    assert not is_signed_in(stranger)
    assert house.query("SELECT * FROM accounts WHERE email = 'reg@example.com'") == []
    text = house.box.letter_to("reg@example.com")
    assert PUBLIC in text
    link = re.search(r"/link/\S+", text)[0]
    page = stranger.get(link)
    assert page.headers["referrer-policy"] == "no-referrer"
    assert stranger.get(link).status_code == 200  # reading it uses nothing up
    assert stranger.post_form(link, password="short").status_code == 422
    before = stranger.cookies["darkroom"]
    assert stranger.post_form(link, password=PASSWORD).status_code == 303
    assert stranger.cookies["darkroom"] != before
    assert "verified" in stranger.get("/settings").text
    assert stranger.get(link).status_code == 410
    assert stranger.post_form(link, password=PASSWORD).status_code == 410


def test_registering_says_the_same_of_an_address_that_is_taken(
    house: House, stranger: Visitor
) -> None:
    house.account("taken@example.com")
    pages = [
        stranger.post_form("/register", email=email)
        for email in ("taken@example.com", "never@example.com")
    ]
    assert {page.status_code for page in pages} == {200}
    said = [without_tokens(page).replace("taken@", "never@") for page in pages]
    assert said[0] == said[1]
    taken = house.box.letter_to("taken@example.com")
    assert "has an account already" in taken
    assert "/link/" not in taken
    assert "/link/" in house.box.letter_to("never@example.com")


def test_a_reset_says_the_same_of_an_address_without_an_account(
    house: House, stranger: Visitor
) -> None:
    house.account("there@example.com")
    pages = [
        stranger.post_form("/reset", email=email)
        for email in ("there@example.com", "where@example.com")
    ]
    said = [without_tokens(page).replace("there@", "where@") for page in pages]
    assert said[0] == said[1]
    assert {page.status_code for page in pages} == {200}
    house.box.letter_to("there@example.com")
    assert house.query("SELECT * FROM letters WHERE recipient = 'where@example.com'") == []
    # The same is written for both; where there is no account nobody gets the link.
    [[made]] = house.query(
        "SELECT count(*) FROM links WHERE purpose = 'reset' AND email LIKE '%here@example.com'"
    )
    assert made == 2


def test_a_reset_ends_every_session_and_every_other_link(house: House, stranger: Visitor) -> None:
    house.account("reset@example.com")
    log_in(stranger, "reset@example.com")
    assert is_signed_in(stranger)
    with house.visitor() as other:
        other.post_form("/reset", email="RESET@example.com")
        link = house.box.link_to("reset@example.com")
        answer = other.post_form(link, password=NEW_PASSWORD)
        assert answer.status_code == 303
        assert is_signed_in(other)
        assert not is_signed_in(stranger)
        assert other.post_form(link, password=PASSWORD).status_code == 410
    assert log_in(stranger, "reset@example.com").status_code == 422
    assert log_in(stranger, "reset@example.com", NEW_PASSWORD).status_code == 303
    assert "was changed" in house.box.letter_to("reset@example.com")


def test_a_link_runs_out(house: House, stranger: Visitor) -> None:
    house.account("late@example.com")
    stranger.post_form("/reset", email="late@example.com")
    link = house.box.link_to("late@example.com")
    house.query("UPDATE links SET expires_at = now() WHERE email = 'late@example.com'")
    assert stranger.get(link).status_code == 410
    assert stranger.post_form(link, password=NEW_PASSWORD).status_code == 410
    assert log_in(stranger, "late@example.com").status_code == 303


@pytest.mark.parametrize("path", ["/link/x", "/link/" + "x" * 5000, "/link/%20"])
def test_what_is_no_link_opens_nothing(house: House, stranger: Visitor, path: str) -> None:
    assert stranger.get(path, headers={"Accept": "text/html"}).status_code == 410


def test_letters_lead_to_this_server_whatever_the_host_header_says(
    house: House, stranger: Visitor
) -> None:
    house.account("host@example.com")
    form = stranger.form_token()
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    stranger.post("/reset", data={"csrf": form, "email": "host@example.com"}, headers=headers)
    assert "evil" not in house.box.letter_to("host@example.com")


def test_the_password_is_changed_by_who_knows_it(house: House, stranger: Visitor) -> None:
    house.account("pass@example.com")
    log_in(stranger, "pass@example.com")
    with house.visitor() as other:
        log_in(other, "pass@example.com")
        wrong = {"password": "not the right one", "new_password": NEW_PASSWORD}
        answer = stranger.post_form("/settings/password", **wrong)
        assert answer.status_code == 422
        assert "That is not your password" in answer.text
        assert is_signed_in(other)
        right = {"password": PASSWORD, "new_password": NEW_PASSWORD}
        assert stranger.post_form("/settings/password", **right).status_code == 303
        assert is_signed_in(stranger)
        assert not is_signed_in(other)
    assert "was changed" in house.box.letter_to("pass@example.com")


def test_another_address_is_the_accounts_once_it_is_proved(house: House, stranger: Visitor) -> None:
    house.account("old@example.com")
    house.account("neighbour@example.com")
    log_in(stranger, "old@example.com")
    form = {"new_email": "fresh@example.com", "email_password": PASSWORD}
    wrong = {**form, "email_password": "not the right one"}
    assert stranger.post_form("/settings/email", **wrong).status_code == 422
    assert stranger.post_form("/settings/email", **form).status_code == 303
    taken = {**form, "new_email": "neighbour@example.com"}
    assert stranger.post_form("/settings/email", **taken).status_code == 303
    assert "has an account already" in house.box.letter_to("neighbour@example.com")
    assert "old@example.com" in stranger.get("/settings").text
    link = house.box.link_to("fresh@example.com")
    with house.visitor() as other:
        assert other.post_form(link).status_code == 303
        assert log_in(other, "fresh@example.com").status_code == 303
    assert "another one" in house.box.letter_to("old@example.com")
    assert "fresh@example.com" in stranger.get("/settings").text


def test_a_link_to_an_address_that_was_left_is_dead(house: House, stranger: Visitor) -> None:
    house.account("before@example.com")
    log_in(stranger, "before@example.com")
    stranger.post_form("/settings/verify")
    older = house.box.link_to("before@example.com")
    form = {"new_email": "after@example.com", "email_password": PASSWORD}
    stranger.post_form("/settings/email", **form)
    stranger.post_form(house.box.link_to("after@example.com"))
    assert stranger.get(older).status_code == 410


@pytest.mark.parametrize("email", ["a@b\r\nBcc: victim@example.com", "a,b@example.com", "a@b\nc"])
@pytest.mark.parametrize("path", ["/register", "/reset"])
def test_an_address_cannot_write_headers(
    house: House, stranger: Visitor, path: str, email: str
) -> None:
    written = "SELECT count(*) FROM letters"
    before = house.query(written)
    answer = stranger.post_form(path, email=email)
    assert answer.status_code == 422
    assert "is not an e-mail address" in answer.text
    assert house.query(written) == before


def test_very_long_inputs_are_refused_at_little_cost(house: House, stranger: Visitor) -> None:
    house.account("long@example.com")
    long = "x" * 900_000
    assert log_in(stranger, "long@example.com", PASSWORD + long).status_code == 422
    assert log_in(stranger, long + "@example.com", PASSWORD).status_code == 422
    assert stranger.post_form("/register", email=long).status_code == 422
    stranger.post_form("/reset", email="long@example.com")
    link = house.box.link_to("long@example.com")
    answer = stranger.post_form(link, password=long)
    assert "10 to 200 characters" in answer.text
    assert len(stranger.post_form("/register", email=long).text) < 910_000


def test_a_wrong_password_and_an_unknown_address_look_the_same(
    house: House, stranger: Visitor
) -> None:
    house.account("slow@example.com")
    pages = [
        log_in(stranger, email, "not the right one")
        for email in ("slow@example.com", "none@example.com")
    ]
    said = [without_tokens(page).replace("slow@", "none@") for page in pages]
    assert said[0] == said[1]
    assert {page.status_code for page in pages} == {422}


def test_no_token_is_in_the_log(house: House, stranger: Visitor) -> None:
    link = house.register(stranger, "quiet@example.com")
    stranger.post_form("/reset", email="quiet@example.com")
    other = house.box.link_to("quiet@example.com")
    stranger.get(other)
    log = house.log.read_text()
    for secret in (link.split("/")[-1], other.split("/")[-1], stranger.cookies["darkroom"]):
        assert secret not in log
        rows = house.query("SELECT row_to_json(l)::text FROM letters l")
        assert secret not in str(rows)


def test_a_stranger_cannot_keep_an_owner_out(house: House, stranger: Visitor) -> None:
    house.account("owner@example.com")
    log_in(stranger, "owner@example.com")
    with house.visitor() as attacker:
        answers = [log_in(attacker, "owner@example.com", "not the right one") for _ in range(11)]
        assert [answer.status_code for answer in answers[:9]] == [422] * 9
        last = answers[-1]
        assert last.status_code == 429
        assert 0 < int(last.headers["retry-after"]) <= 600
        assert "tried too often" in last.text
    # What was counted against the account alone, from everywhere, is far from used up; and who
    # was let in from the same address before is not counted there at all.
    house.query("DELETE FROM buckets WHERE id LIKE 'log in at %'")
    house.query("UPDATE buckets SET tokens = 0, filled_at = now() WHERE id LIKE 'log in to %'")
    assert log_in(stranger, "owner@example.com").status_code == 303
    house.query("UPDATE sessions SET ip = '192.0.2.1'")
    assert log_in(stranger, "owner@example.com").status_code == 429


@pytest.mark.parametrize(("path", "times"), [("/reset", 5), ("/register", 5)])
def test_letters_to_one_address_are_few(
    house: House, stranger: Visitor, path: str, times: int
) -> None:
    email = f"few{path[1:]}@example.com"
    answers = [stranger.post_form(path, email=email) for _ in range(times + 1)]
    assert [answer.status_code for answer in answers] == [200] * times + [429]


FORMS = [
    ("POST", path)
    for path in (
        *("/register", "/login", "/login/code", "/login/issuer", "/logout", "/reset", "/link/x"),
        *("/settings/verify", "/settings/email", "/settings/password"),
        *("/settings/sessions/close", "/settings/sessions/close-others"),
        *("/settings/second-factor/begin", "/settings/second-factor/confirm"),
        *("/settings/second-factor/remove", "/settings/issuer/connect"),
        "/settings/issuer/disconnect",
    )
]


@pytest.mark.parametrize(("method", "path"), FORMS)
def test_no_form_is_taken_without_its_token(
    house: House, stranger: Visitor, method: str, path: str
) -> None:
    stranger.get("/login")
    assert stranger.request(method, path, data={"email": ANN}).status_code == 403
    token = stranger.form_token()
    headers = {"Sec-Fetch-Site": "cross-site"}
    answer = stranger.request(method, path, data={"csrf": token}, headers=headers)
    assert answer.status_code == 403


def test_sessions_are_named_and_ended(house: House, stranger: Visitor) -> None:
    house.account("many@example.com")
    log_in(stranger, "many@example.com")
    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36"
    with house.visitor(headers={"User-Agent": agent}) as other:
        log_in(other, "many@example.com")
        page = stranger.get("/settings").text
        assert "Chrome on Linux" in page
        session_id = re.search(r'name="session_id" value="(\w+)"', page)[1]
        stranger.post_form("/settings/sessions/close", session_id=session_id)
        assert not is_signed_in(other)
    assert is_signed_in(stranger)
