"""What a caller asks for behind the question mark: texts, numbers, instants."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from darkroom import errors
from darkroom.api.call import Call


def texts(call: Call) -> Mapping[str, str]:
    """The parameters of the query, none with a character that the database cannot hold."""
    asked = call.request.query_params
    for name, value in asked.items():
        if "\x00" in value:
            raise errors.BadParameter(f"{name} has a NUL character.", field=name)
    return asked


def number(call: Call, name: str, default: int) -> int:
    """A whole number of up to four digits."""
    text = call.request.query_params.get(name, str(default))
    if not text.isascii() or not text.isdecimal() or len(text) > 4:
        raise errors.BadParameter(f"{name} is not a whole number: {text[:40]}", field=name)
    return int(text)


def instant(call: Call, name: str) -> datetime | None:
    """An instant, None when it is left out."""
    text = call.request.query_params.get(name)
    return None if text is None else parsed(name, text)


def parsed(name: str, text: str) -> datetime:
    """The instant that a text writes; without an offset it is UTC."""
    try:
        # A plus sign that was not escaped arrives as a space.
        at = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as exc:
        raise errors.BadParameter(
            f"{name} is no instant: send such as 2026-01-31T12:00:00Z.", field=name
        ) from exc
    return at if at.tzinfo else at.replace(tzinfo=UTC)
