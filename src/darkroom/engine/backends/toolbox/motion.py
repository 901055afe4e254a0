"""How a clip moves: the camera's own motion from frame to frame, and the flow of every pixel."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.footage import FloatArray, Size

Grey = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]
POINTS_MAX = 240
_POINTS_MIN = 8
_RESPONSE_MIN = 0.15
_SIDE = 480


def grey(pixels: Pixels, longer: int = 320) -> Grey:
    """The frame's tones, uint8, small enough that its longer side has at most `longer` pixels."""
    height, width = pixels.shape[:2]
    scale = min(1.0, longer / max(height, width))
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def camera(
    before: Grey, after: Grey, hidden: Grey | None = None, near: Grey | None = None
) -> Matrix:
    """How the scene moved between two frames: a similarity (3, 3) from `before` to `after`.

    Corners are followed by Lucas and Kanade and agreed on by RANSAC; where there are too few, phase
    correlation tells a shift; where that is unsure too, nothing moved. What is `hidden` is not
    looked at; what is `near` is asked first (masks of the frames' shape, not 0 where they hold).
    """
    seen: Grey = np.full(before.shape, 255, np.uint8)
    if hidden is not None:
        seen = np.where(hidden > 0, 0, 255).astype(np.uint8)
    if near is not None:
        matrix = _agreed(before, after, np.minimum(seen, near))
        if matrix is not None:
            return matrix
    matrix = _agreed(before, after, seen)
    return _shift(before, after) if matrix is None else matrix


def _agreed(before: Grey, after: Grey, seen: Grey) -> Matrix | None:
    """The similarity that most corners follow; None where too few do."""
    points = cv2.goodFeaturesToTrack(before, POINTS_MAX, 0.01, 7, mask=seen)
    if points is None or len(points) < _POINTS_MIN:
        return None
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        before, after, points, np.empty_like(points), winSize=(21, 21), maxLevel=3
    )
    good = found.ravel() == 1
    if good.sum() < _POINTS_MIN:
        return None
    matrix, inliers = cv2.estimateAffinePartial2D(
        points[good], moved[good], ransacReprojThreshold=max(before.shape) / 450, confidence=0.999
    )
    if matrix is None or inliers.sum() < max(_POINTS_MIN, 0.2 * good.sum()):
        return None
    return np.vstack([matrix, [0, 0, 1]])


def _shift(before: Grey, after: Grey) -> Matrix:
    window = cv2.createHanningWindow(before.shape[::-1], cv2.CV_32F)
    parts = (before.astype(np.float32), after.astype(np.float32))
    (dx, dy), response = cv2.phaseCorrelate(*parts, window)
    matrix = np.eye(3)
    if response > _RESPONSE_MIN:
        matrix[:2, 2] = dx, dy
    return matrix


def enlarged(matrix: Matrix, scale: float) -> Matrix:
    """The same motion on frames `scale` times as large."""
    out = matrix.copy()
    out[:2, 2] *= scale
    return out


def strength(matrix: Matrix, size: Size) -> float:
    """The farthest that the motion carries a corner of a frame (width, height), in pixels."""
    width, height = size
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], float)
    return float(np.abs(corners @ matrix.T - corners).max())


class Flow:
    """Dense optical flow by inverse search (Kroeger et al., 2016), of one fixed quality."""

    def __init__(self) -> None:
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def between(self, before: Grey, after: Grey) -> FloatArray:
        """Where each pixel of `before` went, in pixels: float32 (height, width, 2), x and y."""
        return np.asarray(self._search.calc(before, after, np.empty(0)), np.float32)


def grid(size: Size) -> FloatArray:
    """The place of each pixel of a frame (width, height): float32 (height, width, 2), x and y."""
    width, height = size
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.dstack([x, y])


def moved(places: FloatArray, matrix: Matrix) -> FloatArray:
    """Places (height, width, 2) carried by a similarity (3, 3)."""
    return np.asarray(cv2.transform(places, matrix[:2].astype(np.float32)), np.float32)


def spread(field: FloatArray, size: Size, scale: Sequence[float]) -> FloatArray:
    """A small field of places or shifts in the size (width, height) of a frame, values scaled."""
    turned = field * np.array(scale, np.float32)
    return np.asarray(cv2.resize(turned, size, interpolation=cv2.INTER_LINEAR), np.float32)


class Camera:
    """The camera's motion from frame to frame of one clip, told in the frames' own pixels."""

    def __init__(self, size: Size, hidden: Sequence[tuple[int, int, int, int]] = ()) -> None:
        """`size` is (width, height); `hidden` are rectangles (left, top, right, bottom) not looked
        at, whose surroundings count most."""
        self._scale = max(size) / min(_SIDE, max(size))
        small = (round(size[1] / self._scale), round(size[0] / self._scale))
        self._hidden, self._near = np.zeros(small, np.uint8), np.zeros(small, np.uint8)
        around = round(min(small) * 0.25)
        for rectangle in hidden:
            left, top, right, bottom = (round(side / self._scale) for side in rectangle)
            self._hidden[top : bottom + 1, left : right + 1] = 255
            rows = slice(max(0, top - around), bottom + around)
            self._near[rows, max(0, left - around) : right + around] = 255
        self._last: Grey | None = None

    def step(self, pixels: Pixels) -> Matrix:
        """The motion (3, 3) from the frame before to this one; none for the first."""
        now, last = grey(pixels, _SIDE), self._last
        self._last = now
        if last is None or last.shape != now.shape:
            return np.eye(3)
        near = self._near if self._near.any() else None
        return enlarged(camera(last, now, self._hidden, near), self._scale)
