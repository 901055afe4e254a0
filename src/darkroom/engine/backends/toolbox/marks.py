"""The plain mark across the foot of a stand-in: a dark strip that says in words what it is."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from darkroom.engine.backends.pictures import Pixels

_VEIL = 0.66
_SIZE_MIN, _SIZE_USUAL, _SIZE_MAX = 5, 11, 96


def mark(pixels: Pixels, text: str) -> Pixels:
    """Returns a copy of RGB uint8 (height, width, 3) with `text` on a dark strip at its foot.

    The letters take about a thirtieth of the shorter side, and the strip is half see-through: the
    picture stays recognisable and the words readable. In a narrow picture the text is broken
    after its " · ", then made smaller.
    """
    height, width = pixels.shape[:2]
    size = int(np.clip(min(height, width) / 30, _SIZE_USUAL, _SIZE_MAX))
    lines = [text]
    if _length(lines, size) > 0.94 * width:
        lines = text.split(" · ")
    while size > _SIZE_MIN and _length(lines, size) > 0.94 * width:
        size -= 1
    tall = min(height, round(size * (0.8 + 1.3 * len(lines))))
    marked = pixels.copy()
    strip = marked[height - tall :]
    strip[:] = cv2.convertScaleAbs(strip, alpha=1 - _VEIL, beta=_VEIL * 18)
    drawn = Image.fromarray(strip)
    words = "\n".join(lines)
    ImageDraw.Draw(drawn).multiline_text(
        (width / 2, tall / 2),
        words,
        fill=(250, 250, 250),
        font=ImageFont.load_default(size),
        anchor="mm",
        align="center",
        spacing=size * 0.25,
    )
    strip[:] = np.asarray(drawn)
    return marked


def _length(lines: list[str], size: int) -> float:
    """How wide the longest line is, pixels."""
    font = ImageFont.load_default(size)
    return max(font.getlength(line) for line in lines)
