"""`darkroom account`: let people in: by an invitation, a link, or without their second factor."""

from __future__ import annotations

import os
from typing import Any

import click

from darkroom import config, errors
from darkroom.cli import connect, output, serving
from darkroom.config import Config
from darkroom.domain import accounts, acts, letters, links, second_factors
from darkroom.domain.acts import Deed
from darkroom.storage.database import Database, Transaction


def address_of(settings: Config) -> str:
    """The address under which people reach the server with these settings."""
    if settings.public_url is not None:
        return settings.public_url.rstrip("/")
    return serving.address(settings.host, settings.port)


async def sign_in_link(tx: Transaction, account: accounts.Account, address: str) -> str:
    """A link that signs an account in once; the one that it had before ends."""
    token = await links.make(tx, "sign_in", account_id=account.id, email=account.email)
    return letters.link_to(address, token)


@click.command()
@click.argument("email")
@connect.options
@output.json_option
def invite(email: str, as_json: bool, **flags: Any) -> None:
    """Invite EMAIL to make an account: print the link, and send it where a mail server is set."""
    settings = config.load(flags, os.environ)
    address = address_of(settings)

    async def story(database: Database) -> str:
        accounts.check_email(email)
        async with database.transaction() as tx:
            if await accounts.find(tx, email) is not None:
                raise errors.BadParameter(f"{email} has an account already.")
            token = await links.make(tx, "invite", email=email)
            await acts.record(tx, acts.CLI, Deed("account.invite", email))
            if settings.smtp_url is not None:
                await letters.write(tx, "invite", email, address=address, token=token)
            return letters.link_to(address, token)

    made = connect.run(flags, story)
    is_sent = settings.smtp_url is not None
    if as_json:
        output.document({"email": email, "link": made, "letter": is_sent})
    else:
        click.echo(made)
        output.note(
            f"It makes the account of {email}, once, within a week."
            + (" A letter with it is on its way." if is_sent else "")
        )


@click.command()
@click.argument("email")
@connect.options
@output.json_option
def link(email: str, as_json: bool, **flags: Any) -> None:
    """Print a link that logs the account of EMAIL in, once, and has it set a password."""
    address = address_of(config.load(flags, os.environ))

    async def story(database: Database) -> str:
        async with database.transaction() as tx:
            found = await connect.find_account(tx, email)
            await acts.record(tx, acts.CLI, Deed("account.link", found.id, found.id))
            return await sign_in_link(tx, found, address)

    made = connect.run(flags, story)
    if as_json:
        output.document({"email": email, "link": made})
    else:
        click.echo(made)
        output.note("It works once, within a day. Whoever has it is let in: keep it safe.")


@click.command("reset-totp")
@click.argument("email")
@connect.options
@output.json_option
def reset_totp(email: str, as_json: bool, **flags: Any) -> None:
    """Turn off the second factor of the account of EMAIL, whose owner lost it."""

    async def story(database: Database) -> bool:
        async with database.transaction() as tx:
            found = await connect.find_account(tx, email)
            removed = await second_factors.remove(tx, found.id)
            if removed:
                await acts.record(tx, acts.CLI, Deed("account.reset_totp", found.id, found.id))
            return removed

    was_on = connect.run(flags, story)
    if as_json:
        output.document({"email": email, "removed": was_on})
    else:
        click.echo(f"{email} has no second factor{' any more' if was_on else ''}.")
