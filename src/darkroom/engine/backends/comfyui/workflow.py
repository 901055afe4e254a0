"""A workflow as ComfyUI exports it for its API: read, checked, and filled with a task's fields."""

from __future__ import annotations

import copy
import itertools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from darkroom import config, errors
from darkroom.domain.kinds.kind import Kind, Submit
from darkroom.domain.kinds.table import KINDS
from darkroom.engine.backends.comfyui.options import Named
from darkroom.engine.backends.contract import Input

_BYTES_MAX = 4 * 2**20
# What an error lists of nodes and inputs.
_LISTED_MAX = 30
# The input that names the file to save.
_PREFIX = "filename_prefix"

# Nodes by their ids: `class_type`, `inputs` (a value, or [node, slot] where another node feeds it)
# and `_meta.title`, as "Export (API)" writes them.
Graph = dict[str, dict[str, Any]]


class Place(msgspec.Struct, frozen=True):
    """An input of a node."""

    node: str
    input: str


class Workflow(msgspec.Struct, frozen=True):
    """A checked workflow, and where each field goes."""

    graph: Graph
    places: Mapping[str, tuple[Place, ...]]

    def check(self, given: Input) -> None:
        """Raise `BadInput` where a task's files are not as many as the workflow has places for.

        A field that is one file may go to several places.
        """
        for name, rule in KINDS[given.kind].files.items():
            count, places = len(given.files.get(name, ())), len(self.places.get(name, ()))
            if count and not places:
                raise errors.BadInput(f"{given.model} takes no {name}.")
            if count and count != places and rule.count_max > 1:
                raise errors.BadInput(f"{given.model} takes {places} {name}, not {count}.")

    def fill(
        self, given: Input, seed: int, uploads: Mapping[str, Sequence[str]], mark: str
    ) -> Graph:
        """The graph with a task's fields, and its uploads by field as ComfyUI names them.

        What it saves is named after the mark. So no two graphs are the same: for one that it has
        run before, ComfyUI would name the old file, which may be gone.
        """
        graph = copy.deepcopy(self.graph)
        values: dict[str, Any] = {**given.fields, "seed": seed}
        for name, places in self.places.items():
            if name in uploads:
                for place, file in zip(places, itertools.cycle(uploads[name]), strict=False):
                    graph[place.node]["inputs"][place.input] = file
            # Of what a caller leaves out, the workflow has its own.
            elif values.get(name) not in (None, "") and name not in KINDS[given.kind].files:
                for place in places:
                    inputs = graph[place.node]["inputs"]
                    inputs[place.input] = _fitting(values[name], inputs[place.input], name)
        for node, told in graph.items():
            if isinstance(told["inputs"].get(_PREFIX), str):
                told["inputs"][_PREFIX] = f"darkroom/{mark}-{node.replace(':', '-')}"
        return graph

    def field_at(self, node: str, name: str) -> str | None:
        """The field that goes to an input, if one does."""
        wanted = Place(node, name)
        return next((field for field, places in self.places.items() if wanted in places), None)


def read(named: Named, kind: Kind) -> Workflow:
    """Read a workflow's file; raises `Hindered` with what is missing, and what there is."""
    graph = _graph(named.workflow)
    fields = _fields(kind)
    places = {}
    for name, wanted in named.inputs.items():
        if name not in fields:
            raise errors.Hindered(
                f'The catalogue\'s inputs name "{name}", which is no field of {kind.name}; '
                f"those are {', '.join(fields)}."
            )
        several = (wanted,) if isinstance(wanted, str) else wanted
        places[name] = tuple(_place(name, one, graph, named.workflow) for one in several)
    for name in fields:
        if fields[name] and not places.get(name):
            raise errors.Hindered(
                f"The catalogue's inputs do not say where {name} goes, which {kind.name} needs: "
                f'{name} = "NODE.INPUT". {named.workflow} has {_nodes(graph)}.'
            )
    return Workflow(graph, places)


def title(graph: Graph, node: str) -> str:
    """A node as people know it: its id and what it is called, or else its class."""
    told = graph.get(node, {})
    meta = told.get("_meta")
    name = meta.get("title") if isinstance(meta, dict) else None
    return f"{node} ({name or told.get('class_type', 'unknown')})"


def _fields(kind: Kind) -> dict[str, bool]:
    """The fields of a kind that a workflow may take, and whether it must.

    It must take words and files that every request has: who sends them means something by them.
    """
    common = {one.name for one in msgspec.structs.fields(Submit)} | {"model", kind.count_field}
    found = {
        one.name: one.required and (one.name in kind.texts or one.name in kind.files)
        for one in msgspec.structs.fields(kind.input)
        if one.name not in common
    }
    size = {"width": False, "height": False} if kind.size else {}
    return {**found, "seed": False, **size}


def _graph(name: str) -> Graph:
    try:
        with _path(name).open("rb") as stream:
            text = stream.read(_BYTES_MAX + 1)
        graph = json.loads(text) if len(text) <= _BYTES_MAX else None
    except OSError as exc:
        raise errors.Hindered(f"The workflow {name} cannot be read: {exc.strerror}.") from exc
    except ValueError as exc:
        raise errors.Hindered(f"The workflow {name} is no JSON: {exc}") from exc
    nodes = graph.values() if isinstance(graph, dict) else ()
    is_graph = all(
        isinstance(one, dict)
        and isinstance(one.get("class_type"), str)
        and isinstance(one.get("inputs"), dict)
        for one in nodes
    )
    if not nodes or not is_graph:
        raise errors.Hindered(
            f"The workflow {name} is not in ComfyUI's API format: in ComfyUI choose Workflow, "
            "Export (API), and save that file."
        )
    assert isinstance(graph, dict)
    return graph


def _path(name: str) -> Path:
    """An absolute path as it is, another beside the catalogue file that names it."""
    catalogue = config.load({}, os.environ).catalogue_file
    return catalogue.parent / name if catalogue else Path(name)


def _place(field: str, wanted: str, graph: Graph, file: str) -> Place:
    node, _, name = wanted.partition(".")
    if node not in graph:
        raise errors.Hindered(
            f'The catalogue says {field} = "{wanted}", but {file} has no node {node or "there"}, '
            f"only {_nodes(graph)}."
        )
    inputs = graph[node]["inputs"]
    own = [one for one, value in inputs.items() if not isinstance(value, list)]
    if name in own:
        return Place(node, name)
    fault = f"has no input {name or 'there'}"
    if name in inputs:
        fault = f"gets {name} from node {title(graph, str(inputs[name][0]))}: name that one's"
    raise errors.Hindered(
        f'The catalogue says {field} = "{wanted}", but node {title(graph, node)} of {file} '
        f"{fault}; its own inputs are {_listed(own) or 'none'}."
    )


def _nodes(graph: Graph) -> str:
    return f"the nodes {_listed([title(graph, node) for node in graph])}"


def _listed(names: Sequence[str]) -> str:
    more = [f"and {len(names) - _LISTED_MAX} more"] if len(names) > _LISTED_MAX else []
    return ", ".join([*names[:_LISTED_MAX], *more])


def _fitting(value: Any, was: Any, name: str) -> Any:
    """A field's value in the type of what it replaces, where that says more."""
    if not isinstance(value, str | int | float):
        raise errors.Hindered(f"{name} is no single value: it fits no input of a workflow.")
    if isinstance(was, bool):
        return value in (True, "true")
    return str(value) if isinstance(was, str) else value
