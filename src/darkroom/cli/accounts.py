"""`darkroom account`: create, list, limit, suspend and delete accounts, and let people in."""

from __future__ import annotations

import os
from typing import Any

import click

from darkroom import config
from darkroom.cli import admissions, connect, output
from darkroom.cli.grants import to_mill
from darkroom.domain import accounts, acts, ledger, powers
from darkroom.domain.accounts import Account
from darkroom.domain.suspensions import Suspension
from darkroom.storage.database import Database


@click.group()
def account() -> None:
    """Create, list, limit, suspend and delete accounts, and let people in."""


@account.command()
@click.argument("email")
@click.option(
    "--credits",
    "amount_mill",
    callback=to_mill,
    metavar="N",
    default="0",
    help="Credits to give.",
)
@click.option("--admin", is_flag=True, help="Mark it as an administrator's.")
@connect.options
@output.json_option
def create(email: str, amount_mill: int, admin: bool, as_json: bool, **flags: Any) -> None:
    """Create an account for the e-mail address EMAIL."""
    limits = accounts.first_limits(config.load(flags, os.environ))

    async def story(database: Database) -> Account:
        async with database.transaction() as tx:
            made = await powers.create_account(tx, acts.CLI, email, is_admin=admin, limits=limits)
            if amount_mill:
                note = "granted with the account"
                await powers.grant(tx, acts.CLI, made.id, amount_mill, note)
            return await accounts.get(tx, made.id)

    made = connect.run(flags, story)
    balance = ledger.credits_of(made.available_mill)
    if as_json:
        output.document({"account_id": made.id, "email": made.email, "balance": balance})
    else:
        click.echo(f"Made the account {made.id} for {made.email}, with {balance} credits.")
        click.echo(f"Its first API key: darkroom key create {made.email}")
        click.echo(f"To the console:    darkroom account link {made.email}")


@account.command("list")
@connect.options
@output.json_option
def list_accounts(as_json: bool, **flags: Any) -> None:
    """List all accounts with their credits."""

    async def story(database: Database) -> list[Account]:
        async with database.statement() as tx:
            return await accounts.list_all(tx)

    found = [_shown(one) for one in connect.run(flags, story)]
    if as_json:
        output.document(found)
    else:
        columns = ("account_id", "email", "balance", "held", "is_admin", "created_at")
        rows = [[row[column] for column in columns] for row in found]
        output.table(columns, rows, numbers="balance held")


@account.command()
@click.argument("email")
@click.option("--weight", type=click.FloatRange(0.01, 100), help="Its share beside others (1).")
@click.option("--running", type=click.IntRange(1), help="Tasks that run at once.")
@click.option("--waiting", type=click.IntRange(0), help="Tasks that may wait beyond these.")
@click.option("--requests", type=click.IntRange(0), help="Requests a minute; 0: no limit.")
@connect.options
@output.json_option
def limit(email: str, as_json: bool, **flags: Any) -> None:
    """Set limits of the account of EMAIL; those that are not named stay as they are."""
    limits = accounts.Limits(
        flags.pop("weight"), flags.pop("running"), flags.pop("waiting"), flags.pop("requests")
    )

    async def story(database: Database) -> Account:
        async with database.transaction() as tx:
            found = await connect.find_account(tx, email)
            return await powers.limit(tx, acts.CLI, found.id, limits)

    shown = _limits(connect.run(flags, story))
    if as_json:
        output.document(shown)
    else:
        output.table([*shown], [[*shown.values()]])


@account.command()
@click.argument("email")
@click.option("--reason", required=True, help="Why, as its owner is told.")
@click.option("--cancel", "cancel_waiting", is_flag=True, help="Cancel what it has waiting, too.")
@connect.options
@output.json_option
def suspend(email: str, reason: str, cancel_waiting: bool, as_json: bool, **flags: Any) -> None:
    """Suspend the account of EMAIL: its keys are refused until it is resumed."""

    async def story(database: Database) -> Suspension:
        async with database.transaction() as tx:
            found = await connect.find_account(tx, email)
            return await powers.suspend(
                tx, acts.CLI, found.id, reason, cancel_waiting=cancel_waiting
            )

    _tell(connect.run(flags, story), f"Suspended {email}.", as_json)


@account.command()
@click.argument("email")
@connect.options
@output.json_option
def resume(email: str, as_json: bool, **flags: Any) -> None:
    """End the suspension of the account of EMAIL."""

    async def story(database: Database) -> Suspension:
        async with database.transaction() as tx:
            found = await connect.find_account(tx, email)
            return await powers.resume(tx, acts.CLI, found.id)

    _tell(connect.run(flags, story), f"{email} may ask again.", as_json)


@account.command()
@click.argument("email")
@click.option("--remove", is_flag=True, help="Take the rights away.")
@connect.options
@output.json_option
def admin(email: str, remove: bool, as_json: bool, **flags: Any) -> None:
    """Give the account of EMAIL the rights of an administrator."""

    async def story(database: Database) -> Account:
        async with database.transaction() as tx:
            found = await connect.find_account(tx, email)
            return await powers.set_admin(tx, acts.CLI, found.id, is_admin=not remove)

    changed = connect.run(flags, story)
    if as_json:
        output.document({"account_id": changed.id, "is_admin": changed.is_admin})
    else:
        click.echo(f"{email} is {'an' if changed.is_admin else 'no'} administrator.")


@account.command()
@click.argument("email")
@click.option("--off", is_flag=True, help="Neither sign what it makes nor keep its looks.")
@connect.options
@output.json_option
def provenance(email: str, off: bool, as_json: bool, **flags: Any) -> None:
    """Have the files that the account of EMAIL makes signed, and known again."""

    async def story(database: Database) -> Account:
        async with database.transaction() as tx:
            found = await connect.find_account(tx, email)
            return await powers.set_provenance(tx, acts.CLI, found.id, has_provenance=not off)

    changed = connect.run(flags, story)
    if as_json:
        output.document({"account_id": changed.id, "has_provenance": changed.has_provenance})
    else:
        said = "are signed" if changed.has_provenance else "are not signed"
        click.echo(f"The files that {email} makes {said}.")


@account.command()
@click.argument("email")
@click.confirmation_option(prompt="Delete the account, its files and its history, for good?")
@connect.options
@output.json_option
def delete(email: str, as_json: bool, **flags: Any) -> None:
    """Delete the account of EMAIL with all that it made, for good; the books stay."""

    async def story(database: Database) -> Account:
        async with database.transaction() as tx:
            found = await connect.find_account(tx, email)
            await powers.delete_account(tx, acts.CLI, found.id)
        return found

    gone = connect.run(flags, story)
    left = ledger.credits_of(gone.available_mill)
    if as_json:
        output.document({"account_id": gone.id, "balance": left})
    else:
        click.echo(f"Nobody gets into {gone.id} any more; its files and history go within minutes.")
        click.echo(f"{left} credits were left in it, and stay in the books.")


def _tell(one: Suspension, said: str, as_json: bool) -> None:
    if as_json:
        at = one.suspended_at.isoformat(timespec="seconds") if one.suspended_at else None
        output.document({"account_id": one.account_id, "suspended_at": at, "reason": one.reason})
    else:
        click.echo(said)


for _command in (admissions.invite, admissions.link, admissions.reset_totp):
    account.add_command(_command)


def _shown(one: Account) -> dict[str, Any]:
    return {
        "account_id": one.id,
        "email": one.email,
        "balance": ledger.credits_of(one.available_mill),
        "held": ledger.credits_of(one.held_mill),
        "is_admin": one.is_admin,
        **_limits(one),
        "has_provenance": one.has_provenance,
        "created_at": one.created_at.isoformat(timespec="seconds"),
    }


def _limits(one: Account) -> dict[str, Any]:
    return {
        "weight": round(one.weight, 3),
        "running_max": one.running_max,
        "waiting_max": one.waiting_max,
        "requests_per_minute": one.requests_per_minute or 0,
    }
