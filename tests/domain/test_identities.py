"""Identities: known by issuer and subject, and bound to an account only where that is safe."""

from __future__ import annotations

import asyncio

import pytest

from darkroom import errors
from darkroom.domain import accounts, identities, links
from darkroom.domain.accounts import Limits
from darkroom.domain.identities import Person

ANN = Person("https://issuer.example", "ann-1", "ann@example.com", True)


def run(ground, verb, *given, **named):
    async def story(database):
        async with database.transaction() as tx:
            return await verb(tx, *given, **named)

    return ground.run(story)


def admit(ground, person: Person, sign_up: str = "open") -> str:
    return run(ground, identities.admit, person, sign_up=sign_up, limits=Limits())


def changed(person: Person, **values) -> Person:
    kept = {name: getattr(person, name) for name in Person.__match_args__}
    return Person(**{**kept, **values})


def test_a_new_person_gets_a_verified_account_and_comes_back_to_it(ground) -> None:
    made = admit(ground, ANN)
    assert run(ground, accounts.owner, made).verified_at is not None
    # The address may change there: it is the subject that counts.
    assert admit(ground, changed(ANN, email="else@example.com", is_email_verified=False)) == made


def test_the_first_of_an_instance_is_its_admin(ground) -> None:
    async def enter(database, number: int):
        person = changed(ANN, subject=f"s-{number}", email=f"p{number}@example.com")
        async with database.transaction() as tx:
            return await identities.admit(tx, person, sign_up="open", limits=Limits())

    async def story(database):
        made = await asyncio.gather(*(enter(database, number) for number in range(6)))
        async with database.statement() as tx:
            return [(await accounts.get(tx, one)).is_admin for one in made]

    assert sum(ground.run(story)) == 1


@pytest.mark.parametrize(
    "person", [changed(ANN, is_email_verified=False), changed(ANN, email=None)]
)
def test_an_address_that_is_not_verified_there_makes_no_account(ground, person: Person) -> None:
    with pytest.raises(errors.PermissionDenied, match="no verified e-mail"):
        admit(ground, person)


def test_a_verified_account_with_the_address_is_bound(ground) -> None:
    account = run(ground, accounts.create, "Ann@Example.com")
    run(ground, accounts.verify, account.id, account.email)
    assert admit(ground, ANN, "closed") == account.id


def test_an_account_whose_address_nobody_verified_is_not_bound(ground) -> None:
    run(ground, accounts.create, "ann@example.com")
    with pytest.raises(errors.PermissionDenied, match="never verified"):
        admit(ground, ANN)


def test_sign_up_holds_for_who_comes_by_an_issuer_too(ground) -> None:
    for sign_up in ("closed", "invite"):
        with pytest.raises(errors.SignUpClosed):
            admit(ground, ANN, sign_up)
    run(ground, links.make, "invite", email="ANN@example.com")
    with pytest.raises(errors.SignUpClosed):
        admit(ground, ANN, "closed")
    assert admit(ground, ANN, "invite")


def test_nobody_opens_two_accounts(ground) -> None:
    one, other = ground.account().id, ground.account().id
    run(ground, identities.bind, one, ANN)
    run(ground, identities.bind, one, ANN)
    with pytest.raises(errors.BadParameter, match="another account"):
        run(ground, identities.bind, other, ANN)
    assert run(ground, identities.find, changed(ANN, issuer="https://else.example")) is None


def test_the_last_way_in_stays(ground) -> None:
    one = ground.account().id
    run(ground, identities.bind, one, ANN)
    with pytest.raises(errors.BadParameter, match="Set a password first"):
        run(ground, identities.unbind, one, ANN.issuer)
    run(ground, accounts.set_password, one, "a hash")
    run(ground, identities.unbind, one, ANN.issuer)
    assert run(ground, identities.list_for, one) == []
