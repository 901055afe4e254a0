"""`darkroom models`: the models with their bounds and rates, of this machine or of a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from darkroom.cli import lazy, output, remote


@click.command()
@click.option("--server", help="Address of a server to ask instead of the local catalogue.")
@output.json_option
def models(server: str | None, as_json: bool) -> None:
    """List the models, what they make and what it costs."""
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
