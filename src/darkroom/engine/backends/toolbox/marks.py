"""The plain mark across the foot of a stand-in: a dark strip that says in words what it is."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from darkroom.engine.backends.pictures import Pixels

_VEIL = 0.62
_TEXT_MIN, _TEXT_MAX = 5, 96


def mark(pixels: Pixels, text: str) -> Pixels:
    """Returns a copy of RGB uint8 (height, width, 3) with `text` on a dark strip at its foot.

    The letters take about a thirtieth of the shorter side, smaller where the line would not fit,
    and the strip is half see-through: the picture stays recognisable and the words readable.
    """
    height, width = pixels.shape[:2]
    size = int(np.clip(min(height, width) / 30, _TEXT_MIN, _TEXT_MAX))
    font = ImageFont.load_default(size)
    while size > _TEXT_MIN and font.getlength(text) > 0.94 * width:
        size -= 1
        font = ImageFont.load_default(size)
    tall = min(height, round(size * 2.1))
    marked = pixels.copy()
    strip = marked[height - tall :]
    strip[:] = cv2.convertScaleAbs(strip, alpha=1 - _VEIL, beta=_VEIL * 18)
    drawn = Image.fromarray(strip)
    ImageDraw.Draw(drawn).text(
        (width / 2, tall / 2), text, fill=(245, 245, 245), font=font, anchor="mm"
    )
    strip[:] = np.asarray(drawn)
    return marked
