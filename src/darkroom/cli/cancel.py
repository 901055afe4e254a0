"""`darkroom cancel`: call off a task or a batch on a server."""

from __future__ import annotations

import click

from darkroom.cli import output, remote


@click.command()
@click.argument("named", metavar="TASK_ID|BATCH_ID")
@output.json_option
def cancel(named: str, as_json: bool) -> None:
    """Cancel the task, or every task of the batch, with this id.

    A waiting task ends at once; a running one is asked to stop.
    """
    with remote.client() as client:
        is_batch = named.isascii() and named.isdecimal()
        tasks = client.cancel_batch(int(named)) if is_batch else [client.cancel(named)]
    said = [
        {"task_id": task.id, "status": task.status, "effect": task.data["cancel"]["effect"]}
        for task in tasks
    ]
    if as_json:
        output.document({"tasks": said})
    else:
        output.table(["task", "status", "effect"], [[*one.values()] for one in said])
