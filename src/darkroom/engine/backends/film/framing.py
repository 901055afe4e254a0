"""How large a film is, and how pictures are cut to fill it."""

from __future__ import annotations

import cv2
import numpy as np

from darkroom.engine.backends.contract import Input
from darkroom.engine.backends.pictures import Pixels
from darkroom.errors import BadInput

_SIDE_MIN, _SIDE_MAX = 48, 4096
_SECONDS_MAX = 60
# A picture's own shape is kept within these; beyond, it is cut.
_RATIO_MAX = 21 / 9


def asked(given: Input, shape: tuple[int, int] | None = None) -> tuple[tuple[int, int], int]:
    """Returns the film's size (width, height; even) and length in seconds.

    Where no aspect ratio was asked for, a given picture's `shape` (width, height) decides, at about
    the same area. Raises `BadInput` for a size or a length that cannot be made.
    """
    width, height = given.fields.get("width"), given.fields.get("height")
    seconds = given.fields.get("duration")
    if not isinstance(width, int) or not isinstance(height, int):
        raise BadInput("The film needs a whole width and height.")
    if not all(_SIDE_MIN <= side <= _SIDE_MAX for side in (width, height)):
        raise BadInput(f"Width and height must be {_SIDE_MIN} to {_SIDE_MAX} pixels.")
    if not isinstance(seconds, int) or not 1 <= seconds <= _SECONDS_MAX:
        raise BadInput(f"duration must be 1 to {_SECONDS_MAX} whole seconds.")
    if shape is not None and given.fields.get("aspect_ratio") is None:
        ratio = min(max(shape[0] / shape[1], 1 / _RATIO_MAX), _RATIO_MAX)
        area = width * height
        width, height = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
    return (max(_SIDE_MIN, width // 2 * 2), max(_SIDE_MIN, height // 2 * 2)), seconds


def covering(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Returns the picture resized and cut (from its middle) to fill `size` (width, height)."""
    height, width = pixels.shape[:2]
    scale = max(size[0] / width, size[1] / height)
    whole = (max(size[0], round(width * scale)), max(size[1], round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    large = cv2.resize(pixels, whole, interpolation=way)
    left, top = (whole[0] - size[0]) // 2, (whole[1] - size[1]) // 2
    return np.ascontiguousarray(large[top : top + size[1], left : left + size[0]], np.uint8)
