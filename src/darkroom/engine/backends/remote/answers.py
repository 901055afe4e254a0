"""Answers: what an upstream's body says, and what to make of one that says nothing."""

from __future__ import annotations

import re
from typing import Any

import httpx

from darkroom import errors
from darkroom.engine.backends.remote.line import Lost

# A progress bar's line in a model's log, such as " 45%|████      | 9/20".
_PERCENT = re.compile(r"(\d{1,3})%\s*\|")


def document(body: Any, name: str) -> dict[str, Any]:
    """The body of a look, which may be tried again; raises `Hindered` where it is no object."""
    if not isinstance(body, dict):
        raise errors.Hindered(f"{name} answered something that is not its wire.")
    return body


def within(body: Any, *names: str) -> Any:
    """What lies at a path of fields in an answer; None where it goes nowhere."""
    for name in names:
        body = body.get(name) if isinstance(body, dict) else None
    return body


def taken(body: Any, name: str) -> str:
    """What an upstream that took a task calls it, in this field.

    Raises `Lost` where it does not say so: it may have taken the task all the same.
    """
    if isinstance(found := within(body, name), str) and found:
        return found
    raise Lost


def taken_at(body: Any, name: str, own: str) -> str:
    """The address in a field at which an upstream that took a task tells of it.

    Raises `Lost` as `taken` does, and for one of another house, since the key would go there.
    """
    address = taken(body, name)
    try:
        there, here = httpx.URL(address), httpx.URL(own)
    except httpx.InvalidURL as exc:
        raise Lost from exc
    domain = ".".join(here.host.split(".")[-2:])
    is_below = there.host.endswith(f".{domain}") and domain[-1].isalpha()
    if there.scheme != here.scheme or not (there.host == here.host or is_below):
        raise Lost
    return address


def addresses(output: Any) -> list[str]:
    """Every address in an output, in its order: alone, in a list, or in an object's fields."""
    if isinstance(output, str):
        return [output] if output.startswith(("http://", "https://", "data:")) else []
    if isinstance(output, dict):
        output = [*output.values()]
    if not isinstance(output, list):
        return []
    return [found for one in output for found in addresses(one)]


def percent(log: str) -> float:
    """How far the last progress bar in a log is, 0 to 1."""
    found = _PERCENT.findall(log)
    return min(int(found[-1]), 100) / 100 if found else 0.0
