"""The pieces of a field: a list, table or rows of a request, each value an input of its own.

An input is named by where its value stands: `speakers.0`, `styles.JAZZ`, `rect_vo_list.0.lt_x`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

# In JSON: a list of texts, an object of texts, a list of objects.
Type = Literal["texts", "words", "rows"]
Control = Literal["chips", "words", "selects", "rows", "rectangles"]

TYPES: Mapping[Control, Type] = {
    "chips": "words",
    "words": "words",
    "selects": "texts",
    "rows": "rows",
    "rectangles": "rows",
}
# A list of more values that have names is typed.
_SELECTS_MAX = 4
# A text that may be longer gets more than a line.
_LINE_CHARS_MAX = 500


class Piece(msgspec.Struct, frozen=True):
    """One input: its name in the form, what people call it, and what it holds.

    `usual` is what a chip says when it is chosen; `low` and `high` bound a number; of a text there
    may be `choices`, and one of more than a line `is_long`.
    """

    name: str
    label: str
    value: str
    usual: str = ""
    is_number: bool = False
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    is_long: bool = False


class Row(msgspec.Struct, frozen=True):
    """Pieces that stand together: a group of chips, or one of several objects."""

    label: str
    pieces: tuple[Piece, ...]


def label(name: str) -> str:
    """A field's name as a person reads it."""
    return name.replace("_", " ").capitalize()


def control(plain: Mapping[str, Any], items: Mapping[str, Any]) -> Control | None:
    """How a value of pieces is filled in, by its JSON Schema and its items'; None: in one piece."""
    if plain.get("type") == "object":
        if "propertyNames" in plain:
            return "chips"
        return "words" if "properties" in plain else None
    if "properties" in items:
        return "rectangles" if items["title"] == "Rectangle" else "rows"
    if "oneOf" in items and plain.get("maxItems", _SELECTS_MAX + 1) <= _SELECTS_MAX:
        return "selects"
    return None


def leaves(items: Mapping[str, Any]) -> dict[str, str]:
    """What each part of a row is in JSON: "number" or "text"."""
    return {
        name: "number" if one.get("type") in ("number", "integer") else "text"
        for name, one in items.get("properties", {}).items()
    }


def rows(
    name: str,
    how: Control,
    plain: Mapping[str, Any],
    items: Mapping[str, Any],
    given: Mapping[str, str],
) -> tuple[Row, ...]:
    """The inputs of a field, filled in with what is given."""
    if how == "chips":
        groups = plain["propertyNames"]["anyOf"]
        return tuple(
            Row(label(group["title"]), tuple(_chip(name, key, given) for key in group["enum"]))
            for group in groups
        )
    if how == "words":
        return (Row("", tuple(_pieces(name, plain["properties"], given))),)
    if how == "selects":
        spelled = [f"{name}.{number}" for number in range(plain["maxItems"])]
        called = [f"{label(name)} {number + 1}" for number in range(plain["maxItems"])]
        return (
            Row(
                "",
                tuple(
                    Piece(one, text, given.get(one, ""))
                    for one, text in zip(spelled, called, strict=True)
                ),
            ),
        )
    return tuple(_numbered(name, plain, items, given))


def _chip(name: str, key: str, given: Mapping[str, str]) -> Piece:
    spelled = f"{name}.{key}"
    value = given.get(spelled, "")
    return Piece(spelled, label(key), value, value or key.lower().replace("_", " "))


def _numbered(
    name: str, plain: Mapping[str, Any], items: Mapping[str, Any], given: Mapping[str, str]
) -> Sequence[Row]:
    """What is given, row for row, and an empty one to go on with."""
    shown = [*_by_number(name, given).values()][: plain["maxItems"]]
    shown += [{}] if len(shown) < plain["maxItems"] else []
    called = items["title"]
    return [
        Row(
            f"{called} {number + 1}",
            tuple(
                _pieces(
                    f"{name}.{number}",
                    items["properties"],
                    {f"{name}.{number}.{part}": text for part, text in row.items()},
                )
            ),
        )
        for number, row in enumerate(shown)
    ]


def _pieces(
    start: str, properties: Mapping[str, Mapping[str, Any]], given: Mapping[str, str]
) -> Sequence[Piece]:
    return [
        Piece(
            f"{start}.{part}",
            one.get("title", label(part)),
            given.get(f"{start}.{part}", ""),
            is_number=one.get("type") in ("number", "integer"),
            low=one.get("minimum"),
            high=one.get("maximum"),
            choices=tuple(one.get("enum", ())),
            is_long=one.get("maxLength", 0) > _LINE_CHARS_MAX,
        )
        for part, one in properties.items()
    ]


def _by_number(name: str, given: Mapping[str, str]) -> dict[int, dict[str, str]]:
    """The parts of each row that says anything, rows in their order."""
    found: dict[int, dict[str, str]] = {}
    for key, text in given.items():
        start, _, rest = key.partition(".")
        number, _, part = rest.partition(".")
        if start == name and number.isdecimal() and text.strip():
            found.setdefault(int(number), {})[part] = text.strip()
    return dict(sorted(found.items()))


def read(name: str, how: Type, parts: Mapping[str, str], given: Mapping[str, str]) -> Any:
    """The JSON value of a field from a form's inputs; what is left empty is left out."""
    if how == "words":
        start = f"{name}."
        texts = {key: text.strip() for key, text in given.items() if key.startswith(start)}
        return {key.removeprefix(start): text for key, text in texts.items() if text}
    numbered = _by_number(name, given).values()
    if how == "texts":
        return [row[""] for row in numbered if "" in row]
    return [
        {part: number(text) if parts.get(part) == "number" else text for part, text in row.items()}
        for row in numbered
    ]


def number(text: str) -> int | float | str:
    """A number as a form holds it; a text that is none is left to the server to refuse."""
    try:
        return int(text) if text.lstrip("-").isdecimal() else float(text)
    except ValueError:
        return text


def spelled(name: str, value: Any) -> dict[str, str]:
    """A JSON value of pieces as the form's inputs hold it."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    found: dict[str, str] = {}
    for key, one in pairs:
        if isinstance(one, dict):
            found |= spelled(f"{name}.{key}", one)
        else:
            found[f"{name}.{key}"] = str(one)
    return found
