"""`darkroom grant`: give an account credits."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

import click

from darkroom import errors
from darkroom.cli import connect, output
from darkroom.domain import accounts, acts, ledger, powers
from darkroom.storage.database import Database


def to_mill(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """An amount of credits with at most three decimals, as whole mill."""
    try:
        return ledger.mill(Decimal(value))
    except (InvalidOperation, errors.BadParameter) as exc:
        raise click.BadParameter(
            f"{value} is no amount of credits with at most three decimals."
        ) from exc


@click.command()
@click.argument("email")
@click.argument("amount_mill", metavar="CREDITS", callback=to_mill)
@connect.options
@output.json_option
def grant(email: str, amount_mill: int, as_json: bool, **flags: Any) -> None:
    """Give the account with the e-mail address EMAIL more CREDITS."""

    async def story(database: Database) -> accounts.Account:
        async with database.transaction() as tx:
            found = await connect.find_account(tx, email)
            note = "granted by the operator"
            return await powers.grant(tx, acts.CLI, found.id, amount_mill, note)

    balance = ledger.credits_of(connect.run(flags, story).available_mill)
    if as_json:
        output.document({"balance": balance})
    else:
        click.echo(f"{email} has {balance} credits.")
