"""The form of a kind: a field for each of its input struct's, bounded by what a model offers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import msgspec

from darkroom.domain import catalogue, sizes
from darkroom.domain.catalogue import Offer
from darkroom.domain.kinds.kind import Kind, Submit

Type = Literal["text", "number", "switch", "list", "json"]
Control = Literal["text", "area", "choice", "ratio", "slider", "number", "switch", "files"]

# What a program asks for and a person at this page does not: the page itself follows the task.
_PROGRAMS = {"model", "webhook_url", "webhook_events", "caller_id"}
# What a field's value is, by its type in JSON Schema; any other is a text.
_TYPES: Mapping[str, Type] = {
    "integer": "number",
    "number": "number",
    "boolean": "switch",
    "array": "list",
    "object": "json",
}
# What most requests leave as it is; the fields that every kind has are of these too.
_MORE = {"negative_prompt", "seed", "use_web_search"} | set(Submit.__struct_fields__)
# A bounded number with more steps than this is typed, not slid to.
_STEPS_MAX = 200
_AREA_CHARS_MIN = 300
# For models that take any.
_RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "21:9")
_RESOLUTIONS = ("720p", "1080p", "1k", "2k", "4k")
# The longer side of a ratio's little picture.
_PICTURE_PIXELS = 22


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values of a field; a ratio's has the sides of its little picture, in pixels."""

    value: str
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Field:
    """One field: how it is filled in, what it takes, and what it holds, as text."""

    name: str
    label: str
    help: str
    control: Control
    # How the JSON of a request spells it: a text, a number, true, a list of texts, or as it stands.
    type: Type
    is_required: bool
    is_more: bool
    value: str
    # What it is when nobody says; left out of a request where it is one of the `is_more`.
    usual: str
    low: float | None = None
    high: float | None = None
    step: str = "1"
    chars_max: int | None = None
    choices: tuple[Choice, ...] = ()
    # A choice may be left open, and the server then chooses.
    is_open: bool = False
    suggestions: tuple[str, ...] = ()
    files_max: int = 0
    accept: str = ""


def fields(kind: Kind, offer: Offer, given: Mapping[str, str]) -> list[Field]:
    """The fields of a kind for a model, filled in with what is given, else with what is usual."""
    return list(_fields(kind, offer, given))


def _fields(kind: Kind, offer: Offer, given: Mapping[str, str]) -> Iterator[Field]:
    schema = _schema(kind.input)
    order = [*kind.texts, *kind.files, *schema["properties"]]
    # What every kind has comes after what this one is about.
    for name in sorted(dict.fromkeys(order), key=Submit.__struct_fields__.__contains__):
        if name not in _PROGRAMS:
            about, is_required = schema["properties"][name], name in schema.get("required", ())
            yield _field(kind, offer, name, about, is_required, given)


@cache
def _schema(struct: type[msgspec.Struct]) -> dict[str, Any]:
    schema = msgspec.json.schema(struct)
    found: dict[str, Any] = schema["$defs"][struct.__name__]
    return found


def _field(
    kind: Kind,
    offer: Offer,
    name: str,
    about: Mapping[str, Any],
    is_required: bool,
    given: Mapping[str, str],
) -> Field:
    plain = _plain(about)
    offered = tuple(map(str, getattr(offer, f"{name}s", ())))
    bounds = _bounds(kind, offer, name, plain)
    control = _control(kind, name, plain, offered, bounds)
    default = about.get("default")
    usual = "" if default in (None, [], {}) or default is False else str(default)
    value = given.get(name, usual)
    if offered and value not in offered:
        value = offered[0]
    files = kind.files.get(name)
    texts = offered or tuple(map(str, plain.get("enum", _RATIOS if control == "ratio" else ())))
    return Field(
        name=name,
        label=label(name),
        help=about.get("description", ""),
        control=control,
        type=_type(plain),
        is_required=is_required,
        is_more=name in _MORE,
        value=value,
        usual=usual,
        low=bounds[0],
        high=bounds[1],
        step="1" if plain.get("type") == "integer" else "any",
        chars_max=offer.prompt_chars_max if name in kind.texts else plain.get("maxLength"),
        choices=tuple(_choice(text, control) for text in texts),
        is_open=not offered and not is_required and default is None,
        suggestions=() if offered or name != "resolution" else _RESOLUTIONS,
        files_max=catalogue.files_max(kind, offer, name) if files else 0,
        accept=",".join(sorted(files.media_types)) if files else "",
    )


def label(name: str) -> str:
    """A field's name as a person reads it."""
    return name.replace("_", " ").capitalize()


def _plain(about: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of a value that is there, where it may also be left out."""
    for one in about.get("anyOf", ()):
        if one.get("type") != "null":
            return dict(one)
    return about


def _bounds(
    kind: Kind, offer: Offer, name: str, plain: Mapping[str, Any]
) -> tuple[float | None, float | None]:
    high = offer.outputs_max if name == kind.count_field else plain.get("maximum")
    return plain.get("minimum"), high


def _control(
    kind: Kind,
    name: str,
    plain: Mapping[str, Any],
    offered: Sequence[str],
    bounds: tuple[float | None, float | None],
) -> Control:
    if name in kind.files:
        return "files"
    if name == "aspect_ratio":
        return "ratio"
    if offered or "enum" in plain:
        return "choice"
    low, high = bounds
    if plain.get("type") in ("integer", "number"):
        is_short = low is not None and high is not None and high - low <= _STEPS_MAX
        return "slider" if is_short else "number"
    if plain.get("type") == "boolean":
        return "switch"
    is_long = plain.get("maxLength", 0) >= _AREA_CHARS_MIN
    return "area" if is_long or _type(plain) == "json" else "text"


def _type(plain: Mapping[str, Any]) -> Type:
    if all(isinstance(one, int) for one in plain.get("enum", ("",))):
        return "number"
    if plain.get("items", {}).get("type") != "string" and plain.get("type") == "array":
        return "json"
    return _TYPES.get(plain.get("type", ""), "text")


def _choice(text: str, control: Control) -> Choice:
    if control != "ratio":
        return Choice(text)
    size = sizes.resolve(text, None)
    scale = _PICTURE_PIXELS / max(size.width, size.height)
    return Choice(text, max(4, round(size.width * scale)), max(4, round(size.height * scale)))


def body(shown: Sequence[Field], given: Mapping[str, str]) -> dict[str, Any]:
    """The JSON fields of a request from a form's; what is left empty is left out."""
    texts = {one: given.get(one.name, "").strip() for one in shown}
    return {
        one.name: _read(one, text)
        for one, text in texts.items()
        if text and not (one.is_more and text == one.usual)
    }


def _read(one: Field, text: str) -> Any:
    if one.type == "switch":
        return text == "true"
    if one.type == "json":
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError:
            return text
    if one.type == "list":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if one.type == "number":
        try:
            return int(text) if text.lstrip("-").isdecimal() else float(text)
        except ValueError:
            return text
    return text


def _is_texts(value: Sequence[Any]) -> bool:
    return all(isinstance(one, str) for one in value)


def filled(kind: Kind, fields: Mapping[str, Any]) -> dict[str, str]:
    """A request's JSON fields as a form holds them."""
    texts: dict[str, str] = {}
    for name in kind.input.__struct_fields__:
        value = fields.get(name)
        if isinstance(value, bool):
            texts[name] = "true" if value else ""
        elif isinstance(value, dict) or (isinstance(value, list) and not _is_texts(value)):
            texts[name] = msgspec.json.encode(value).decode()
        elif isinstance(value, list):
            texts[name] = "\n".join(map(str, value))
        elif value is not None:
            texts[name] = str(value)
    return texts
