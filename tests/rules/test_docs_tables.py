"""What the pages list is what the code has: tables row for row, and tests by their names."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import click
import msgspec
import pytest
from source_files import ROOT, Source, page, pages, refuse, sources
from test_docs import walk

from darkroom import errors
from darkroom.api.app import ROUTES
from darkroom.client import Client
from darkroom.config import Config
from darkroom.domain.kinds.table import KINDS

Spec = dict[str, Any]


def row(*cells: object) -> str:
    """One line of a table; the first cell is code, which tells our rows from any other table's."""
    first, *rest = (" ".join(str(cell).split()).replace("|", "\\|") for cell in cells)
    return f"| `{first}` | {' | '.join(rest)} |"


def told(thing: object) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def specs(struct: type[msgspec.Struct]) -> Iterator[tuple[msgspec.structs.FieldInfo, Spec]]:
    """The fields of a struct, each with what it may hold as JSON Schema."""
    for field in msgspec.structs.fields(struct):
        hook = {"schema_hook": lambda _: {"type": "path"}}
        [spec], _ = msgspec.json.schema_components([field.type], **hook)
        yield field, spec


def values(spec: Spec) -> str:
    """What a field may hold: `text, 1 to 100 characters`."""
    spec = next((one for one in spec.get("anyOf", ()) if one.get("type") != "null"), spec)
    if "enum" in spec:
        return " or ".join(f"`{one}`" for one in sorted(spec["enum"]))
    kinds = {
        "string": "text",
        "integer": "whole number",
        "array": "list",
        "boolean": "true or false",
    }
    named = ("minimum", "exclusiveMinimum", "minLength", "minItems")
    low = next((f"{spec[name]:g}" for name in named if name in spec), "")
    low = f"over {low}" if "exclusiveMinimum" in spec else low
    high = next(
        (str(spec[name]) for name in ("maximum", "maxLength", "maxItems") if name in spec), ""
    )
    if len(high) > 12:  # the bounds of the column, which nobody meets
        low = high = ""
    bounds = f"{low} to {high}" if low and high else low and f"at least {low}"
    bounds = bounds or (high and f"at most {high}")
    bounds += " characters" if "maxLength" in spec else ""
    return ", ".join(filter(None, (kinds.get(spec["type"], spec["type"]), bounds)))


def default(field: msgspec.structs.FieldInfo) -> str:
    """What holds when a field is left out."""
    if field.required:
        return "required"
    if field.default is msgspec.NODEFAULT:
        return "none"
    said = {"None": "unset", "()": "none", "": "none", "True": "`true`", "False": "`false`"}
    return said.get(str(field.default), f"`{field.default}`")


def routes() -> Iterator[str]:
    for route in ROUTES:
        refusals = ", ".join(one.__name__ for one in route.errors) or "none"
        key = "yes" if route.needs_key else "no"
        yield row(f"{route.method} {route.path}", key, route.summary, refusals)


def kinds() -> Iterator[str]:
    for kind in KINDS.values():
        for field, spec in specs(kind.input):
            yield row(field.name, values(spec), default(field), spec.get("description", ""))


def settings() -> Iterator[str]:
    for field, spec in specs(Config):
        name = f"DARKROOM_{field.name.upper()}"
        yield row(name, values(spec), default(field), spec["description"])


def refusals() -> Iterator[str]:
    for one in vars(errors).values():
        if isinstance(one, type) and issubclass(one, errors.Refusal | errors.TaskError):
            status = one.status if issubclass(one, errors.Refusal) else "task"
            yield row(one.__name__, one.code, status, told(one))


def commands() -> Iterator[str]:
    main = import_module("darkroom.cli.main").main
    for path in walk(main, ("darkroom",)):
        command: click.Command = main
        for name in path[1:]:
            assert isinstance(command, click.Group)
            command = command.get_command(click.Context(command), name) or command
        context = click.Context(command, info_name=path[-1])
        for parameter in command.get_params(context):
            record = parameter.get_help_record(context)
            if record and isinstance(parameter, click.Option) and "--help" not in parameter.opts:
                yield row(*record)


def methods() -> Iterator[str]:
    for name, method in vars(Client).items():
        if callable(method) and not name.startswith("_"):
            yield row(f"client.{name}", told(method))


def models() -> Iterator[str]:
    text = (ROOT / "src/darkroom/domain/catalogue.toml").read_text(encoding="utf-8")
    for key, model in tomllib.loads(text).items():
        offers = model["kinds"].items()
        prices = ", ".join(f"{kind} {offer['credits']:g}" for kind, offer in offers)
        yield row(key, model["name"], prices)


TABLES: dict[str, Callable[[], Iterator[str]]] = {
    "routes": routes,
    "kinds": kinds,
    "settings": settings,
    "errors": refusals,
    "cli": commands,
    "sdk": methods,
    "models": models,
}


def differences(path: str, text: str, rows: list[str]) -> Iterator[str]:
    """Rows that a page lacks, and rows in it that the code does not say."""
    written = [line for line in text.splitlines() if line.startswith("| `")]
    yield from (f"{path}:1: write the row  {one}" for one in rows if one not in written)
    yield from (f"{path}:1: remove the row  {one}" for one in written if one not in rows)


@pytest.mark.parametrize("name", TABLES)
def test_table_of_the_page_is_what_the_code_says(name: str) -> None:
    path = f"docs/reference/{name}.md"
    refuse(differences(path, page(path), list(TABLES[name]())))


def unknown_tests(source: Source, known: set[str]) -> Iterator[str]:
    """Tests that a page names and that are not there."""
    for number, line in enumerate(source.text.splitlines(), start=1):
        for name in set(re.findall(r"`(test_\w+)`", line)) - known:
            yield source.at(number, f"there is no {name}")


def test_tests_that_pages_name_are_there() -> None:
    known = {one.name for source in sources("tests") for one in source.functions()}
    refuse(line for source in pages() for line in unknown_tests(source, known))


def test_a_test_that_is_gone_is_found() -> None:
    source = Source("a.md", "`test_here`\n`test_gone`")
    assert list(unknown_tests(source, {"test_here"})) == ["a.md:2: there is no test_gone"]


def test_an_old_row_and_a_missing_one_are_found() -> None:
    text = "| Name | Says |\n| --- | --- |\n| `a` | 1 |\n| `b` | 2 |"
    found = list(differences("a.md", text, [row("a", 1), row("c", "x | y")]))
    assert found == [
        "a.md:1: write the row  | `c` | x \\| y |",
        "a.md:1: remove the row  | `b` | 2 |",
    ]
