"""`darkroom workers`: who runs tasks, and when it was seen last."""

from __future__ import annotations

from typing import Any

import click

from darkroom.cli import connect, output
from darkroom.domain import workers
from darkroom.domain.workers import Worker
from darkroom.storage.database import Database


@click.command("workers")
@connect.options
@output.json_option
def list_workers(as_json: bool, **flags: Any) -> None:
    """List the workers: what they serve, what they run, and when they were seen last."""

    async def story(database: Database) -> list[Worker]:
        async with database.statement() as tx:
            return await workers.list_all(tx)

    found = [_shown(one) for one in connect.run(flags, story)]
    if as_json:
        output.document(found)
    else:
        columns = ("worker_id", "host", "state", "models", "slots", "running", "seen_at")
        rows = [[row[column] for column in columns] for row in found]
        output.table(columns, rows, numbers="models slots running")


def _shown(one: Worker) -> dict[str, Any]:
    return {
        "worker_id": one.id,
        "host": one.host,
        "state": one.state,
        "models": len(one.models),
        "serves": one.models,
        "slots": one.slots,
        "running": one.running,
        "started_at": one.started_at.isoformat(timespec="seconds"),
        "seen_at": one.seen_at.isoformat(timespec="seconds"),
    }
