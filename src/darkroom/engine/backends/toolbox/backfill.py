"""What stood behind: hidden parts of a clip filled from other frames, else from around them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.footage import FloatArray
from darkroom.engine.backends.toolbox.motion import Matrix, strength
from darkroom.engine.backends.toolbox.overlays import Mask

Rectangle = tuple[int, int, int, int]
AHEAD_MAX = 40
_AHEAD = (2, 5, 9, 15, 24, 40)
_AHEAD_BYTES_MAX = 96_000_000
_AROUND = 3  # a mask holds for so many frames before and after its own
_STILL = 0.06  # pixels
_REAL, _GUESSED = 255, 80
_DISAGREES, _ELSEWHERE = 26.0, 22.0  # levels


@dataclass(slots=True)
class _Glimpse:
    """A region in one frame: its pixels, what is hidden in it, and its motion since the last."""

    pixels: Pixels
    mask: Mask
    step: Matrix


class Region:
    """A rectangle of a clip (left, top, right, bottom), filled frame by frame.

    Frames are shown some time before they are filled: what will be seen later is known then.
    """

    def __init__(self, rectangle: Rectangle) -> None:
        self.rectangle = rectangle
        left, top, right, bottom = rectangle
        self._size = (right - left, bottom - top)
        self.ahead = min(AHEAD_MAX, _AHEAD_BYTES_MAX // (self._size[0] * self._size[1] * 4) + 1)
        self._coming: deque[_Glimpse] = deque()
        self._gone: deque[Mask] = deque(maxlen=_AROUND)
        self._memory: _View | None = None

    def show(self, frame: Pixels, mask: Mask, step: Matrix) -> None:
        """Show a coming frame, its mask (255 where hidden) and how the scene moved since the last.

        Frame and mask are whole; the motion is a similarity (3, 3) in the frame's pixels.
        """
        left, top, right, bottom = self.rectangle
        part = np.s_[top:bottom, left:right]
        there, back = np.eye(3), np.eye(3)
        there[:2, 2], back[:2, 2] = (-left, -top), (left, top)
        self._coming.append(_Glimpse(frame[part].copy(), mask[part].copy(), there @ step @ back))

    def fill(self, frame: Pixels) -> None:
        """Fill the region in the frame that was shown first of those not yet filled, in place."""
        now = self._coming[0]
        hidden = self._hidden(0)
        if hidden.any():
            self._memory = self._filled(_View(now.pixels, _seen(hidden)), hidden, now.step)
            left, top, right, bottom = self.rectangle
            frame[top:bottom, left:right] = self._memory.pixels
        else:
            self._memory = _View(now.pixels, _seen(hidden))
        self._gone.append(now.mask)
        self._coming.popleft()

    def _hidden(self, number: int) -> Mask:
        """What is hidden in a coming frame, or a moment before or after it."""
        masks = [one.mask for one in _window(self._coming, number - _AROUND, number + _AROUND)]
        if number < _AROUND:
            masks += list(self._gone)[number - _AROUND :]
        return np.asarray(np.bitwise_or.reduce(masks), np.uint8)

    def _filled(self, now: _View, hidden: Mask, step: Matrix) -> _View:
        behind = _View(now.pixels.copy(), now.sure.copy(), now.around.copy())
        if self._memory is not None:
            _take(behind, now, self._memory.carried(step))
        total = np.eye(3)
        for number in range(1, min(len(self._coming), self.ahead + 1)):
            total = self._coming[number].step @ total
            if number in _AHEAD and (behind.sure < _REAL).any():
                later = _View(self._coming[number].pixels, _seen(self._hidden(number)))
                _take(behind, now, later.carried(np.asarray(np.linalg.inv(total), np.float64)))
        empty = np.where(behind.sure == 0, 255, 0).astype(np.uint8)
        if empty.any():
            made = cv2.inpaint(behind.pixels, empty, 4, cv2.INPAINT_TELEA)
            behind.pixels[:] = made
            behind.sure[empty > 0] = _GUESSED
        share = cv2.GaussianBlur(hidden, (0, 0), 1.2).astype(np.float32) / 255
        share = np.maximum(share, (hidden > 0).astype(np.float32) * np.float32(0.999))
        mixed = cv2.blendLinear(behind.pixels, now.pixels, share, 1 - share)
        return _View(np.asarray(mixed, np.uint8), behind.sure, behind.around)


def _window(coming: deque[_Glimpse], first: int, last: int) -> list[_Glimpse]:
    return [coming[k] for k in range(max(0, first), min(len(coming), last + 1))]


def _seen(hidden: Mask) -> Mask:
    return np.where(hidden > 0, 0, _REAL).astype(np.uint8)


class _View:
    """A region as far as it is known: its pixels, how sure each is, and what it lies among.

    `around` is the mean of what was seen around a pixel when it was seen itself.
    """

    def __init__(self, pixels: Pixels, sure: Mask, around: Pixels | None = None) -> None:
        self.pixels, self.sure = pixels, sure
        self.around = _around(pixels, sure) if around is None else around

    def carried(self, matrix: Matrix) -> _View:
        """The view moved by a similarity; sure of nothing outside."""
        size = (self.pixels.shape[1], self.pixels.shape[0])
        if strength(matrix, size) < _STILL:
            return self
        # A pixel is as sure as the least sure of those that it is mixed from.
        least = cv2.erode(self.sure, np.ones((3, 3), np.uint8))
        cubic, near = (
            cv2.warpAffine(one, matrix[:2], size, flags=way, borderMode=cv2.BORDER_REPLICATE)
            for one, way in ((self.pixels, cv2.INTER_CUBIC), (self.around, cv2.INTER_NEAREST))
        )
        sure = cv2.warpAffine(least, matrix[:2], size, flags=cv2.INTER_NEAREST)
        return _View(np.asarray(cubic), np.asarray(sure), np.asarray(near))


def _around(pixels: Pixels, sure: Mask) -> Pixels:
    weight = (sure == _REAL).astype(np.float32)
    reach = max(2.5, min(sure.shape) / 16)
    total = _blur(pixels * weight[..., None], reach)
    return np.asarray(total / (_blur(weight, reach) + np.float32(1e-3))[..., None], np.uint8)


def _take(behind: _View, now: _View, other: _View) -> None:
    """Take over into `behind` what another frame knows better.

    What is seen in both tells how their light differs, which is evened out, and whether they show
    the same thing at all: where they do not, or a pixel lay among other things then, the other
    frame is not believed.
    """
    both = ((now.sure > 0) & (other.sure > 0)).astype(np.float32)
    apart = cv2.subtract(now.pixels, other.pixels, dtype=cv2.CV_32F) * both[..., None]
    reach = max(2.0, min(both.shape) / 24)
    weight = _blur(both, reach) + np.float32(1e-3)
    light = _blur(apart, reach) / weight[..., None]
    wrong = _blur(_largest(np.abs(apart)), reach) / weight
    moved = _largest(cv2.absdiff(now.around, other.around))
    better = (other.sure > behind.sure) & (moved < _ELSEWHERE)
    better &= (wrong < _DISAGREES) | (weight < 0.02)
    evened = np.clip(other.pixels[better] + light[better] + 0.5, 0, 255)
    behind.pixels[better] = evened.astype(np.uint8)
    behind.sure[better] = other.sure[better]
    behind.around[better] = other.around[better]


def _largest(field: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The largest of the three channels."""
    red, green, blue = cv2.split(field)
    return np.asarray(cv2.max(cv2.max(red, green), blue))


def _blur(field: FloatArray, sigma: float) -> FloatArray:
    """A wide blur by way of a copy at a quarter of the size."""
    height, width = field.shape[:2]
    size = (max(4, width // 4), max(4, height // 4))
    small = cv2.resize(field, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(0.6, sigma / 4))
    return np.asarray(cv2.resize(small, (width, height)), np.float32)


def regions(rectangles: list[Rectangle], size: tuple[int, int]) -> list[Region]:
    """Regions around rectangles of a frame (width, height), with a margin to learn from.

    Those that overlap become one.
    """
    width, height = size
    margin = max(12, round(min(size) * 0.1))
    boxes = [
        (max(0, a - margin), max(0, b - margin), min(width, c + margin), min(height, d + margin))
        for a, b, c, d in rectangles
    ]
    merged: list[Rectangle] = []
    while boxes:
        one = boxes.pop()
        for other in boxes:
            if min(one[2], other[2]) > max(one[0], other[0]) and (
                min(one[3], other[3]) > max(one[1], other[1])
            ):
                boxes.remove(other)
                low = (min(one[0], other[0]), min(one[1], other[1]))
                boxes.append((*low, max(one[2], other[2]), max(one[3], other[3])))
                break
        else:
            merged.append(one)
    return [Region(one) for one in sorted(merged)]
