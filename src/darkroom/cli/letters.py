"""`darkroom letters`: what was written to whom, and where its link leads if nobody sent it."""

from __future__ import annotations

from typing import Any

import click

from darkroom.cli import connect, output
from darkroom.domain import letters
from darkroom.domain.letters import Letter
from darkroom.storage.database import Database


@click.command("letters")
@click.option("--all", "with_all", is_flag=True, help="Those too whose link does nothing more.")
@connect.options
@output.json_option
def list_letters(with_all: bool, as_json: bool, **flags: Any) -> None:
    """List the letters whose links still do something, the newest first."""

    async def story(database: Database) -> list[Letter]:
        async with database.statement() as tx:
            return await letters.list_all(tx, with_link=not with_all)

    found = [_shown(one) for one in connect.run(flags, story)]
    if as_json:
        output.document(found)
    else:
        columns = ("created_at", "kind", "recipient", "status", "attempts", "error", "link")
        output.table(columns, [[row[column] for column in columns] for row in found])


def _shown(one: Letter) -> dict[str, Any]:
    return {
        "letter_id": one.id,
        "kind": one.kind,
        "recipient": one.recipient,
        "status": one.status,
        "attempts": one.attempts,
        "error": one.error,
        "link": one.link,
        "created_at": one.created_at.isoformat(timespec="seconds"),
        "expires_at": one.expires_at.isoformat(timespec="seconds"),
        "ended_at": one.ended_at.isoformat(timespec="seconds") if one.ended_at else None,
    }
