"""A film that stands ready to be made: its shot, size, length, sound and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from darkroom.engine.backends.film.shots import Shot
from darkroom.engine.backends.sounds import Samples


class Plan(msgspec.Struct, frozen=True):
    """What the backend makes: `seconds` of `shot` at `size` (width, height).

    `mix` names the sources of a sound to synthesise when one is asked for; `sound` is one that is
    given, used whatever was asked. `source` is the IPTC digital source type.
    """

    shot: Shot
    size: tuple[int, int]
    seconds: int
    mix: Mapping[str, float]
    source: str
    notes: Mapping[str, Any] = msgspec.field(default_factory=dict)
    sound: Samples | None = None
