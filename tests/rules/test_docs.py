"""The reference pages list every route, setting and command, and nothing that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib import import_module

import click
import msgspec
import pytest
from source_files import page, refuse

ROUTES = "docs/reference/routes.md"
SETTINGS = "docs/reference/settings.md"
COMMANDS = "docs/reference/cli.md"


def routes() -> set[str]:
    """Every route as a page spells it: `POST /v1/…`."""
    table = import_module("darkroom.api.app").ROUTES
    return {f"{route.method} {route.path}" for route in table}


def settings() -> set[str]:
    """Every setting as an environment variable."""
    config = import_module("darkroom.config").Config
    return {f"DARKROOM_{field.name.upper()}" for field in msgspec.structs.fields(config)}


def commands() -> set[str]:
    """Every command with its groups, as a reader types it."""
    main = import_module("darkroom.cli.main").main
    return {" ".join(path) for path in walk(main, ("darkroom",))}


def walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The paths of a command's leaves, and of groups that do something themselves."""
    if not isinstance(command, click.Group):
        yield path
        return
    if command.invoke_without_command:
        yield path
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below, f"src/darkroom/cli/main.py:1: {name} is listed but cannot be had"
        if not below.hidden:
            yield from walk(below, (*path, name))


def differences(path: str, real: Iterable[str], written: Iterable[str]) -> Iterator[str]:
    """What a page leaves out, and what it lists that is not there."""
    yield from (f"{path}:1: list {one}" for one in sorted({*real} - {*written}))
    yield from (f"{path}:1: there is no {one}; remove it" for one in sorted({*written} - {*real}))


def written_routes(text: str) -> set[str]:
    """The routes of a page, each in code: `GET /v1/models`."""
    return set(re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) /[^`\s]*)`", text))


def written_commands(text: str, real: Iterable[str]) -> set[str]:
    """Commands that a page names in code or a code block, and those that its headings name."""
    named = {one for one in real if re.search(rf"(?m)(?:`|^ *(?:\$ )?){one}(?=[\s`])", text)}
    return named | set(re.findall(r"(?m)^#+ `(darkroom(?: [a-z-]+)+)", text))


def test_docs_list_every_route() -> None:
    refuse(differences(ROUTES, routes(), written_routes(page(ROUTES))))


def test_docs_list_every_setting() -> None:
    written = set(re.findall(r"\bDARKROOM_[A-Z0-9_]+\b", page(SETTINGS)))
    refuse(differences(SETTINGS, settings(), written))


def test_docs_list_every_command() -> None:
    refuse(differences(COMMANDS, real := commands(), written_commands(page(COMMANDS), real)))


def test_every_command_says_what_it_does() -> None:
    main = import_module("darkroom.cli.main").main
    for path in walk(main, ("darkroom",)):
        command = main
        for name in path[1:]:
            command = command.get_command(click.Context(command), name)
        assert command.help, f"src/darkroom/cli/main.py:1: {' '.join(path)} has no help"


def test_a_left_out_and_an_invented_route_are_found() -> None:
    written = written_routes("`GET /a` and `POST /b/{id}`, not GET /c")
    found = list(differences("a.md", {"GET /a", "GET /d"}, written))
    assert found == ["a.md:1: list GET /d", "a.md:1: there is no POST /b/{id}; remove it"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("`darkroom key create EMAIL`", {"darkroom key create"}),
        ("```\ndarkroom key create\n```", {"darkroom key create"}),
        ("darkroom keys", set()),
        ("## `darkroom gone EMAIL`", {"darkroom gone"}),
    ],
)
def test_a_command_is_found_where_a_reader_sees_it(text: str, named: set[str]) -> None:
    assert written_commands(text, {"darkroom key create"}) == named


def test_commands_of_groups_are_walked() -> None:
    group = click.Group("main", {"key": click.Group("key", {"create": click.Command("create")})})
    assert list(walk(group, ("darkroom",))) == [("darkroom", "key", "create")]
