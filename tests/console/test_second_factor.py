"""The second factor in the console: set up, asked for on every way in, and turned off."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pyotp
import pytest
from account_houses import NEW_PASSWORD, PASSWORD, House, is_signed_in
from console_visitors import Visitor


def code(house: House, email: str, steps: int = 0) -> str:
    """What the app of an account shows, so many steps from now by the database's clock."""
    with psycopg.connect(house.ground.conninfo) as connection:
        secret, step = connection.execute(
            "SELECT secret, floor(extract(epoch FROM now()) / 30)::bigint FROM second_factors f "
            "JOIN accounts a ON a.id = f.account_id WHERE email = %s",
            (email,),
        ).fetchone()
    return pyotp.TOTP(secret).generate_otp(step + steps)


def log_in(visitor: Visitor, email: str, password: str = PASSWORD) -> str:
    """Give the password; answers the ticket of the page that asks for the code."""
    answer = visitor.post_form("/login", email=email, password=password)
    return ticket_of(answer)


def ticket_of(answer) -> str:
    found = re.search(r'name="ticket" value="([^"]+)"', answer.text)
    return found[1] if found else ""


@pytest.fixture
def owner(house: House, request: pytest.FixtureRequest) -> Iterator[tuple[Visitor, str, list[str]]]:
    """A browser signed in, its address, and the recovery codes of its second factor."""
    house.query("DELETE FROM buckets")
    email = f"{request.node.name[:50]}@example.com".replace("[", "-").replace("]", "")
    house.account(email)
    with house.visitor() as one:
        assert one.post_form("/login", email=email, password=PASSWORD).status_code == 303
        wrong = one.post_form("/settings/second-factor/begin", factor_password="not right")
        assert wrong.status_code == 422
        one.post_form("/settings/second-factor/begin", factor_password=PASSWORD)
        page = one.get("/settings/second-factor").text
        assert "<svg viewBox=" in page
        assert "style=" not in page
        answer = one.post_form("/settings/second-factor/confirm", code="000000")
        assert answer.status_code == 422
        answer = one.post_form("/settings/second-factor/confirm", code=code(house, email))
        # As if that had been long ago, so that the code of now may be used again.
        house.query("UPDATE second_factors SET last_step = 0")
        codes = re.findall(r"\b(?:[0-9a-z]{4}-){3}[0-9a-z]{4}\b", answer.text)
        assert len({*codes}) == 10
        yield one, email, codes


def test_the_code_is_asked_for_after_the_password_and_works_once(house: House, owner) -> None:
    _, email, _ = owner
    with house.visitor() as one, house.visitor() as other:
        ticket = log_in(one, email)
        assert ticket
        assert not is_signed_in(one)
        wrong = one.post_form("/login/code", ticket=ticket, code="123")
        assert (wrong.status_code, ticket_of(wrong)) == (422, ticket)
        now = code(house, email)
        assert one.post_form("/login/code", ticket=ticket, code=now).status_code == 303
        assert is_signed_in(one)
        again = other.post_form("/login/code", ticket=log_in(other, email), code=now)
        assert again.status_code == 422
        assert not is_signed_in(other)


def test_a_ticket_is_its_browsers_and_used_once(house: House, owner) -> None:
    _, email, codes = owner
    with house.visitor() as one, house.visitor() as thief:
        ticket = log_in(one, email)
        stolen = thief.post_form("/login/code", ticket=ticket, code=codes[0])
        assert stolen.headers["location"] == "/login"
        assert not is_signed_in(thief)
        one.post_form("/login/code", ticket=ticket, code=codes[0])
        assert is_signed_in(one)
        one.post_form("/logout")
        assert one.post_form("/login/code", ticket=ticket, code=codes[1]).status_code == 303
        assert not is_signed_in(one)


def test_a_recovery_code_stands_in_once(house: House, owner) -> None:
    signed_in, email, codes = owner
    with house.visitor() as one:
        one.post_form("/login/code", ticket=log_in(one, email), code=codes[0].upper())
        assert is_signed_in(one)
        one.post_form("/logout")
        again = one.post_form("/login/code", ticket=log_in(one, email), code=codes[0])
        assert again.status_code == 422
    assert "9 of 10 recovery codes" in signed_in.get("/settings").text


def test_a_reset_of_the_password_does_not_pass_it_by(house: House, owner) -> None:
    _, email, codes = owner
    with house.visitor() as one:
        one.post_form("/reset", email=email)
        answer = one.post_form(house.box.link_to(email), password=NEW_PASSWORD)
        assert not is_signed_in(one)
        one.post_form("/login/code", ticket=ticket_of(answer), code=codes[0])
        assert is_signed_in(one)


def test_guessing_codes_ends_soon(house: House, owner) -> None:
    _, email, codes = owner
    with house.visitor() as one:
        ticket = log_in(one, email)
        statuses = [
            one.post_form("/login/code", ticket=ticket, code=f"{n:06}").status_code
            for n in range(25)
        ]
        assert statuses[-1] == 429
        assert statuses.count(422) <= 20
        late = one.post_form("/login/code", ticket=ticket, code=codes[0])
        assert late.status_code == 429


def test_it_is_turned_off_with_the_password(house: House, owner) -> None:
    signed_in, email, _ = owner
    path = "/settings/second-factor/remove"
    assert signed_in.post_form(path, factor_password="not right").status_code == 422
    assert signed_in.post_form(path, factor_password=PASSWORD).status_code == 303
    with house.visitor() as one:
        assert log_in(one, email) == ""
        assert is_signed_in(one)
