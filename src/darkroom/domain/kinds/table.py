"""The table of all kinds: every surface of the platform is derived from it."""

from __future__ import annotations

from darkroom.domain.kinds import image
from darkroom.domain.kinds.kind import Kind

KINDS: dict[str, Kind] = {kind.name: kind for kind in (image.TEXT_TO_IMAGE, image.IMAGE_TO_IMAGE)}
