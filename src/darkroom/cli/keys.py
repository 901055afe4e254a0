"""`darkroom key`: create, list and revoke API keys."""

from __future__ import annotations

import os
from typing import Any

import click

from darkroom import config, errors
from darkroom.cli import connect, output
from darkroom.domain import acts, api_keys, powers
from darkroom.domain.api_keys import ApiKey
from darkroom.storage.database import Database


@click.group()
def key() -> None:
    """Create, list and revoke API keys."""


@key.command()
@click.argument("email")
@click.option("--name", default="default", help="What the key is for.")
@click.option("--wire", type=click.Choice(api_keys.WIRES), help="Spelling of its answers.")
@connect.options
@output.json_option
def create(email: str, name: str, wire: str | None, as_json: bool, **flags: Any) -> None:
    """Create an API key for the account of EMAIL; it is shown this one time."""
    wire = wire or config.load(flags, os.environ).wire

    async def story(database: Database) -> tuple[str, ApiKey]:
        async with database.transaction() as tx:
            found = await connect.find_account(tx, email)
            return await api_keys.create(tx, found.id, name=name, wire=wire)

    made, row = connect.run(flags, story)
    if as_json:
        output.document({"key": made, "key_id": row.id, "wire": row.wire})
    else:
        click.echo(made)
        output.note("Keep it safe: only its hash is kept here, and it is not shown again.")


@key.command("list")
@click.argument("email")
@connect.options
@output.json_option
def list_keys(email: str, as_json: bool, **flags: Any) -> None:
    """List the API keys of the account of EMAIL, newest first."""

    async def story(database: Database) -> list[ApiKey]:
        async with database.statement() as tx:
            found = await connect.find_account(tx, email)
            return await api_keys.list_for(tx, found.id)

    found = [_shown(row) for row in connect.run(flags, story)]
    if as_json:
        output.document(found)
    else:
        columns = ("key_id", "name", "mask", "wire", "created_at", "last_used_at", "revoked_at")
        output.table(columns, [[row[column] for column in columns] for row in found])


def _shown(row: ApiKey) -> dict[str, Any]:
    ats = {
        name: at.isoformat(timespec="seconds") if at else None
        for name, at in (
            ("created_at", row.created_at),
            ("last_used_at", row.last_used_at),
            ("revoked_at", row.revoked_at),
        )
    }
    return {
        "key_id": row.id,
        "name": row.name,
        "mask": row.mask,
        "wire": row.wire,
        "requests_per_minute": row.requests_per_minute or 0,
        **ats,
    }


def _found(named: str, rows: list[ApiKey]) -> list[ApiKey]:
    if not rows:
        raise errors.BadParameter(
            f"No live key is named {named}: `darkroom key list EMAIL` shows ids and masks."
        )
    return rows


@key.command()
@click.argument("named", metavar="KEY_ID_OR_MASK")
@click.option(
    "--requests", type=click.IntRange(0), required=True, help="Requests a minute; 0: no limit."
)
@connect.options
@output.json_option
def limit(named: str, requests: int, as_json: bool, **flags: Any) -> None:
    """Set how many requests a minute the API key with this id or mask may send."""

    async def story(database: Database) -> list[ApiKey]:
        async with database.transaction() as tx:
            return await api_keys.limit(tx, named, requests)

    limited = _found(named, connect.run(flags, story))
    if as_json:
        output.document([_shown(row) for row in limited])
    else:
        said = f"{requests} requests a minute" if requests else "as many requests as it likes"
        click.echo("\n".join(f"{row.id} ({row.mask}): {said}." for row in limited))


@key.command()
@click.argument("named", metavar="KEY_ID_OR_MASK")
@connect.options
@output.json_option
def revoke(named: str, as_json: bool, **flags: Any) -> None:
    """End the API key with this id or mask, for ever, within a second."""

    async def story(database: Database) -> list[ApiKey]:
        async with database.transaction() as tx:
            return await powers.revoke_key(tx, acts.CLI, named)

    revoked = _found(named, connect.run(flags, story))
    if as_json:
        output.document({"revoked": [row.id for row in revoked]})
    else:
        click.echo("\n".join(f"Revoked {row.id} ({row.mask})." for row in revoked))
