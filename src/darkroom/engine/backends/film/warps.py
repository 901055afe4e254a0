"""Pictures seen through a map: OpenCV takes a third of the time for four channels that it takes
for three, to the same bytes."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from darkroom.engine.backends.painter.noise import FloatArray, Numbers
from darkroom.engine.backends.pictures import Pixels

# A picture of any kind of number, (H, W, 3) or, with a fourth channel that is not used, (H, W, 4).
Canvas = npt.NDArray[Any]
_BACKWARDS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


def widened(picture: Canvas) -> Canvas:
    """Returns RGB (H, W, 3) with a fourth channel; done once for what is warped often."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2RGBA))


def narrowed(picture: Canvas) -> Canvas:
    """Returns a picture (H, W, 4) without its fourth channel."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGBA2RGB))


def affine(
    wide: Canvas, matrix: Numbers, size: tuple[int, int], border: int = cv2.BORDER_REFLECT_101
) -> Canvas:
    """Returns `size` (width, height) pixels of a wide picture, looked up through an affine map
    (2, 3); also wide."""
    return np.asarray(cv2.warpAffine(wide, matrix, size, flags=_BACKWARDS, borderMode=border))


def perspective(wide: Canvas, matrix: Numbers, size: tuple[int, int]) -> Canvas:
    """Returns the same through a homography (3, 3)."""
    border = cv2.BORDER_REFLECT_101
    return np.asarray(cv2.warpPerspective(wide, matrix, size, flags=_BACKWARDS, borderMode=border))


def mapped(wide: Canvas, x: FloatArray, y: FloatArray, border: int) -> Pixels:
    """Returns the same, looked up at places (height, width)."""
    return np.asarray(cv2.remap(wide, x, y, cv2.INTER_LINEAR, borderMode=border), np.uint8)
