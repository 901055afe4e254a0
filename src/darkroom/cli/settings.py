"""`darkroom settings`: the settings in force, each with where it was found."""

from __future__ import annotations

import os
from typing import Any

import click
import msgspec

from darkroom import config
from darkroom.cli import connect, output


@click.command()
@connect.options
@output.json_option
def settings(as_json: bool, **flags: Any) -> None:
    """List the settings in force here and where each comes from; secrets are masked."""
    found = config.in_force(flags, os.environ)
    if as_json:
        output.document([msgspec.structs.asdict(one) for one in found])
    else:
        output.table(
            ("setting", "value", "source"), [(one.name, one.value, one.source) for one in found]
        )
