"""What stood behind: hidden parts of a clip filled from other frames, else from around them."""

from __future__ import annotations

from collections import deque
from typing import Any

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.fill import Wish, fill
from darkroom.engine.backends.toolbox.footage import FloatArray, Progress, Size
from darkroom.engine.backends.toolbox.motion import Matrix, enlarged, strength
from darkroom.engine.backends.toolbox.overlays import Mask

Rectangle = tuple[int, int, int, int]
AHEAD_MAX = 32
_AHEAD = (2, 6, 14, 32)
_AHEAD_BYTES_MAX = 96_000_000
_AROUND = 3  # a mask holds for so many frames before and after its own
_STILL = 0.06  # pixels
_REAL, _GUESSED = 255, 80
_QUARTER = 4
_PIECED_DEPTH, _PIECED_EVERY = 0.035, 20  # of the region; frames
_DISAGREES, _ELSEWHERE = 26.0, 22.0  # levels


class _Glimpse(msgspec.Struct):
    """A region in one frame: its pixels, what is hidden in it, and its motion since the last."""

    pixels: Pixels
    mask: Mask
    step: Matrix


def ahead(size: Size) -> int:
    """How many frames (width, height) may wait to be filled: as many as there is memory for."""
    return min(AHEAD_MAX, _AROUND + _AHEAD_BYTES_MAX // (size[0] * size[1] * 3))


class Region:
    """A rectangle of a clip (left, top, right, bottom), filled frame by frame.

    Frames are shown some time before they are filled: what will be seen later is known then.
    """

    def __init__(self, rectangle: Rectangle, seed: int, tell: Progress) -> None:
        """`tell` is called during long work."""
        self.rectangle, self._seed, self._tell = rectangle, seed, tell
        left, top, right, bottom = rectangle
        self._size = (right - left, bottom - top)
        self._coming: deque[_Glimpse] = deque()
        self._gone: deque[Mask] = deque(maxlen=_AROUND)
        self._memory: _View | None = None
        self._since = _PIECED_EVERY

    def show(self, frame: Pixels, mask: Mask, step: Matrix) -> None:
        """Show a coming frame, its mask (255 where hidden) and how the scene moved since the last.

        Frame and mask are whole and must not be written to; the motion is a similarity (3, 3) in
        the frame's pixels.
        """
        left, top, right, bottom = self.rectangle
        part = np.s_[top:bottom, left:right]
        there, back = np.eye(3), np.eye(3)
        there[:2, 2], back[:2, 2] = (-left, -top), (left, top)
        self._coming.append(_Glimpse(frame[part], mask[part], there @ step @ back))

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
        for number in range(1, len(self._coming)):
            total = self._coming[number].step @ total
            if number in _AHEAD and (behind.sure < _REAL).any():
                back = np.asarray(np.linalg.inv(total), np.float64)
                seen = _seen(self._hidden(number))
                # To move pixels is worth it only where they tell something new.
                if (_sure_after(seen, back) > behind.sure).any():
                    _take(behind, now, _View(self._coming[number].pixels, seen).carried(back))
        empty = np.where(behind.sure == 0, 255, 0).astype(np.uint8)
        if empty.any():
            behind.pixels[:] = self._made_up(behind.pixels, empty)
            behind.sure[empty > 0] = _GUESSED
        share = cv2.GaussianBlur(hidden, (0, 0), 1.2).astype(np.float32) / 255
        share = np.maximum(share, (hidden > 0).astype(np.float32) * np.float32(0.999))
        mixed = cv2.blendLinear(behind.pixels, now.pixels, share, 1 - share)
        return _View(np.asarray(mixed, np.uint8), behind.sure, behind.around)

    def _made_up(self, pixels: Pixels, empty: Mask) -> Pixels:
        """What no frame shows: strokes are closed from their borders, large parts from pieces.

        Pieces take long, so once in a while; in between what was made up goes on.
        """
        self._since += 1
        deep = float(cv2.distanceTransform(empty, cv2.DIST_L2, 3).max())
        if deep > _PIECED_DEPTH * min(self._size) and self._since > _PIECED_EVERY:
            self._since = 0
            hole = np.asarray(empty > 0, np.bool_)
            return fill(pixels, hole, Wish(self._seed), self._tell)
        return np.asarray(cv2.inpaint(pixels, empty, 4, cv2.INPAINT_TELEA), np.uint8)


def _window(coming: deque[_Glimpse], first: int, last: int) -> list[_Glimpse]:
    return [coming[k] for k in range(max(0, first), min(len(coming), last + 1))]


def _seen(hidden: Mask) -> Mask:
    return np.where(hidden > 0, 0, _REAL).astype(np.uint8)


class _View:
    """A region as far as it is known: its pixels and how sure each is.

    `around`, at a quarter of the size, is the mean of what was seen around each place when the
    place was seen itself.
    """

    def __init__(self, pixels: Pixels, sure: Mask, around: FloatArray | None = None) -> None:
        self.pixels, self.sure = pixels, sure
        if around is None:
            reach = max(2.5, min(sure.shape) / 16) / _QUARTER
            weight = np.asarray((sure == _REAL) * np.uint8(255), np.uint8)
            around = _means(pixels, weight, reach)
        self.around = around

    def carried(self, matrix: Matrix) -> _View:
        """The view moved by a similarity; sure of nothing outside."""
        size = (self.pixels.shape[1], self.pixels.shape[0])
        if strength(matrix, size) < _STILL:
            return self
        border = cv2.BORDER_REPLICATE
        pixels = cv2.warpAffine(
            self.pixels, matrix[:2], size, flags=cv2.INTER_CUBIC, borderMode=border
        )
        small = enlarged(matrix, 1 / _QUARTER)[:2]
        around = cv2.warpAffine(
            self.around, small, self.around.shape[1::-1], flags=cv2.INTER_NEAREST, borderMode=border
        )
        sure = _sure_after(self.sure, matrix)
        return _View(np.asarray(pixels, np.uint8), sure, np.asarray(around, np.float32))


def _sure_after(sure: Mask, matrix: Matrix) -> Mask:
    """How sure pixels are after a similarity: as the least sure of those they are mixed from."""
    size = (sure.shape[1], sure.shape[0])
    if strength(matrix, size) < _STILL:
        return sure
    least = cv2.erode(sure, np.ones((3, 3), np.uint8))
    return np.asarray(cv2.warpAffine(least, matrix[:2], size, flags=cv2.INTER_NEAREST), np.uint8)


def _take(behind: _View, now: _View, other: _View) -> None:
    """Take over into `behind` what another frame knows better.

    What is seen in both tells how their light differs, which is evened out, and whether they show
    the same thing at all: where they do not, or a pixel lay among other things then, the other
    frame is not believed.
    """
    gain = other.sure > behind.sure
    if not gain.any():
        return
    reach = max(2.0, min(gain.shape) / 24) / _QUARTER
    both = np.asarray(((now.sure > 0) & (other.sure > 0)) * np.uint8(255), np.uint8)
    weight = _weights(both, reach)
    light = _means(now.pixels, both, reach) - _means(other.pixels, both, reach)
    wrong = _means(_largest(cv2.absdiff(now.pixels, other.pixels)), both, reach)
    moved = _largest(np.abs(now.around - other.around))
    good = (moved < _ELSEWHERE) & ((wrong < _DISAGREES) | (weight < 0.02))
    size = (gain.shape[1], gain.shape[0])
    better = gain & (cv2.resize(good.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0)
    mask = np.asarray(better * np.uint8(255), np.uint8)
    evened = cv2.add(other.pixels, cv2.resize(light, size), dtype=cv2.CV_8U)
    cv2.copyTo(evened, mask, behind.pixels)
    cv2.copyTo(other.sure, mask, behind.sure)
    small = cv2.resize(mask, good.shape[::-1], interpolation=cv2.INTER_AREA) > 96
    behind.around[small] = other.around[small]


def _quarter(field: Mask) -> FloatArray:
    """A field of uint8 at a quarter of its size, float32."""
    size = (max(4, field.shape[1] // _QUARTER), max(4, field.shape[0] // _QUARTER))
    return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_AREA), np.float32)


def _weights(mask: Mask, sigma: float) -> FloatArray:
    """How much of what lies around a place the mask holds, at a quarter of the size, 0 to 1."""
    soft = cv2.GaussianBlur(_quarter(mask), (0, 0), max(0.6, sigma))
    return np.asarray(soft / np.float32(255) + np.float32(1e-3), np.float32)


def _means(field: Mask, mask: Mask, sigma: float) -> FloatArray:
    """The mean around each place over what the mask holds, at a quarter of the size."""
    total = _quarter(np.asarray(cv2.copyTo(field, mask), np.uint8))
    total = np.asarray(cv2.GaussianBlur(total, (0, 0), max(0.6, sigma)), np.float32)
    weight = _weights(mask, sigma)
    return total / (weight[..., None] if total.ndim == 3 else weight)


def _largest(field: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The largest of the three channels."""
    red, green, blue = cv2.split(field)
    return np.asarray(cv2.max(cv2.max(red, green), blue))


def regions(rectangles: list[Rectangle], size: tuple[int, int]) -> list[Rectangle]:
    """Rectangles of a frame (width, height) with a margin to learn from, joined where they meet."""
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
    return sorted(merged)
