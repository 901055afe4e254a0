"""From a given picture to a shot: its estimated depth, and a camera that moves into it."""

from __future__ import annotations

import msgspec
import numpy as np
from msgspec.structs import replace

from darkroom.engine.backends.film import depths, plates
from darkroom.engine.backends.film.airs import Air
from darkroom.engine.backends.film.camera import Move
from darkroom.engine.backends.film.framing import covering
from darkroom.engine.backends.film.shots import StageShot, StillSky, sky_end
from darkroom.engine.backends.film.stage import Frame
from darkroom.engine.backends.film.winds import Ripples, set_rippling
from darkroom.engine.backends.painter import noise
from darkroom.engine.backends.painter.scene import Progress
from darkroom.engine.backends.pictures import Pixels

# How much larger than the frame the picture is, for the camera to move in.
_SPAN = 1.09
# Guessed depth tears where it is wrong: the camera goes a shorter way than in painted scenes.
_CARE = 0.62


class Portrait(msgspec.Struct, frozen=True):
    """A shot of a picture, and what was found in it: sky that drifts, water that ripples, a
    subject that stands out."""

    shot: StageShot
    found: tuple[str, ...]


def portray(
    picture: Pixels,
    size: tuple[int, int],
    move: Move,
    seed: int,
    airs: tuple[Air, ...],
    progress: Progress,
) -> Portrait:
    """Returns the shot of a picture, RGB uint8 (H, W, 3), cut to fill `size` (width, height)."""
    canvas = (round(size[0] * _SPAN), round(size[1] * _SPAN))
    filled = covering(picture, canvas)
    seen = depths.estimate(filled)
    progress(0.5)
    backdrop, land = plates.cut(filled, seen.near, 3, lambda part: progress(0.5 + 0.5 * part))
    if seen.water is not None:
        tile = noise.bands((256, 256), seed + 77, (8, 8))
        set_rippling(land, Ripples(canvas, seen.line * canvas[1], seen.water, tile, 0.55))
    gentle = replace(move, first=move.first.milder(_CARE), last=move.last.milder(_CARE))
    pace = 0.014 * (1.0 if seed % 2 else -1.0) if seen.is_sky else 0.0
    shot = StageShot(
        Frame(size, canvas, seen.line * canvas[1], 1.0),
        gentle,
        StillSky(np.ascontiguousarray(backdrop), seen.line, pace),
        1.0,
        land,
        airs=airs,
        sky_end=sky_end(seen.near),
    )
    names = {
        "sky": seen.is_sky, "water": seen.water is not None, "subject": seen.has_subject,
    }  # fmt: skip
    return Portrait(shot, tuple(name for name, there in names.items() if there))
