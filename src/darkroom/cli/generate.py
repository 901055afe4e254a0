"""`darkroom generate`: make pictures, clips or sounds on a server and save them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args

import click

from darkroom.cli import output, remote
from darkroom.client import KINDS, Client, Task, TaskFailed
from darkroom.client.kinds import Sort, sort

Command = TypeVar("Command", bound=Callable[..., Any])


class Field(NamedTuple):
    """One field of a submit as an option."""

    option: str
    name: str
    says: str
    type: type = str
    is_multiple: bool = False


FIELDS = (
    Field("--prompt", "prompt", "What to show."),
    Field("--model", "model", "A key that `darkroom models` lists; tools need none."),
    Field("--image", "image", "An input picture, file or address; repeat it.", is_multiple=True),
    Field("--video", "video", "An input clip, file or address; repeat it.", is_multiple=True),
    Field("--audio", "audio", "An input sound, file or address; repeat it.", is_multiple=True),
    Field("--duration", "duration", "Seconds of a clip.", type=int),
    Field("--aspect-ratio", "aspect_ratio", "Width to height, such as 16:9."),
    Field("--resolution", "resolution", "Such as 1080p, 2k or 1280x720."),
    Field("--number", "number", "How many pictures or clips.", type=int),
    Field("--seed", "seed", "Same seed, same result.", type=int),
    Field("--negative-prompt", "negative_prompt", "What not to show."),
    Field("--deadline", "deadline_seconds", "Seconds in which it must begin.", type=int),
    Field("--webhook-url", "webhook_url", "Where the server POSTs the results."),
    Field("--priority", "priority", "0 to 9; of your waiting tasks the highest first.", type=int),
    Field("--set", "set", "Any other field, NAME=VALUE, as JSON or text.", is_multiple=True),
)


def _fields(command: Command) -> Command:
    for field in reversed(FIELDS):
        command = click.option(
            field.option,
            field.name,
            type=field.type,
            help=field.says,
            multiple=field.is_multiple,
        )(command)
    return command


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@_fields
@click.option(
    "--out", type=click.Path(path_type=Path), default="pictures", help="Folder for the results."
)
@output.json_option
def generate(kind: str, out: Path, as_json: bool, **fields: Any) -> None:
    """Make what a KIND makes and save it; the key is that of DARKROOM_API_KEY."""
    given = _given(kind, fields)
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


def _given(kind: str, options: dict[str, Any]) -> dict[str, Any]:
    """The fields of a request: files go where the kind takes them, in their order."""
    given = {name: value for name, value in options.items() if value not in (None, ())}
    for text in given.pop("set", ()):
        name, sign, value = text.partition("=")
        if not sign:
            raise click.BadParameter(f"{text}: write NAME=VALUE.", param_hint="--set")
        given[name] = _value(value)
    files = {name: list(given.pop(name, ())) for name in get_args(Sort)}
    for field in KINDS[kind].files:
        named = files[sort(field)]
        if named:
            is_list = field in KINDS[kind].lists
            given[field] = named if is_list else named.pop(0)
            files[sort(field)] = [] if is_list else named
    for name, left in files.items():
        if left:
            raise click.BadParameter(f"{kind} takes no {left[0]}.", param_hint=f"--{name}")
    if (number := given.pop("number", None)) is not None:
        given["video_number" if kind.endswith("video") else "image_number"] = number
    return given


def _value(text: str) -> Any:
    """What a text says as JSON, else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def make(
    client: Client, kind: str, fields: dict[str, Any], *, is_shown: bool
) -> tuple[list[Task], TaskFailed | None]:
    """Submit and wait under a progress bar; answers all tasks, and the failure if there is one."""
    with output.progress("Making it", is_shown=is_shown) as show:
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
