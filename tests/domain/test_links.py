"""Links: each does its one thing once, for a while, and for whom it was made."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from darkroom.domain import letters, links

EMAIL = "new@example.com"


def run(ground, verb, *given, **named):
    async def story(database):
        async with database.transaction() as tx:
            return await verb(tx, *given, **named)

    return ground.run(story)


def age(ground, table: str) -> None:
    """Let the time of everything in a table be over."""
    with psycopg.connect(ground.conninfo) as connection:
        connection.execute(f"UPDATE {table} SET expires_at = now() - interval '1 second'")


def test_a_link_is_used_once_however_many_come_together(ground) -> None:
    token = run(ground, links.make, "register", email=EMAIL)

    async def take(database):
        async with database.transaction() as tx:
            return await links.take(tx, token, "register")

    async def story(database):
        return await asyncio.gather(*(take(database) for _ in range(10)))

    taken = [one for one in ground.run(story) if one is not None]
    assert [one.email for one in taken] == [EMAIL]
    assert run(ground, links.find, token) is None


def test_a_link_runs_out(ground) -> None:
    token = run(ground, links.make, "register", email=EMAIL)
    assert run(ground, links.find, token).email == EMAIL
    age(ground, "links")
    assert run(ground, links.find, token) is None
    assert run(ground, links.take, token, "register") is None
    assert run(ground, links.forget, rows_max=10) == 1


def test_a_link_serves_its_purpose_only(ground) -> None:
    token = run(ground, links.make, "register", email=EMAIL)
    assert run(ground, links.take, token, "reset") is None
    assert run(ground, links.take, token[:-1], "register") is None
    assert run(ground, links.take, token, "register") is not None


def test_only_the_browser_it_was_made_for_uses_it(ground) -> None:
    token = run(ground, links.make, "issuer", browser_token="one", data={"nonce": "n"})
    assert run(ground, links.take, token, "issuer", browser_token="another") is None
    assert run(ground, links.take, token, "issuer") is None
    taken = run(ground, links.take, token, "issuer", browser_token="one")
    assert taken.data == {"nonce": "n"}


@pytest.mark.parametrize("purpose", ["register", "invite", "verify", "reset", "sign_in"])
def test_a_newer_link_takes_the_place_of_the_older(ground, purpose: str) -> None:
    account = ground.account() if purpose not in ("register", "invite") else None
    whose = {"account_id": account.id if account else None, "email": EMAIL}
    older = run(ground, links.make, purpose, **whose)
    other = run(ground, links.make, purpose, email="other@example.com")
    newer = run(ground, links.make, purpose, **{**whose, "email": EMAIL.upper()})
    assert run(ground, links.find, older) is None
    assert run(ground, links.find, newer) is not None
    assert run(ground, links.find, other) is not None


def test_no_token_is_kept(ground) -> None:
    token = run(ground, links.make, "register", email=EMAIL)
    with psycopg.connect(ground.conninfo) as connection:
        [kept] = connection.execute("SELECT links::text FROM links").fetchone()
    assert token not in kept


@pytest.mark.parametrize("status", [letters.SENT, letters.SHOWN, letters.FAILED])
def test_a_letter_keeps_its_link_as_long_as_it_needs_it(ground, status: str) -> None:
    token = run(ground, links.make, "register", email=EMAIL)
    run(ground, letters.write, "register", EMAIL, address="http://a.example", token=token)
    [claimed] = run(ground, letters.claim, rows_max=10, lease_seconds=60)
    assert claimed.link == f"http://a.example/link/{token}"
    assert claimed.link in claimed.text
    run(ground, letters.record, claimed, status)
    [listed] = run(ground, letters.list_all, with_link=False)
    is_shown = status == letters.SHOWN
    assert listed.status == status
    assert (listed.link == claimed.link) is is_shown
    run(ground, links.take, token, "register")
    with psycopg.connect(ground.conninfo) as connection:
        [kept] = connection.execute("SELECT letters::text FROM letters").fetchone()
    assert token not in kept
    assert run(ground, letters.list_all, with_link=True) == []


def test_a_letter_forgets_a_link_that_ran_out(ground) -> None:
    token = run(ground, links.make, "register", email=EMAIL)
    run(ground, letters.write, "register", EMAIL, address="http://a.example", token=token)
    [claimed] = run(ground, letters.claim, rows_max=10, lease_seconds=60)
    run(ground, letters.record, claimed, letters.SHOWN)
    age(ground, "letters")
    age(ground, "links")
    run(ground, letters.forget, rows_max=10)
    with psycopg.connect(ground.conninfo) as connection:
        [kept] = connection.execute("SELECT letters::text FROM letters").fetchone()
    assert token not in kept


def test_a_letter_is_leased_to_one_and_recorded_by_the_last(ground) -> None:
    run(ground, letters.write, "changed", EMAIL, address="http://a.example")
    [first] = run(ground, letters.claim, rows_max=10, lease_seconds=0)
    [second] = run(ground, letters.claim, rows_max=10, lease_seconds=60)
    assert run(ground, letters.claim, rows_max=10, lease_seconds=60) == []
    run(ground, letters.record, first, letters.SENT)
    assert run(ground, letters.list_all, with_link=False)[0].status == letters.PENDING
    run(ground, letters.record, second, letters.SENT)
    assert run(ground, letters.list_all, with_link=False)[0].status == letters.SENT


def test_a_rolled_back_transaction_writes_no_letter(ground) -> None:
    async def story(database):
        async with database.transaction() as tx:
            await letters.write(tx, "changed", EMAIL, address="http://a.example")
            raise LookupError

    with pytest.raises(LookupError):
        ground.run(story)
    assert run(ground, letters.list_all, with_link=False) == []
