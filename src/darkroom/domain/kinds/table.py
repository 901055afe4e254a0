"""The table of all kinds: every surface of the platform is derived from it."""

from __future__ import annotations

from darkroom.domain.kinds import audio, effects, image, image_tools, podcast, video, video_tools
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
    )
    for kind in kinds
}
