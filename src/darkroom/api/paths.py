"""Paths: what answers at an address, found by the address itself or by a pattern that it fits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Generic, TypeVar

T = TypeVar("T")

_PARAMETER = re.compile(r"\{(\w+)\}")
# fal's word for a model's address, which has several parts.
_LONG = "app"


class Paths(Generic[T]):
    """Things by their paths; `{name}` in a path is one part of an address, `{app}` is several."""

    def __init__(self, things: Mapping[str, T]) -> None:
        self._exact = {path: thing for path, thing in things.items() if "{" not in path}
        self._patterns = [
            (re.compile(_PARAMETER.sub(_pattern, path)), thing)
            for path, thing in things.items()
            if "{" in path
        ]

    def find(self, path: str) -> tuple[T | None, Mapping[str, str]]:
        """What stands at this address, or None, and the parts that its pattern names."""
        if (thing := self._exact.get(path)) is not None:
            return thing, {}
        for pattern, candidate in self._patterns:
            if found := pattern.fullmatch(path):
                return candidate, found.groupdict()
        return None, {}


def _pattern(parameter: re.Match[str]) -> str:
    return rf"(?P<{parameter[1]}>{'.+' if parameter[1] == _LONG else '[^/]+'})"
