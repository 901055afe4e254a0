"""Descriptions: the fields that a model takes, as its upstream's OpenAPI document lists them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import msgspec

from darkroom import errors
from darkroom.engine.backends.remote.line import Line, Lost

# A model's fields change seldom.
_KEPT_SECONDS = 3600.0
_KEPT_MAX = 500
_DEPTH_MAX = 6


class Field(msgspec.Struct, frozen=True):
    """What a field takes: JSON types, the values among which to choose, if any, and bounds."""

    types: frozenset[str]
    choices: tuple[Any, ...] = ()
    low: float = float("-inf")
    high: float = float("inf")
    multiple: int = 1


Fields = Mapping[str, Field]


class Known:
    """Descriptions that were asked for lately; asking costs nothing, but takes a moment."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, Fields]] = {}

    async def get(self, model: str, ask: Callable[[], Awaitable[Fields]]) -> Fields:
        """A model's fields; raises `Hindered` where they cannot be had now."""
        until, fields = self._kept.pop(model, (0.0, {}))
        if until < time.monotonic():
            fields = await ask()
            until = time.monotonic() + _KEPT_SECONDS
        self._kept[model] = (until, fields)
        if len(self._kept) > _KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        return fields


async def ask(line: Line, method: str, path: str, **content: Any) -> dict[str, Any]:
    """An answer that costs nothing, so that none, or a wrong one, is a mere hindrance."""
    try:
        answer = await line.send(method, path, **content)
    except Lost as exc:
        raise errors.Hindered(f"No answer came to {path}.") from exc
    if not isinstance(answer, dict):
        raise errors.Hindered(f"The answer to {path} is no JSON object.")
    return answer


def of_path(document: Mapping[str, Any], path: str) -> Fields:
    """The fields of what an OpenAPI 3 document says is posted to a path."""
    try:
        body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        schema = body["schema"]
    except (KeyError, TypeError) as exc:
        raise errors.Hindered(f"The upstream does not describe {path}.") from exc
    return of_schema(schema, document)


def of_schema(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Fields:
    """The fields of an object's schema."""
    schemas = (document.get("components") or {}).get("schemas") or {}
    fields = {}
    for shape in _shapes(schema, schemas):
        for name, one in (shape.get("properties") or {}).items():
            fields[name] = _field([*_shapes(one, schemas)])
    if not fields:
        raise errors.Hindered("The upstream's description of the model lists no fields.")
    return fields


def _field(shapes: list[Mapping[str, Any]]) -> Field:
    return Field(
        types=frozenset(one for shape in shapes for one in _types(shape)),
        choices=tuple(choice for shape in shapes for choice in shape.get("enum", ())),
        low=max(
            (shape["minimum"] for shape in shapes if "minimum" in shape), default=float("-inf")
        ),
        high=min(
            (shape["maximum"] for shape in shapes if "maximum" in shape), default=float("inf")
        ),
        multiple=max((int(shape.get("multipleOf", 1)) for shape in shapes), default=1) or 1,
    )


def _types(shape: Mapping[str, Any]) -> list[str]:
    """The JSON types of a schema: one, or since OpenAPI 3.1 several."""
    said = shape.get("type") or []
    return [said] if isinstance(said, str) else [*said]


def _shapes(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int = 0
) -> Iterator[Mapping[str, Any]]:
    """A schema and all that it refers to or is put together from."""
    if not isinstance(schema, Mapping) or depth > _DEPTH_MAX:
        return
    yield schema
    refers = str(schema.get("$ref", "")).rpartition("/")[2]
    parts = [schemas[refers]] if refers in schemas else []
    for together in ("allOf", "anyOf", "oneOf"):
        parts += schema.get(together, ())
    for part in parts:
        yield from _shapes(part, schemas, depth + 1)
