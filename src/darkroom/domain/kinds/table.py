"""The table of all kinds: every surface of the platform is derived from it."""

from __future__ import annotations

from typing import Any

import msgspec
import msgspec.structs

from darkroom.domain.kinds import (
    audio,
    chat,
    effects,
    image,
    image_tools,
    podcast,
    video,
    video_tools,
)
from darkroom.domain.kinds.kind import Kind

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kinds in (
        image.KINDS,
        video.KINDS,
        effects.KINDS,
        image_tools.KINDS,
        video_tools.KINDS,
        audio.KINDS,
        podcast.KINDS,
        chat.KINDS,
    )
    for kind in kinds
}


def defaults(kind: str) -> dict[str, Any]:
    """What the fields of a kind are that a request leaves out."""
    fields = msgspec.structs.fields(KINDS[kind].input)
    made = {f.name: f.default_factory() for f in fields if callable(f.default_factory)}
    return made | {f.name: f.default for f in fields if f.default is not msgspec.NODEFAULT}
