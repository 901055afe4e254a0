"""The page of the upstreams: its catalogue is one, and its tables say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from darkroom.domain import entries
from darkroom.engine.backends import registry
from darkroom.engine.backends.remote import fitting

PAGE = (Path(__file__).parents[3] / "docs/reference/upstreams.md").read_text(encoding="utf-8")
REMOTES = registry.remotes()


def _rows(heading: str) -> list[list[str]]:
    """The cells of a table under a heading, without its head."""
    table = PAGE.split(f"| {heading} |", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.split("\n")[2:]]


def _examples():
    for text in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL):
        for key, model in entries.parse(text, "the page").items():
            for name in model.backends:
                yield pytest.param(name, model, id=f"{key}-{name}")


@pytest.mark.parametrize(("name", "model"), [*_examples()])
def test_examples_are_what_an_upstream_takes(name, model) -> None:
    options = msgspec.convert(model.options[name], REMOTES[name].options)
    kinds = set(model.kinds) & REMOTES[name].kinds
    assert kinds, f"{name} does nothing of {sorted(model.kinds)}"
    named = kinds if isinstance(options.model, str) else kinds & set(options.model)
    assert all(options.model_of(kind) for kind in named)


def test_every_option_is_told() -> None:
    written = {row[0] for row in _rows("Option")}
    told = [REMOTES[row[0].strip("`")] for row in _rows("Upstream")]
    assert written == {field.name for one in told for field in msgspec.structs.fields(one.options)}


def test_who_does_what() -> None:
    kinds_of = {}
    for name, key, kinds, *_ in _rows("Upstream"):
        remote = REMOTES[name.strip("`")]
        assert key == f"`{remote.variable}`"
        kinds_of[name] = kinds_of["`fal`"] if kinds == "as fal" else {*kinds.split(", ")}
        assert kinds_of[name] == remote.kinds


def test_every_name_of_a_field_is_told() -> None:
    told = set(re.findall(r"`([a-z_0-9]+)`", PAGE))
    names = {name for several in fitting.NAMES.values() for name in several}
    missing = (names | set(fitting.PICTURES)) - told
    assert {name.replace("expand_", "") for name in missing} <= told
