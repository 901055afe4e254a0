"""Round noise that looks the same at every size and ratio: cells are counted along the longer
side."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# Values are float32 unless a docstring says otherwise; OpenCV's stubs cannot tell.
FloatArray = NDArray[Any]
_PRODUCT_CELLS_MAX = 90  # above it enlarging is cheaper than the matrix product


def mottle(
    size: tuple[int, int], seed: int, cells: float, octaves: int = 4, stretch: float = 1.0
) -> FloatArray:
    """Returns noise 0..1 (mean 0.5) of `size` (height, width): each octave has 1.97 times the
    cells.

    `cells` lie along the longer side; `stretch` above 1 draws them out sideways.
    """
    total = np.zeros(size, np.float32)
    for octave in range(octaves):
        count = min(cells * 1.97**octave, max(size) / 1.5)
        total += 0.5**octave * _octave(size, seed + octave * 7919, count, stretch)
    total *= 1 / (2 - 2.0 ** (1 - octaves))
    total += 0.5
    return np.clip(total, 0, 1, out=total)


def _octave(size: tuple[int, int], seed: int, cells: float, stretch: float) -> FloatArray:
    """One octave about 0: a random grid under cubic B-splines, which leave no crease in its
    slopes."""
    pitch = max(size) / cells
    rows, columns = int(size[0] / pitch) + 5, int(size[1] / pitch / stretch) + 5
    grid = np.random.default_rng(seed).random((rows, columns), dtype=np.float32) - 0.5
    if cells > _PRODUCT_CELLS_MAX:
        wide = (round(columns * pitch * stretch), round(rows * pitch))
        made = cv2.resize(grid, wide, interpolation=cv2.INTER_CUBIC)
        return np.asarray(made[: size[0], : size[1]], np.float32)
    down, across = _weights(size[0], pitch, rows), _weights(size[1], pitch * stretch, columns)
    return (down @ grid @ across.T) * np.float32(1.9)


def _weights(length: int, pitch: float, count: int) -> FloatArray:
    """How much each of `count` knots weighs at each pixel: (length, count), cubic B-spline."""
    at = np.arange(length, dtype=np.float32)[:, None] / np.float32(pitch) + np.float32(1.5)
    far = np.abs(at - np.arange(count, dtype=np.float32))
    inner = 2 / 3 - far * far * (1 - far / 2)
    outer = np.maximum(2 - far, 0) ** 3 / 6
    return np.where(far < 1, inner, outer).astype(np.float32)
