"""What commands print: one JSON document for scripts, tables and progress bars for people."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

ROW_CHARS_MAX = 1000

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def document(value: Any) -> None:
    """Print the one JSON document of a command, on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def note(text: str) -> None:
    """Say something to a person, on standard error."""
    click.echo(text, err=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, numbers: str = "") -> None:
    """Print a table on standard output; the columns named in `numbers` stand to the right."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(
            column, justify="right" if column in numbers.split() else "left", overflow="fold"
        )
    for row in rows:
        shown.add_row(*["" if cell is None else str(cell) for cell in row])
    # A row is a line, so that a value can be copied and a line be cut; the terminal may wrap it.
    Console(highlight=False, markup=False, width=ROW_CHARS_MAX).print(shown)


@contextlib.contextmanager
def progress(says: str, *, is_shown: bool = True) -> Iterator[Callable[[float], None]]:
    """A bar on standard error, if that is a terminal; answers what sets it, 0 to 100 percent."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    bar = Progress(
        *columns, console=console, transient=True, disable=not (is_shown and console.is_terminal)
    )
    with bar:
        line = bar.add_task(says, total=100)
        yield lambda percent: bar.update(line, completed=percent)
