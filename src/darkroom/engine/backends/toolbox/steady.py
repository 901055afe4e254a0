"""Frames that agree with what came before: noise and flicker averaged along the motion."""

from __future__ import annotations

import cv2
import numpy as np

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.footage import FloatArray
from darkroom.engine.backends.toolbox.motion import Flow, Grey, grey, grid, spread

# Differences between a frame and what was expected of it, in levels: noise up to the first, another
# thing from the second on.
_SAME, _OTHER = 5.0, 22.0


class Steady:
    """A recursive filter: each frame is mixed with the last result, carried here by the flow."""

    def __init__(self, memory: float = 0.65) -> None:
        """`memory` is how much of the last result stays where nothing speaks against it, 0 to 1."""
        agreed = (_OTHER - np.arange(256, dtype=np.float32)) / (_OTHER - _SAME)
        self._trust = np.clip(agreed, 0, 1) * np.float32(memory)
        self._flow = Flow()
        self._grey: Grey | None = None
        self._last: Pixels | None = None
        self._grid: FloatArray | None = None

    def filtered(self, pixels: Pixels) -> Pixels:
        """The frame, RGB uint8 (height, width, 3), with less noise."""
        small = grey(pixels)
        expected = self._expected(small, pixels)
        self._grey = small
        if expected is None:
            self._last = pixels
            return pixels
        red, green, blue = cv2.split(cv2.absdiff(pixels, expected))
        far = cv2.blur(cv2.max(cv2.max(red, green), blue), (5, 5))
        trust = np.asarray(cv2.LUT(far, self._trust), np.float32)
        self._last = mixed(pixels, expected, trust)
        return self._last

    def _expected(self, small: Grey, pixels: Pixels) -> Pixels | None:
        if self._last is None or self._grey is None:
            return None
        size = (pixels.shape[1], pixels.shape[0])
        # From now to then: a place in this frame knows where to look in the last one.
        back = self._flow.between(small, self._grey)
        scale = (size[0] / small.shape[1], size[1] / small.shape[0])
        if self._grid is None:
            self._grid = grid(size)
        places = cv2.add(spread(back, size, scale), self._grid)
        x, y = cv2.split(places)
        border = cv2.BORDER_REPLICATE
        carried = cv2.remap(self._last, x, y, cv2.INTER_LINEAR, borderMode=border)
        return np.asarray(carried, np.uint8)


def mixed(first: Pixels, second: Pixels, share: FloatArray) -> Pixels:
    """`share` (height, width), 0 to 1, of the second frame over the first; both uint8."""
    shares = np.ascontiguousarray(share, np.float32)
    return np.asarray(cv2.blendLinear(second, first, shares, 1 - shares), np.uint8)
