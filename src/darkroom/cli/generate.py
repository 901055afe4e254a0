"""`darkroom generate`: make pictures on a server and save them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from darkroom.cli import output, remote
from darkroom.client import KINDS, Client, Task, TaskFailed

Command = TypeVar("Command", bound=Callable[..., Any])


class Field(NamedTuple):
    """One field of a submit as an option."""

    option: str
    name: str
    says: str
    type: type = str
    is_required: bool = False
    is_multiple: bool = False


FIELDS = (
    Field("--prompt", "prompt", "What to show.", is_required=True),
    Field("--model", "model", "A key that `darkroom models` lists.", is_required=True),
    Field("--image", "images", "An input picture, file or address; repeat it.", is_multiple=True),
    Field("--aspect-ratio", "aspect_ratio", "Width to height, such as 16:9."),
    Field("--resolution", "resolution", "Such as 1080p, 2k or 1280x720."),
    Field("--number", "image_number", "How many pictures.", type=int),
    Field("--seed", "seed", "Same seed, same picture.", type=int),
    Field("--negative-prompt", "negative_prompt", "What not to show."),
    Field("--deadline", "deadline_seconds", "Seconds in which it must begin.", type=int),
    Field("--webhook-url", "webhook_url", "Where the server POSTs the results."),
    Field("--priority", "priority", "0 to 9; of your waiting tasks the highest first.", type=int),
)


def _fields(command: Command) -> Command:
    for field in reversed(FIELDS):
        command = click.option(
            field.option,
            field.name,
            type=field.type,
            help=field.says,
            required=field.is_required,
            multiple=field.is_multiple,
        )(command)
    return command


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@_fields
@click.option(
    "--out", type=click.Path(path_type=Path), default="pictures", help="Folder for the pictures."
)
@output.json_option
def generate(kind: str, out: Path, as_json: bool, **fields: Any) -> None:
    """Make pictures of a KIND and save them; the key is that of DARKROOM_API_KEY."""
    given = {name: value for name, value in fields.items() if value not in (None, ())}
    with remote.client() as client:
        tasks, failed = make(client, kind, given, is_shown=not as_json)
        files = save(client, tasks, out)
    if as_json:
        names = [str(path) for path in files]
        output.document({"task_ids": [task.id for task in tasks], "files": names})
    else:
        for path in files:
            click.echo(path)
    if failed is not None:
        raise click.ClickException(str(failed))


def make(
    client: Client, kind: str, fields: dict[str, Any], *, is_shown: bool
) -> tuple[list[Task], TaskFailed | None]:
    """Submit and wait under a progress bar; answers all tasks, and the failure if there is one."""
    with output.progress("Making the picture", is_shown=is_shown) as show:
        try:
            tasks = client.generate(kind, on_progress=lambda seen: show(_percent(seen)), **fields)
        except TaskFailed as failed:
            return failed.tasks, failed
    return tasks, None


def save(client: Client, tasks: Sequence[Task], folder: Path) -> list[Path]:
    """Download what the tasks made into a folder."""
    return [path for task in tasks if task.files for path in client.download(task, folder)]


def _percent(tasks: Sequence[Task]) -> float:
    return sum(task.progress for task in tasks) / len(tasks)
