"""The API reference: every route of the OpenAPI document as a reader wants to see it."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from markupsafe import Markup

from darkroom.api import app, openapi
from darkroom.console import markdown

_GROUPS = (
    ("Generation", ("/v1/generation/",)),
    ("Models, history, usage", ("/v1/models", "/v1/history", "/v1/usage")),
    ("Other wires", ("/v1/images/", "/v1/videos", "/v1/chat/", "/fal/", "/replicate/")),
    ("Webhooks", ("/v1/webhooks/", "/.well-known/")),
    ("Files and health", ("/",)),
)
# The part of a form that takes a file, by the end of the path.
_PARTS = {"/upload-file": "file", "/verify": "file", "/images/edits": "image"}
_BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "{} characters or more",
    "maxLength": "up to {} characters",
    "minItems": "{} or more",
    "maxItems": "up to {}",
    "pattern": "matches {}",
}
# The bounds of a 64-bit number.
_WIDE = 2**62


class Parameter(msgspec.Struct, frozen=True):
    """A part of a request: where it stands, its type and bounds in words, what it means."""

    name: str
    where: str
    type: str
    bounds: str
    is_required: bool
    default: str | None
    text: str


class Operation(msgspec.Struct, frozen=True):
    """One route; `answers` pairs an HTTP status with the refusals that have it."""

    method: str
    path: str
    mark: str
    summary: str
    needs_key: bool
    parameters: Sequence[Parameter]
    fields: Sequence[Parameter]
    answers: Sequence[tuple[str, str]]
    example: str

    def shown(self, base_url: str) -> Markup:
        """The example as it can be sent to this server."""
        text = self.example.replace(markdown.ADDRESS, base_url)
        return markdown.code(text, "sh", f"example-{self.mark}")


@functools.cache
def groups() -> Sequence[tuple[str, Sequence[Operation]]]:
    """The operations in groups, each in the order of the route table."""
    found: dict[str, list[Operation]] = {name: [] for name, _ in _GROUPS}
    document = openapi.document(app.ROUTES)
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            operation = _operation(method.upper(), path, said, schemas)
            group = next(name for name, starts in _GROUPS if path.startswith(starts))
            found[group].append(operation)
    return [*found.items()]


def _operation(
    method: str, path: str, said: Mapping[str, Any], schemas: Mapping[str, Any]
) -> Operation:
    media = said.get("requestBody", {}).get("content", {}).get("application/json", {})
    fields: list[Parameter] = []
    if "schema" in media:
        fields = [*_fields(media["schema"], schemas)]
    return Operation(
        method,
        path,
        said["operationId"],
        said["summary"],
        bool(said["security"]),
        [
            Parameter(
                one["name"],
                one["in"],
                *_type(one["schema"], schemas),
                bool(one.get("required")),
                None,
                one.get("description", ""),
            )
            for one in said["parameters"]
        ],
        fields,
        [(status, one["description"]) for status, one in said["responses"].items()],
        _example(method, path, bool(said["security"]), media.get("example")),
    )


def _fields(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[Parameter]:
    whole = _resolved(schema, schemas)
    required = whole.get("required", ())
    # What must be sent comes first.
    for name, one in sorted(whole["properties"].items(), key=lambda pair: pair[0] not in required):
        default = one.get("default")
        yield Parameter(
            name,
            "body",
            *_type(one, schemas),
            name in required,
            None if default is None else json.dumps(default),
            one.get("description", ""),
        )


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" in schema:
        found: Mapping[str, Any] = schemas[schema["$ref"].rpartition("/")[2]]
        return found
    return schema


def _type(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> tuple[str, str]:
    """The type of a value, and its bounds, in words."""
    kinds = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    words, bounds = [], []
    for kind in (_resolved(one, schemas) for one in kinds):
        inner = _type(kind["items"], schemas) if "items" in kind else None
        word = " or ".join(map(json.dumps, kind["enum"])) if "enum" in kind else kind.get("type")
        words.append(f"array of {inner[0]}" if inner else str(word or "any"))
        bounds += [
            text.format(kind[name])
            for name, text in _BOUNDS.items()
            if name in kind and not _says_nothing(name, kind[name])
        ]
    return " or ".join(words), ", ".join(bounds)


def _says_nothing(name: str, bound: Any) -> bool:
    """Whether a reader takes the bound for granted: of 64 bits, or that something is there."""
    if name in ("minLength", "minItems"):
        return bool(bound == 1)
    return name != "pattern" and abs(bound) > _WIDE


def _example(method: str, path: str, needs_key: bool, body: Any) -> str:
    address = markdown.ADDRESS + re.sub(r"{(\w+)}", lambda found: found[1].upper(), path)
    lines = [f"curl {address}" if method == "GET" else f"curl -X {method} {address}"]
    if needs_key:
        lines.append('-H "Authorization: Bearer $DARKROOM_API_KEY"')
    if part := next((name for end, name in _PARTS.items() if path.endswith(end)), None):
        lines.append(f"-F {part}=@picture.png")
    elif body is not None:
        lines.append('-H "Content-Type: application/json"')
        text = json.dumps(body, indent=2, ensure_ascii=False).replace("'", "'\\''")
        lines.append(f"-d '{text}'")
    return " \\\n  ".join(lines) + "\n"
