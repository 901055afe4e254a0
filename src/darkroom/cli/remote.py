"""The way of a command to a server: the SDK, its errors said in a sentence."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click

from darkroom.client import Client, DarkroomError


@contextlib.contextmanager
def client(base_url: str | None = None) -> Iterator[Client]:
    """A client of the server that is named, or that of DARKROOM_BASE_URL and DARKROOM_API_KEY."""
    try:
        with Client(base_url) as one:
            yield one
    except DarkroomError as exc:
        raise click.ClickException(str(exc)) from exc
