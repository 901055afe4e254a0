"""The form of a kind: a field for each of its input struct's, bounded by what a model offers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from math import floor, log10
from typing import Any, Literal

import msgspec

from darkroom.console import pieces
from darkroom.domain import catalogue, sizes
from darkroom.domain.catalogue import Offer
from darkroom.domain.kinds.kind import Kind, Submit

Type = Literal["text", "number", "switch", "lines", "json"] | pieces.Type
Control = (
    Literal["text", "area", "choice", "pick", "ratio", "slider", "number", "switch", "files"]
    | pieces.Control
)

# What a program asks for and a person at this page does not: the page itself follows the task.
_PROGRAMS = {"model", "webhook_url", "webhook_events", "caller_id"}
# What a field's value is, by its type in JSON Schema; any other is a text.
_TYPES: Mapping[str, Type] = {
    "integer": "number",
    "number": "number",
    "boolean": "switch",
    "array": "lines",
    "object": "json",
}
# What most requests leave as it is; the fields that every kind has are of these too.
_MORE = {"negative_prompt", "seed", "use_web_search"} | set(Submit.__struct_fields__)
# A bounded number with more steps than this is typed, not slid to.
_STEPS_MAX = 200
_AREA_CHARS_MIN = 300
_ENDS = ("minimum", "maximum")
# For models that take any.
_RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "21:9")
_RESOLUTIONS = ("720p", "1080p", "1k", "2k", "4k")
# The longer side of a ratio's little picture.
_PICTURE_PIXELS = 22


class Choice(msgspec.Struct, frozen=True):
    """One of the values of a field: its name and a few words, where it has any.

    A ratio's has the sides of its little picture, in pixels.
    """

    value: str
    name: str = ""
    words: str = ""
    width: int = 0
    height: int = 0


class Field(msgspec.Struct, frozen=True):
    """One field: how it is filled in, what it takes, and what it holds, as text."""

    name: str
    label: str
    help: str
    control: Control
    # How the JSON of a request spells it: a text, a number, true, a list of texts, as it stands,
    # or of pieces.
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
    rows: tuple[pieces.Row, ...] = ()
    # What the parts of a row are in JSON.
    parts: Mapping[str, str] = msgspec.field(default_factory=dict)
    # How many of a list there must be, and may.
    least: int = 0
    most: int = 0


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
    for one in found["properties"].values():
        items = one.get("items", {})
        if "$ref" in items:
            one["items"] = schema["$defs"][items["$ref"].rpartition("/")[2]]
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
    items = plain.get("items", {})
    of_pieces = None if name in kind.files else pieces.control(plain, items)
    control = of_pieces or _control(kind, name, plain, offered, bounds)
    default = about.get("default")
    usual = "" if default in (None, [], {}) or default is False else str(default)
    value = given.get(name, usual)
    if offered and value not in offered:
        value = offered[0]
    files = kind.files.get(name)
    return Field(
        name=name,
        label=about.get("title", pieces.label(name)),
        help=about.get("description", ""),
        control=control,
        type=pieces.TYPES[of_pieces] if of_pieces else _type(plain),
        is_required=is_required,
        is_more=name in _MORE,
        value=value,
        usual=usual,
        low=bounds[0],
        high=bounds[1],
        step=_step(plain, control, bounds),
        chars_max=offer.prompt_chars_max if name in kind.texts else plain.get("maxLength"),
        choices=tuple(_choices(plain, items, offered, control)),
        is_open=not offered and not is_required and default is None,
        suggestions=() if offered or name != "resolution" else _RESOLUTIONS,
        files_max=catalogue.files_max(kind, offer, name) if files else 0,
        accept=",".join(sorted(files.media_types)) if files else "",
        rows=pieces.rows(name, of_pieces, plain, items, given) if of_pieces else (),
        parts=pieces.leaves(items),
        least=plain.get("minItems", 0),
        most=plain.get("maxItems", 0),
    )


def _plain(about: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of a value that is there, where it may also be left out."""
    for one in about.get("anyOf", ()):
        if one.get("type") != "null":
            return dict(one)
    return about


def _bounds(
    kind: Kind, offer: Offer, name: str, plain: Mapping[str, Any]
) -> tuple[float | None, float | None]:
    low, high = (plain.get(one, plain.get(f"format{one.capitalize()}")) for one in _ENDS)
    return low, offer.outputs_max if name == kind.count_field else high


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
    if "oneOf" in plain:
        return "pick"
    low, high = bounds
    is_short = low is not None and high is not None and high - low <= _STEPS_MAX
    if is_short:
        return "slider"
    if plain.get("type") in ("integer", "number"):
        return "number"
    if plain.get("type") == "boolean":
        return "switch"
    is_long = plain.get("maxLength", 0) >= _AREA_CHARS_MIN
    return "area" if is_long or _type(plain) in ("json", "lines") else "text"


def _step(
    plain: Mapping[str, Any], control: Control, bounds: tuple[float | None, float | None]
) -> str:
    """How far apart the values are: 1 of whole numbers, about a twentieth of a slider."""
    low, high = bounds
    if plain.get("type") == "integer":
        return "1"
    if control != "slider" or low is None or high is None:
        return "any"
    return f"{10 ** floor(log10(high - low)) / 20:g}"


def _type(plain: Mapping[str, Any]) -> Type:
    if all(isinstance(one, int) for one in plain.get("enum", ("",))):
        return "number"
    if plain.get("items", {}).get("type") != "string" and plain.get("type") == "array":
        return "json"
    return _TYPES.get(plain.get("type", ""), "text")


def _choices(
    plain: Mapping[str, Any], items: Mapping[str, Any], offered: Sequence[str], control: Control
) -> Iterator[Choice]:
    for text in offered or plain.get("enum", _RATIOS if control == "ratio" else ()):
        yield _ratio(text) if control == "ratio" else Choice(str(text))
    for one in plain.get("oneOf", items.get("oneOf", ())):
        yield Choice(str(one["const"]), one["title"], one["description"])


def _ratio(text: str) -> Choice:
    size = sizes.resolve(text, None)
    scale = _PICTURE_PIXELS / max(size.width, size.height)
    width, height = (max(4, round(side * scale)) for side in (size.width, size.height))
    return Choice(text, width=width, height=height)


def body(shown: Sequence[Field], given: Mapping[str, str]) -> dict[str, Any]:
    """The JSON fields of a request from a form's; what is left empty is left out."""
    found = {}
    for one in shown:
        if one.type in ("texts", "words", "rows"):
            value = pieces.read(one.name, one.type, one.parts, given)
        else:
            text = given.get(one.name, "").strip()
            value = _read(one, text) if text and not (one.is_more and text == one.usual) else ""
        if value not in ("", [], {}):
            found[one.name] = value
    return found


def _read(one: Field, text: str) -> Any:
    if one.type == "switch":
        return text == "true"
    if one.type == "json":
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError:
            return text
    if one.type == "lines":
        return [line.strip() for line in text.splitlines() if line.strip()]
    return pieces.number(text) if one.type == "number" else text


def _is_texts(value: Sequence[Any]) -> bool:
    return all(isinstance(one, str) for one in value)


def filled(kind: Kind, fields: Mapping[str, Any]) -> dict[str, str]:
    """A request's JSON fields as a form holds them."""
    texts: dict[str, str] = {}
    for name, about in _schema(kind.input)["properties"].items():
        value = fields.get(name)
        plain = _plain(about)
        if isinstance(value, bool):
            texts[name] = "true" if value else ""
        elif value and name not in kind.files and pieces.control(plain, plain.get("items", {})):
            texts |= pieces.spelled(name, value)
        elif isinstance(value, dict) or (isinstance(value, list) and not _is_texts(value)):
            texts[name] = msgspec.json.encode(value).decode()
        elif isinstance(value, list):
            texts[name] = "\n".join(map(str, value))
        elif value is not None:
            texts[name] = str(value)
    return texts


def told(kind: Kind, fields: Mapping[str, Any]) -> dict[str, str]:
    """A request's JSON fields as a person reads them, what is named by its name."""
    found: dict[str, str] = {}
    for name, text in filled(kind, fields).items():
        whole = name.partition(".")[0]
        plain = _plain(_schema(kind.input)["properties"][whole])
        named = {one.value: one.name for one in _choices(plain, plain.get("items", {}), (), "pick")}
        said = named.get(text) or text
        found[whole] = f"{found[whole]}, {said}" if whole in found else said
    return found
