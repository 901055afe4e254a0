"""Who may register: without letters, by invitation, not at all; behind https; and first of all."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from account_houses import PASSWORD, House, housed, is_signed_in
from console_visitors import Visitor

import starter
from ground import wait_until

HTTPS = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.7"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "house"


@pytest.fixture
def alone(postgres: str, template: str, folder: Path) -> Iterator[House]:
    """A server without a mail server, behind a trusted proxy."""
    with housed(
        *(postgres, template, folder), smtp_url="", public_url="", trusted_proxies="127.0.0.1"
    ) as one:
        yield one


def command(house: House, *words: str) -> str:
    """What `darkroom` prints on the house's database."""
    given = [*words, "--database-url", house.ground.conninfo]
    with starter.start(given, os.environ) as process:
        said, complaint = process.communicate(60)
    assert process.returncode == 0, complaint
    return said


def test_without_letters_registering_signs_in_and_the_operator_sees_the_link(
    alone: House,
) -> None:
    with alone.visitor() as stranger:
        answer = stranger.post_form("/register", email="a@example.com", password=PASSWORD)
        assert answer.status_code == 303
        assert "not verified" in stranger.get("/settings").text
        line = wait_until(
            lambda: [one for one in alone.log.read_text().splitlines() if "/link/" in one],
            what="the line in the log",
        )[0]
        assert " WARNING " in line
        assert f"verify for a@example.com: {alone.url}/link/" in line
        link = line.split(alone.url)[1]
        assert link in command(alone, "letters")
        assert stranger.post_form(link).status_code == 303
        assert "not verified" not in stranger.get("/settings").text
        assert link not in command(alone, "letters", "--all")


def test_cookies_behind_https_are_for_this_host_and_https_alone(alone: House) -> None:
    with alone.visitor(headers=HTTPS) as stranger:
        page = stranger.get("/register")
        given = page.headers["set-cookie"]
        assert given.startswith("__Host-darkroom=")
        for attribute in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
            assert attribute in given
        token = page.text.partition('name="form-token" content="')[2][:64]
        before = given.partition("=")[2].partition(";")[0]
        answer = stranger.post(
            "/register",
            data={"csrf": token, "email": "s@example.com", "password": PASSWORD},
            headers={"Cookie": f"__Host-darkroom={before}"},
        )
        assert answer.status_code == 303
        kept = answer.headers.get_list("set-cookie")
        assert all("Secure" in one and "HttpOnly" in one for one in kept)
        session = next(one for one in kept if one.startswith("__Host-darkroom="))
        assert before not in session
        assert alone.query("SELECT ip FROM sessions") == [("198.51.100.7",)]


def test_a_token_from_before_the_sign_in_opens_nothing(alone: House) -> None:
    """Nobody can be made to sign in under a token that somebody else knows (session fixation)."""
    with alone.visitor() as stranger, alone.visitor() as attacker:
        attacker.get("/login")
        stranger.cookies.set("darkroom", attacker.cookies["darkroom"])
        answer = stranger.post_form("/register", email="v@example.com", password=PASSWORD)
        assert answer.status_code == 303
        assert is_signed_in(stranger)
        assert not is_signed_in(attacker)


def test_of_those_who_register_first_at_once_one_is_the_admin(alone: House) -> None:
    def register(number: int) -> None:
        with alone.visitor() as stranger:
            stranger.post_form("/register", email=f"r{number}@example.com", password=PASSWORD)

    threads = [threading.Thread(target=register, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [[made, admins]] = alone.query(
        "SELECT count(*), count(*) FILTER (WHERE is_admin) FROM accounts"
    )
    assert (made, admins) == (6, 1)


def test_a_link_of_the_operator_logs_in_once_and_leads_to_a_password(alone: House) -> None:
    alone.account("made@example.com", None)
    first = command(alone, "account", "link", "made@example.com").strip()
    second = command(alone, "account", "link", "made@example.com").strip()
    assert second.startswith("http://127.0.0.1:8080/link/")
    with alone.visitor() as stranger:
        assert stranger.get(first.partition(":8080")[2]).status_code == 410
        link = second.partition(":8080")[2]
        assert "made@example.com" in stranger.get(link).text
        answer = stranger.post_form(link)
        assert answer.headers["location"] == "/settings#password"
        assert stranger.post_form(link).status_code == 410
        assert stranger.post_form("/settings/password", new_password=PASSWORD).status_code == 303
        assert stranger.post_form("/logout").status_code == 303
        answer = stranger.post_form("/login", email="made@example.com", password=PASSWORD)
        assert answer.status_code == 303


def _refuses(stranger: Visitor) -> None:
    assert "By invitation" in stranger.get("/register").text
    answer = stranger.post_form("/register", email="x@example.com", password=PASSWORD)
    assert answer.status_code == 403
    assert "/register" not in stranger.get("/login").text


def test_by_invitation_only_who_is_invited_registers(
    postgres: str, template: str, folder: Path
) -> None:
    with (
        housed(*(postgres, template, folder), sign_up="invite") as house,
        house.visitor() as stranger,
    ):
        _refuses(stranger)
        printed = command(house, "account", "invite", "guest@example.com").strip()
        link = printed[printed.index("/link/") :]
        page = stranger.get(link)
        assert "guest@example.com" in page.text
        assert stranger.post_form(link, password=PASSWORD).status_code == 303
        assert "verified" in stranger.get("/settings").text
        again = house.visitor()
        with again as other:
            assert other.post_form(link, password=PASSWORD).status_code == 410
        assert house.query("SELECT email FROM accounts") == [("guest@example.com",)]


def test_where_sign_up_is_closed_nobody_registers(
    postgres: str, template: str, folder: Path
) -> None:
    with (
        housed(*(postgres, template, folder), sign_up="closed") as house,
        house.visitor() as stranger,
    ):
        _refuses(stranger)
        assert house.query("SELECT * FROM accounts") == []
