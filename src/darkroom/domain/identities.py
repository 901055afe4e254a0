"""Identities: who an OpenID Connect issuer says somebody is, and whose account that opens."""

from __future__ import annotations

from datetime import datetime

import msgspec

from darkroom import errors
from darkroom.domain import accounts, links
from darkroom.domain.accounts import Limits
from darkroom.storage.database import Transaction


class Person(msgspec.Struct, frozen=True):
    """Whom an issuer vouches for: known for ever by issuer and subject, never by the address."""

    issuer: str
    subject: str
    email: str | None
    is_email_verified: bool


class Identity(msgspec.Struct, frozen=True):
    """One binding as the account's owner sees it."""

    issuer: str
    subject: str
    email: str | None
    created_at: datetime


class _Owner(msgspec.Struct, frozen=True):
    account_id: str


async def find(tx: Transaction, person: Person) -> str | None:
    """The id of the account that this person opens."""
    found = await tx.first(_Owner, "identities.find", issuer=person.issuer, subject=person.subject)
    return found.account_id if found else None


async def list_for(tx: Transaction, account_id: str) -> list[Identity]:
    """Who opens this account by an issuer's word."""
    return await tx.all(Identity, "identities.list", account_id=account_id)


async def bind(tx: Transaction, account_id: str, person: Person) -> None:
    """Let a person open an account; raises where that person opens another one."""
    await accounts.lead(tx, account_id)
    bound = await tx.first(
        _Owner,
        "identities.insert",
        account_id=account_id,
        issuer=person.issuer,
        subject=person.subject,
        email=person.email,
    )
    if bound is None and await find(tx, person) != account_id:
        raise errors.BadParameter("That sign-in belongs to another account here.")


async def unbind(tx: Transaction, account_id: str, issuer: str) -> None:
    """Let an issuer's word open an account no more; it must have a password to be opened with."""
    removed = await tx.all(_Owner, "identities.remove", account_id=account_id, issuer=issuer)
    if not removed:
        raise errors.BadParameter("Set a password first: nothing else would open your account.")


async def admit(tx: Transaction, person: Person, *, sign_up: str, limits: Limits) -> str:
    """The account of a person who is not signed in, bound or made now; answers its id.

    An account that is there is bound only by an address that the issuer calls verified and that
    was verified here too: otherwise whoever registered first with another's address would share
    the account with its owner.
    """
    if account_id := await find(tx, person):
        return account_id
    if person.email is None or not person.is_email_verified:
        raise errors.PermissionDenied(
            "Your account there has no verified e-mail address. Verify it there, or log in here "
            "with your password and connect the two in the settings."
        )
    there = await accounts.sign_in(tx, person.email)
    if there is not None:
        if there.verified_at is None:
            raise errors.PermissionDenied(
                "There is an account with your e-mail address whose owner never verified it. Log "
                "in with its password and connect the two in the settings."
            )
        await bind(tx, there.id, person)
        return there.id
    is_open = sign_up == "open" or (
        sign_up == "invite" and await links.take_invite(tx, person.email)
    )
    if not is_open:
        raise errors.SignUpClosed
    made = await accounts.create(tx, person.email, limits=limits)
    await accounts.verify(tx, made.id, person.email)
    await bind(tx, made.id, person)
    return made.id
