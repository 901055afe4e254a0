"""The SDK's face: its names, its two colours, its light import."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys

import msgspec
import pytest

import darkroom
from darkroom import client
from darkroom.client import errors
from darkroom.client.kinds import sort
from darkroom.domain.kinds.table import KINDS


def public(colour: type) -> dict[str, object]:
    return {name: value for name, value in vars(colour).items() if not name.startswith("_")}


def plain(function: object) -> str:
    return str(inspect.signature(function)).replace("Async", "")


def test_exported_names_are_there_and_are_all() -> None:
    found = {name for name, value in vars(client).items() if inspect.isclass(value)}
    assert found | {"KINDS"} == set(client.__all__)
    assert {darkroom.Client, darkroom.AsyncClient} == {client.Client, client.AsyncClient}
    assert darkroom.__version__[0].isdecimal()
    with pytest.raises(AttributeError, match="nothing"):
        darkroom.nothing  # noqa: B018


def test_both_colours_have_the_same_methods_and_parameters() -> None:
    blocking, awaited = public(client.Client), public(client.AsyncClient)
    assert blocking.keys() == awaited.keys()
    for name in ("__init__", *blocking):
        one, other = getattr(client.Client, name), getattr(client.AsyncClient, name)
        assert plain(one) == plain(other), name
    for name, method in awaited.items():
        is_awaited = inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)
        assert is_awaited, name


def test_every_method_has_a_docstring() -> None:
    for colour in (client.Client, client.AsyncClient):
        assert all(inspect.getdoc(method) for method in public(colour).values())


def test_client_knows_every_kind_with_its_path_and_files() -> None:
    sorts = {"image": "picture", "video": "clip", "audio": "sound"}
    told = {
        name: (
            f"/v1/generation/{kind.path}",
            [(field, sorts[sort(field)], field in kind.lists) for field in kind.files],
        )
        for name, kind in client.KINDS.items()
    }
    lists = {
        (kind.name, field.name): "list" in str(field.type)
        for kind in KINDS.values()
        for field in msgspec.structs.fields(kind.input)
    }
    assert told == {
        name: (
            kind.route,
            [(field, rule.sort, lists[name, field]) for field, rule in kind.files.items()],
        )
        for name, kind in KINDS.items()
        if not kind.continues
    }


def test_what_makes_from_words_or_one_picture_has_a_method() -> None:
    named = {"text_to_image", "image_to_image", "text_to_video", "image_to_video"}
    assert named <= public(client.Client).keys()


def test_error_tree_is_drawn_as_it_is() -> None:
    classes = [one for one in vars(errors).values() if inspect.isclass(one)]
    raised = [one for one in classes if issubclass(one, errors.DarkroomError)]
    drawn = re.findall(r"^[ │├└]*(\w+)(?=  |$)", errors.__doc__ or "", re.MULTILINE)
    assert sorted(drawn) == sorted(one.__name__ for one in raised)


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [("darkroom", "httpx|click|rich"), ("darkroom.client", "msgspec|psycopg|starlette|numpy")],
)
def test_import_is_light(module: str, unwanted: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert not [name for name in loaded if re.fullmatch(unwanted, name)]
    ours = [name for name in loaded if name.startswith("darkroom.")]
    assert all(name.startswith("darkroom.client") for name in ours)
