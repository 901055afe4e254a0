"""`darkroom key`: create, list, limit, rotate and revoke API keys."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import click
import msgspec
from msgspec.structs import replace

from darkroom import config, errors
from darkroom.cli import connect, house, output
from darkroom.cli.grants import to_mill
from darkroom.domain import acts, api_keys, ledger, powers
from darkroom.domain.api_keys import ApiKey, Rules
from darkroom.storage.database import Database, Transaction

# What stands for every model, and for every host.
ANY = "any"


@click.group()
def key() -> None:
    """Create, list, limit, rotate and revoke API keys."""


def _to_mill(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    return None if value is None else to_mill(ctx, param, value)


def _rules(command: connect.Command) -> connect.Command:
    """The options that say what a key may do, and until when."""
    for option in (
        click.option("--days", type=click.IntRange(0), help="Days until it ends; 0: never."),
        click.option(
            "--callback-host",
            "callback_hosts",
            multiple=True,
            help="A host that a webhook_url may have; any: every one.",
        ),
        click.option(
            "--model", "models", multiple=True, help="A model it may use; any: every one."
        ),
        click.option("--per", type=click.Choice(api_keys.PERIODS), help="Of what --spend is."),
        click.option(
            "--spend", callback=_to_mill, metavar="N", help="Credits it may spend; 0: no limit."
        ),
        click.option("--requests", type=click.IntRange(0), help="Requests a minute; 0: no limit."),
    ):
        command = option(command)
    return command


class _Given(msgspec.Struct, frozen=True):
    """What was given of these options; None: nothing was."""

    requests: int | None
    spend: int | None
    per: str | None
    models: Sequence[str] | None
    callback_hosts: Sequence[str] | None
    days: int | None

    def over(self, now: Rules) -> Rules:
        """The rules with what was given in its place."""
        if self.requests is not None:
            now = replace(now, requests_per_minute=self.requests or None)
        if self.spend is not None:
            now = replace(now, spend_mill_max=self.spend or None)
        if self.models is not None:
            now = replace(now, models=self.models)
        if self.callback_hosts is not None:
            now = replace(now, callback_hosts=self.callback_hosts)
        return replace(now, spend_period=self.per or now.spend_period or api_keys.PERIODS[0])


def _given(flags: dict[str, Any]) -> _Given:
    """Takes these options out of the flags; raises a refusal for a model that is not known."""
    names = ("requests", "spend", "per", "models", "callback_hosts", "days")
    values = {name: flags.pop(name) for name in names}
    for name in ("models", "callback_hosts"):
        values[name] = () if ANY in values[name] else values[name] or None
    if values["models"]:
        known = house.read_models(config.load(flags, os.environ))
        for one in values["models"]:
            if one not in known:
                raise errors.BadParameter(
                    f'No model is named "{one}": `darkroom models` lists them.'
                )
    return _Given(**values)


@key.command()
@click.argument("email")
@click.option("--name", default="default", help="What the key is for.")
@click.option("--wire", type=click.Choice(api_keys.WIRES), help="Spelling of its answers.")
@_rules
@connect.options
@output.json_option
def create(email: str, name: str, wire: str | None, as_json: bool, **flags: Any) -> None:
    """Create an API key for the account of EMAIL; it is shown this one time."""
    given = _given(flags)
    wire = wire or config.load(flags, os.environ).wire

    async def story(database: Database) -> tuple[str, ApiKey]:
        async with database.transaction() as tx:
            found = await connect.find_account(tx, email)
            rules, days = given.over(Rules()), given.days or None
            return await api_keys.create(tx, found.id, name=name, wire=wire, rules=rules, days=days)

    _show_made(*connect.run(flags, story), as_json)


def _show_made(made: str, row: ApiKey, as_json: bool) -> None:
    if as_json:
        output.document({"key": made, **_shown(row)})
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

    _show([_shown(row) for row in connect.run(flags, story)], as_json)


_COLUMNS = ("key_id", "name", "mask", "wire", "spent", "spend_limit", "spend_period", "models")
_INSTANTS = ("created_at", "expires_at", "last_used_at", "revoked_at")


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        output.document(rows)
        return
    lines = [row | {"models": ", ".join(row["models"])} for row in rows]
    columns = (*_COLUMNS, *_INSTANTS)
    output.table(columns, [[row[column] for column in columns] for row in lines])


def _shown(row: ApiKey) -> dict[str, Any]:
    limit = row.spend_mill_max
    return {
        "key_id": row.id,
        "name": row.name,
        "mask": row.mask,
        "wire": row.wire,
        "requests_per_minute": row.requests_per_minute or 0,
        "spent": ledger.credits_of(row.spent_mill),
        "spend_limit": None if limit is None else ledger.credits_of(limit),
        "spend_period": row.spend_period,
        "models": row.models,
        "callback_hosts": row.callback_hosts,
        **{
            name: at.isoformat(timespec="seconds") if (at := getattr(row, name)) else None
            for name in _INSTANTS
        },
    }


def _found(named: str, rows: list[ApiKey]) -> list[ApiKey]:
    if not rows:
        raise errors.BadParameter(
            f"No live key is named {named}: `darkroom key list EMAIL` shows ids and masks."
        )
    return rows


@key.command()
@click.argument("named", metavar="KEY_ID_OR_MASK")
@click.option("--name", help="What the key is for.")
@_rules
@connect.options
@output.json_option
def limit(named: str, name: str | None, as_json: bool, **flags: Any) -> None:
    """Set what the API key with this id or mask may do; what is not named stays as it is."""
    given = _given(flags)

    async def change(tx: Transaction, row: ApiKey) -> ApiKey:
        rules = given.over(row.rules)
        changed = await api_keys.change(tx, row, name=name or row.name, rules=rules)
        if given.days is None:
            return changed
        return await api_keys.expire(tx, row, given.days or None)

    async def story(database: Database) -> list[ApiKey]:
        async with database.transaction() as tx:
            found = _found(named, await api_keys.named(tx, named))
            return [await change(tx, row) for row in found]

    _show([_shown(row) for row in connect.run(flags, story)], as_json)


@key.command()
@click.argument("named", metavar="KEY_ID_OR_MASK")
@click.option(
    "--overlap",
    type=click.IntRange(0, config.KEY_OVERLAP_HOURS_MAX),
    default=config.KEY_OVERLAP_HOURS,
    help="Hours that the old one goes on.",
)
@connect.options
@output.json_option
def rotate(named: str, overlap: int, as_json: bool, **flags: Any) -> None:
    """Put a new API key in the place of that with this id or mask, which goes on for a while."""

    async def story(database: Database) -> tuple[str, ApiKey]:
        async with database.transaction() as tx:
            [row] = _found(named, await api_keys.named(tx, named))
            return await api_keys.rotate(tx, row, overlap_hours=overlap)

    _show_made(*connect.run(flags, story), as_json)


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
