"""Posting: letters over real SMTP: plain, by TLS, with a password, refused for now or for good."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path

import psycopg
import pytest

from darkroom import config, errors
from darkroom.domain import letters
from darkroom.engine import posting
from darkroom.engine.posting import Poster
from letterboxes import Letterbox, certify_here, only, tls

TO = "ann@example.com"
FROM = {"mail_from": "Darkroom <post@darkroom.example>", "public_url": "https://darkroom.example"}


def settings(url: str | None) -> config.Config:
    return config.Config(smtp_url=url, **FROM)


def written(ground, kind: letters.Kind = "changed", to: str = TO, token: str | None = None) -> None:
    async def write(database):
        async with database.transaction() as tx:
            await letters.write(tx, kind, to, address=FROM["public_url"], token=token)

    ground.run(write)


def posted(ground, url: str | None) -> letters.Letter:
    """The only letter, after a round of posting."""

    async def story(database):
        await Poster(database, settings(url)).post()
        async with database.statement() as tx:
            return await letters.list_all(tx, with_link=False)

    [letter] = ground.run(story)
    return letter


def make_due(ground) -> None:
    with psycopg.connect(ground.conninfo) as connection:
        connection.execute("UPDATE letters SET next_at = now()")


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate of this machine, which it trusts."""
    path = certify_here(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return path


def test_a_letter_arrives_once_with_all_that_a_letter_has(ground) -> None:
    written(ground)
    with Letterbox() as box:
        letter = posted(ground, f"smtp://127.0.0.1:{box.port}")
        assert posted(ground, f"smtp://127.0.0.1:{box.port}") == letter
    assert (letter.status, letter.attempts, letter.error) == (letters.SENT, 1, None)
    [mail] = box.taken
    assert mail["To"] == TO
    assert mail["From"] == FROM["mail_from"]
    assert mail["Subject"] == "Your password was changed"
    assert mail["Message-ID"] == f"<{letter.id}@darkroom.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime == letter.created_at.replace(microsecond=0)
    assert "https://darkroom.example/reset" in mail.get_content()


def test_two_daemons_send_each_letter_once(ground) -> None:
    for _ in range(20):
        written(ground)

    async def story(database):
        posters = [Poster(database, settings(url)) for _ in range(4)]
        await asyncio.gather(*(poster.post() for poster in posters))

    with Letterbox() as box:
        url = f"smtp://127.0.0.1:{box.port}"
        ground.run(story)
    assert len(box.taken) == 20
    assert len({mail["Message-ID"] for mail in box.taken}) == 20


def test_tls_is_spoken_where_the_server_offers_it(ground, trusted: Path) -> None:
    written(ground)
    with Letterbox(tls_context=tls(trusted), require_starttls=True) as box:
        assert posted(ground, f"smtp://127.0.0.1:{box.port}").status == letters.SENT
    assert box.was_tls == [True]


def test_a_certificate_that_is_not_trusted_gets_no_letter(ground, tmp_path: Path) -> None:
    written(ground)
    with Letterbox(tls_context=tls(certify_here(tmp_path))) as box:
        letter = posted(ground, f"smtp://127.0.0.1:{box.port}")
    assert box.taken == []
    assert letter.status == letters.PENDING
    assert "certificate" in (letter.error or "").lower()


def test_a_password_is_given_over_tls(ground, trusted: Path) -> None:
    written(ground)
    auth = {"authenticator": only("post", "p@ss/word"), "auth_required": True}
    with Letterbox(tls_context=tls(trusted), **auth) as box:
        letter = posted(ground, f"smtp://post:p%40ss%2Fword@127.0.0.1:{box.port}")
    assert letter.status == letters.SENT
    assert box.was_tls == [True]


def test_a_password_does_not_leave_this_machine_in_the_clear(ground) -> None:
    written(ground)
    auth = {"authenticator": only("post", "word"), "auth_require_tls": False}
    with Letterbox(**auth) as box:
        far = posted(ground, f"smtp://post:word@0.0.0.0:{box.port}")
        assert (far.status, box.taken) == (letters.PENDING, [])
        assert "STARTTLS" in (far.error or "")
        make_due(ground)
        assert posted(ground, f"smtp://post:word@127.0.0.1:{box.port}").status == letters.SENT


def test_a_wrong_password_is_tried_again_when_it_was_mended(ground) -> None:
    written(ground)
    auth = {"authenticator": only("post", "right"), "auth_require_tls": False}
    with Letterbox(**auth) as box:
        letter = posted(ground, f"smtp://post:wrong@127.0.0.1:{box.port}")
        assert (letter.status, (letter.error or "")[:3]) == (letters.PENDING, "535")
        make_due(ground)
        assert posted(ground, f"smtp://post:right@127.0.0.1:{box.port}").status == letters.SENT


@pytest.mark.parametrize("answer", ["451 come again", "rcpt 450 greylisted"])
def test_what_is_refused_for_now_is_sent_later(ground, answer: str) -> None:
    written(ground)
    with Letterbox() as box:
        box.answers = [answer]
        url = f"smtp://127.0.0.1:{box.port}"
        first = posted(ground, url)
        assert (first.status, first.attempts) == (letters.PENDING, 1)
        assert answer.split()[-1] in (first.error or "")
        assert posted(ground, url) == first  # not yet
        make_due(ground)
        assert posted(ground, url).status == letters.SENT


@pytest.mark.parametrize("answer", ["554 not here", "rcpt 550 no such mailbox"])
def test_what_is_refused_for_good_ends(ground, answer: str) -> None:
    written(ground)
    with Letterbox() as box:
        box.answers = [answer]
        letter = posted(ground, f"smtp://127.0.0.1:{box.port}")
    assert letter.status == letters.FAILED
    assert answer.removeprefix("rcpt ") in (letter.error or "")


def test_a_server_that_is_away_is_tried_again(ground) -> None:
    written(ground)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    letter = posted(ground, f"smtp://127.0.0.1:{port}")
    assert (letter.status, letter.attempts) == (letters.PENDING, 1)


def test_a_silent_server_keeps_nobody_for_long(ground) -> None:
    written(ground)

    async def story(database):
        async with database.statement() as tx:
            [one] = await letters.claim(tx, rows_max=1, lease_seconds=60)
        server = posting.server_of(settings(f"smtp://127.0.0.1:{port}"))
        with pytest.raises((TimeoutError, OSError, posting.aiosmtplib.SMTPException)):
            await posting.send(one, server, seconds_max=0.5)

    # Its backlog accepts, and nobody ever answers.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        ground.run(story)


def test_what_could_not_be_sent_in_time_is_given_up(ground, caplog) -> None:
    written(ground)
    with psycopg.connect(ground.conninfo) as connection:
        connection.execute("UPDATE letters SET expires_at = now()")
    with Letterbox() as box, caplog.at_level(logging.WARNING):
        letter = posted(ground, f"smtp://127.0.0.1:{box.port}")
    assert (letter.status, box.taken) == (letters.FAILED, [])
    assert letter.id in caplog.text
    assert "given up" in caplog.text


def test_without_a_server_the_link_is_shown_to_the_operator(ground, caplog) -> None:
    written(ground, "verify", token="the-token")
    with caplog.at_level(logging.WARNING):
        letter = posted(ground, None)
    assert letter.status == letters.SHOWN
    assert "https://darkroom.example/link/the-token" in caplog.text
    assert TO in caplog.text


def test_with_a_server_no_link_is_logged(ground, caplog) -> None:
    written(ground, "verify", token="the-token")
    with Letterbox() as box, caplog.at_level(logging.DEBUG):
        box.answers = ["451 come again"]
        posted(ground, f"smtp://127.0.0.1:{box.port}")
        make_due(ground)
        posted(ground, f"smtp://127.0.0.1:{box.port}")
    assert "the-token" in box.taken[0].get_content()
    ours = [one.getMessage() for one in caplog.records if one.name.split(".")[0] != "mail"]
    assert ours
    assert not any("the-token" in line for line in ours)


@pytest.mark.parametrize("url", ["http://a", "smtp://", "smtp://a:x", "a.example", "smtp://[a"])
def test_what_is_no_mail_server_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(errors.ConfigInvalid, match="DARKROOM_SMTP_URL"):
        posting.server_of(settings(url))


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"smtp_url": "smtp://a"}, "DARKROOM_MAIL_FROM"),
        ({"smtp_url": "smtp://a", "mail_from": "a@b"}, "DARKROOM_PUBLIC_URL"),
        ({"oidc_issuer": "https://a"}, "DARKROOM_OIDC_CLIENT_ID"),
    ],
)
def test_what_is_set_by_halves_is_refused(given: dict[str, str], missing: str) -> None:
    with pytest.raises(errors.ConfigInvalid, match=f"{missing} is not"):
        config.load(given, {})
