"""Accounts: one e-mail address each, found whatever its case, locked without deadlocks."""

from __future__ import annotations

import asyncio

import pytest

from darkroom import errors
from darkroom.domain import accounts


def _run(ground, verb, *given, **named):
    async def story(database):
        async with database.transaction() as tx:
            return await verb(tx, *given, **named)

    return ground.run(story)


def test_an_account_begins_with_nothing(ground):
    account = _run(ground, accounts.create, "a@example.com", is_admin=True)
    assert (account.available_mill, account.held_mill, account.is_admin) == (0, 0, True)
    assert _run(ground, accounts.get, account.id) == account


def test_an_address_has_one_account_whatever_its_case(ground):
    account = _run(ground, accounts.create, "Some.One@Example.com")
    assert _run(ground, accounts.find, "some.one@EXAMPLE.com") == account
    with pytest.raises(errors.BadParameter, match="has an account already"):
        _run(ground, accounts.create, "SOME.ONE@example.com")


def test_an_unknown_address_is_none(ground):
    assert _run(ground, accounts.find, "nobody@example.com") is None


@pytest.mark.parametrize(
    "email",
    [
        *("", "a", "@", "a@", "@b", "a b@c", "a@b@c", "a@b\n", "x" * 65 + "@b", "a@" + "x" * 191),
        *("a@b\r\nBcc: c@d", "a,b@c", "a@b,c", "<a@b>", "a\x00@b", "a;b@c"),
    ],
)
def test_what_is_no_address_is_refused_with_its_field(ground, email):
    with pytest.raises(errors.BadParameter, match="is not an e-mail address") as refused:
        _run(ground, accounts.create, email)
    assert refused.value.field == "email"


def test_racing_creators_of_one_address_make_one_account(ground):
    async def create(database, number):
        try:
            async with database.transaction() as tx:
                await accounts.create(tx, "one@example.com" if number % 2 else "ONE@example.com")
        except errors.BadParameter:
            return False
        return True

    async def story(database):
        return await asyncio.gather(*(create(database, number) for number in range(20)))

    assert sum(ground.run(story)) == 1


def test_racing_first_passwords_make_one_admin(ground):
    made = [ground.account(0) for _ in range(8)]

    async def register(database, account):
        async with database.transaction() as tx:
            await accounts.set_password(tx, account.id, "a hash")

    async def story(database):
        await asyncio.gather(*(register(database, account) for account in made))
        async with database.statement() as tx:
            return [(await accounts.get(tx, account.id)).is_admin for account in made]

    assert sum(ground.run(story)) == 1


def test_a_password_that_changed_meanwhile_is_not_overwritten(ground):
    account = ground.account(0)
    assert _run(ground, accounts.change_password, account.id, "one", was=None)
    assert not _run(ground, accounts.change_password, account.id, "two", was=None)
    assert _run(ground, accounts.change_password, account.id, "two", was="one")


def test_an_address_of_another_account_is_not_verified(ground):
    one, other = ground.account(0), ground.account(0)
    with pytest.raises(errors.BadParameter, match="has an account already"):
        _run(ground, accounts.verify, one.id, other.email.upper())
    _run(ground, accounts.verify, one.id, one.email.upper())
    assert _run(ground, accounts.owner, one.id).verified_at is not None
