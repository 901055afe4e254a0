"""Accounts: who owns keys, credits and tasks."""

from __future__ import annotations

import re
from datetime import datetime

import msgspec

from darkroom import config, errors, ids
from darkroom.storage.database import Transaction

_SAID_CHARS_MAX = 100
# Deliberately loose (one @, nothing that could end a header or begin another address): only a
# delivered letter proves an address.
_ODD = r"@\s\x00-\x1f\x7f<>(),;\\\""
_EMAIL = re.compile(rf"[^{_ODD}:\[\]]{{1,64}}@[^{_ODD}]{{1,190}}")


class Account(msgspec.Struct, frozen=True):
    """One account, its two balances in mill, its limits, and whether its files are signed.

    `weight` is its share of the workers beside other accounts; at most `running_max` of its tasks
    run at once and `waiting_max` more may wait; `requests_per_minute` None: as many as it likes.
    """

    id: str
    email: str
    is_admin: bool
    available_mill: int
    held_mill: int
    weight: float
    running_max: int
    waiting_max: int
    requests_per_minute: int | None
    has_provenance: bool
    created_at: datetime


class SignIn(msgspec.Struct, frozen=True):
    """What is needed to let somebody in; without a password they come another way."""

    id: str
    email: str
    password_hash: str | None
    verified_at: datetime | None
    suspended_at: datetime | None
    # Signed in from the same address already.
    is_known_here: bool
    # Has a second factor.
    needs_code: bool


class _Id(msgspec.Struct, frozen=True):
    id: str


class Limits(msgspec.Struct, frozen=True):
    """Limits to set; None leaves one as it is, 0 requests a minute means as many as it likes."""

    weight: float | None = None
    running_max: int | None = None
    waiting_max: int | None = None
    requests_per_minute: int | None = None


def first_limits(settings: config.Config) -> Limits:
    """The limits of a new account."""
    return Limits(
        running_max=settings.account_running_max,
        waiting_max=settings.account_waiting_max,
        requests_per_minute=settings.account_requests_per_minute,
    )


def check_email(email: str, *, field: str = "email") -> None:
    """Refuse what cannot be an e-mail address; raises `BadParameter` of the form's field."""
    if not _EMAIL.fullmatch(email):
        said = email if len(email) <= _SAID_CHARS_MAX else f"{email[:_SAID_CHARS_MAX]}…"
        raise errors.BadParameter(f'"{said}" is not an e-mail address.', field=field)


async def create(
    tx: Transaction, email: str, *, is_admin: bool = False, limits: Limits | None = None
) -> Account:
    """Create an account without credits; an e-mail address belongs to one account only."""
    check_email(email)
    account = await tx.first(
        Account, "accounts.insert", id=ids.new("acc"), email=email, is_admin=is_admin
    )
    if account is None:
        raise errors.BadParameter(f"{email} has an account already.", field="email")
    return account if limits is None else await limit(tx, account.id, limits)


async def get(tx: Transaction, account_id: str) -> Account:
    """The account with this id, which must exist."""
    return await tx.one(Account, "accounts.get", account_id=account_id)


async def lock(tx: Transaction, account_id: str) -> None:
    """Have others wait who lock the same account."""
    await tx.run("accounts.lock", account_id=account_id)


async def find(tx: Transaction, email: str) -> Account | None:
    """The account with this e-mail address, whatever its case."""
    return await tx.first(Account, "accounts.find", email=email)


async def list_all(tx: Transaction, *, rows_max: int = 10_000) -> list[Account]:
    """Accounts for the operator, the oldest first."""
    return await tx.all(Account, "accounts.list", rows_max=rows_max)


async def set_admin(tx: Transaction, account_id: str, *, is_admin: bool) -> Account:
    """Give an account the rights of an admin, or take them; the last admin keeps them."""
    changed = await tx.first(
        Account, "accounts.set_admin", account_id=account_id, is_admin=is_admin
    )
    if changed is None:
        raise errors.BadParameter("This is the last admin: make another one first.")
    return changed


async def limit(tx: Transaction, account_id: str, limits: Limits) -> Account:
    """Set limits of an account; tasks that are already admitted are not taken back."""
    return await tx.one(
        Account, "accounts.limit", account_id=account_id, **msgspec.structs.asdict(limits)
    )


async def set_provenance(tx: Transaction, account_id: str, *, has_provenance: bool) -> Account:
    """Whether what an account makes is signed and known again; tasks that run are left alone."""
    return await tx.one(
        Account, "accounts.set_provenance", account_id=account_id, has_provenance=has_provenance
    )


async def sign_in(tx: Transaction, email: str, *, ip: str | None = None) -> SignIn | None:
    """What is needed to let the owner of this e-mail address in, who comes from `ip`."""
    return await tx.first(SignIn, "accounts.sign_in", email=email, ip=ip)


async def owner(tx: Transaction, account_id: str) -> SignIn:
    """What is needed to let the owner of this account in, which must exist."""
    return await tx.one(SignIn, "accounts.owner", account_id=account_id)


async def lead(tx: Transaction, account_id: str) -> None:
    """Before an account's first way to sign in: the first account of an instance is its admin's."""
    await tx.run("accounts.take_turn")
    await tx.run("accounts.lead", account_id=account_id)


async def set_password(tx: Transaction, account_id: str, password_hash: str) -> None:
    """Keep an account's password, or rather its hash; the first of an instance is its admin's."""
    await lead(tx, account_id)
    await tx.run("accounts.set_password", account_id=account_id, password_hash=password_hash)


async def change_password(
    tx: Transaction, account_id: str, password_hash: str, *, was: str | None
) -> bool:
    """Keep the hash of another password; False where the one before it is not `was` any more."""
    await lead(tx, account_id)
    changed = await tx.first(
        _Id,
        "accounts.change_password",
        account_id=account_id,
        password_hash=password_hash,
        was=was,
    )
    return changed is not None


async def verify(tx: Transaction, account_id: str, email: str) -> None:
    """An address is proved to be the account's, and is its address from now on."""
    done = await tx.first(_Id, "accounts.verify", account_id=account_id, email=email)
    if done is None:
        raise errors.BadParameter(f"{email} has an account already.", field="email")
