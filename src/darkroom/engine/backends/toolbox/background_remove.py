"""video-background-remove: what a clip shows before a plain colour, or before nothing."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox import footage
from darkroom.engine.backends.toolbox.cutout import outline
from darkroom.engine.backends.toolbox.footage import Cut, FloatArray, Footage
from darkroom.engine.backends.toolbox.subject import Subject, plate, with_later

COLOURS = {
    "BLACK": (0, 0, 0),
    "WHITE": (255, 255, 255),
    "GRAY": (128, 128, 128),
    "RED": (255, 0, 0),
    "GREEN": (0, 255, 0),
    "BLUE": (0, 0, 255),
    "YELLOW": (255, 255, 0),
    "CYAN": (0, 255, 255),
    "MAGENTA": (255, 0, 255),
    "ORANGE": (255, 165, 0),
}
_LOOKED = 0.2  # of the way, while the background is looked for


def remove_background(given: Input, context: Context) -> Iterator[Output]:
    """Yields the subject before `background_color`, for TRANSPARENT as a WebM; then its cover."""
    footage.seeded(context.seed)
    clip = footage.opened(given)
    name = str(given.fields.get("background_color") or "BLACK")
    background = plate(clip, footage.part(context, 0, _LOOKED))
    notes = {
        "background_color": name,
        "background_from": "the clip's still background" if background is not None else "outlines",
    }
    subject = Subject(background, outline)
    cut = Cut.like(clip, notes=notes, alpha=name == "TRANSPARENT")
    yield from footage.written(_frames(clip, subject, name), cut, context, _LOOKED)


def _frames(clip: Footage, subject: Subject, name: str) -> Iterator[Pixels]:
    colour = COLOURS.get(name)
    behind = None if colour is None else np.full((*clip.size[::-1], 3), colour, np.uint8)
    for pixels, later in with_later(clip.frames()):
        matte = subject.matte(pixels, later)
        front = cleaned(pixels, matte)
        if behind is None:
            level = np.asarray(cv2.convertScaleAbs(matte, alpha=255), np.uint8)
            front[level == 0] = 0
            yield np.dstack([front, level])
        else:
            yield np.asarray(cv2.blendLinear(front, behind, matte, 1 - matte), np.uint8)


def cleaned(pixels: Pixels, matte: FloatArray) -> Pixels:
    """The frame with the background's colour taken out of the subject's edge.

    Where the matte is not whole, colours come from what is wholly subject nearby.
    """
    height, width = pixels.shape[:2]
    size = (max(8, width // 4), max(8, height // 4))
    inner = np.asarray(cv2.resize(matte, size, interpolation=cv2.INTER_AREA), np.float32) ** 4
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    sigma = max(1.5, min(size) / 60)
    total = cv2.GaussianBlur(small * inner[..., None], (0, 0), sigma)
    weight = cv2.GaussianBlur(inner, (0, 0), sigma) + np.float32(1e-4)
    near = np.clip(total / weight[..., None], 0, 255).astype(np.uint8)
    large = np.asarray(cv2.resize(near, (width, height)), np.uint8)
    share = np.clip((1 - matte) * np.float32(1.5), 0, 0.9)
    return np.asarray(cv2.blendLinear(large, pixels, share, 1 - share), np.uint8)
