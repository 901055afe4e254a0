"""Accounts: who owns keys, credits and tasks."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from datetime import datetime

from darkroom import config, errors, ids
from darkroom.storage.database import Transaction

# Deliberately loose (one @, no spaces): only a delivered letter proves an address.
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")


@dataclass(frozen=True, slots=True)
class Account:
    """One account, its two balances in mill, and its limits.

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
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SignIn:
    """What is needed to let somebody in; without a password they come another way."""

    id: str
    email: str
    password_hash: str | None
    verified_at: datetime | None
    suspended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Limits:
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


async def create(
    tx: Transaction, email: str, *, is_admin: bool = False, limits: Limits | None = None
) -> Account:
    """Create an account without credits; an e-mail address belongs to one account only."""
    if not _EMAIL.fullmatch(email):
        raise errors.BadParameter(f'"{email}" is not an e-mail address.', field="email")
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
        Account, "accounts.limit", account_id=account_id, **dataclasses.asdict(limits)
    )


async def sign_in(tx: Transaction, email: str) -> SignIn | None:
    """What is needed to let the owner of this e-mail address in."""
    return await tx.first(SignIn, "accounts.sign_in", email=email)


async def set_password(tx: Transaction, account_id: str, password_hash: str) -> None:
    """Keep an account's password, or rather its hash; the first of an instance is its admin's."""
    await tx.run("accounts.take_turn")
    await tx.run("accounts.lead", account_id=account_id)
    await tx.run("accounts.set_password", account_id=account_id, password_hash=password_hash)
