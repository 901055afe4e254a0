"""`darkroom models`: list the models of this machine or of a server, add one, try one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from darkroom.cli import lazy, output, remote


@click.group(invoke_without_command=True)
@click.option("--server", help="Address of a server to ask instead of the local catalogue.")
@output.json_option
@click.pass_context
def models(ctx: click.Context, server: str | None, as_json: bool) -> None:
    """List the models, what they make and what it costs."""
    if ctx.invoked_subcommand is not None:
        return
    if server is None:
        found = lazy.load("darkroom.cli.shelf:models")()
    else:
        with remote.client(server) as client:
            found = client.models()
    if as_json:
        output.document(found)
    else:
        columns = ("model", "name", "kind", "credits", "unit", "aspect ratios", "served by")
        output.table(columns, [row for one in found for row in _rows(one)], numbers="credits")


def _rows(model: Mapping[str, Any]) -> list[list[Any]]:
    return [
        [
            model["model"],
            model["name"],
            kind,
            offer["rate"]["credits"],
            offer["rate"]["unit"],
            " ".join(offer["aspect_ratios"]) or "any",
            offer["served_by"] or "nobody",
        ]
        for kind, offer in model["kinds"].items()
    ]


@models.command("add")
@click.argument("source", metavar="HUB_ID_OR_FOLDER")
@click.option("--key", help="Its key; unset: made from its name.")
@click.option("--name", help="What people read; unset: the last part of HUB_ID_OR_FOLDER.")
@click.option(
    "--credits",
    "price",
    type=click.FloatRange(0),
    default=1,
    help="Its price, for each kind's usual unit.",
)
@output.json_option
def add(source: str, key: str | None, name: str | None, price: float, as_json: bool) -> None:
    """Put a diffusers model into the catalogue file, as HUB_ID_OR_FOLDER says what it is."""
    added = lazy.load("darkroom.cli.adding:add")(source, key=key, name=name, price=price)
    if as_json:
        output.document({one: added[one] for one in ("key", "kinds", "file", "entry")})
        return
    click.echo(added["entry"])
    output.note(f"Written to {added['file']}. Now try it: darkroom models test {added['key']}")
    if added["is_remote"]:
        output.note(f"That downloads the weights first; to see it happen: hf download {source}")
    output.note("A server reads the file when it starts.")


@models.command("test")
@click.argument("key")
@click.option("--kind", help="What to make; unset: the first kind that the model offers.")
@click.option("--prompt", default="a red fox in the snow, morning light", help="What to show.")
@click.option("--out", type=click.Path(path_type=Path), default=Path(), help="Folder for it.")
@output.json_option
def test(key: str, kind: str | None, prompt: str, out: Path, as_json: bool) -> None:
    """Make one result with the model KEY, in a child process as a worker does."""
    done = lazy.load("darkroom.cli.trying:run")(key, kind=kind, prompt=prompt, out=out)
    if as_json:
        output.document(done)
        return
    for path in done["files"]:
        click.echo(path)
    output.note(
        f"{key} made {done['kind']} by {done['backend']} in {done['seconds']:.1f} s, "
        f"{done['load_seconds']:.1f} s of them for loading."
    )
    for name, value in done["notes"].items():
        output.note(f"  {name}: {value}")
