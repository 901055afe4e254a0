"""A film that stands ready to be made: its shot, size, length, sound and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from darkroom.engine.backends.film.shots import Shot
from darkroom.engine.backends.sounds import Samples


@dataclass(frozen=True, slots=True)
class Plan:
    """What the backend makes: `seconds` of `shot` at `size` (width, height).

    `mix` names the sources of a sound to synthesise when one is asked for; `sound` is one that is
    given, used whatever was asked. `source` is the IPTC digital source type.
    """

    shot: Shot
    size: tuple[int, int]
    seconds: int
    mix: Mapping[str, float]
    source: str
    notes: Mapping[str, Any] = field(default_factory=dict)
    sound: Samples | None = None
