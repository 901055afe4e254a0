"""Seamless noise: every texture of a painting is sampled from tiles that repeat without a seam."""

from __future__ import annotations

import functools
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
# What callers may compute places in; it is sampled as float32.
Numbers = npt.NDArray[np.floating[Any]]


def bands(shape: tuple[int, int], seed: int, cells: tuple[int, int]) -> FloatArray:
    """Returns one octave of noise: band-limited, seamless, mean 0, deviation 1, of `shape`
    (rows, columns).

    `cells` is how many random cells lie along each axis. The grid's own low frequencies are taken
    away before it is enlarged, so octaves add without one drowning the other.
    """
    rows, columns = shape
    cells_y, cells_x = max(2, min(cells[0], rows)), max(2, min(cells[1], columns))
    grid = np.random.default_rng(seed).standard_normal((cells_y, cells_x), dtype=np.float32)
    grid = (
        grid
        - 0.8 * cv2.blur(cv2.copyMakeBorder(grid, 1, 1, 1, 1, cv2.BORDER_WRAP), (3, 3))[1:-1, 1:-1]
    )
    scale_y, scale_x = -(-rows // cells_y), -(-columns // cells_x)
    padded = cv2.copyMakeBorder(grid, 3, 3, 3, 3, cv2.BORDER_WRAP)
    size = (padded.shape[1] * scale_x, padded.shape[0] * scale_y)
    large = cv2.resize(padded, size, interpolation=cv2.INTER_CUBIC)
    large = large[3 * scale_y : -3 * scale_y, 3 * scale_x : -3 * scale_x]
    if large.shape != shape:
        large = cv2.resize(large, (columns, rows), interpolation=cv2.INTER_AREA)
    large = large - large.mean()
    return np.asarray(large / max(float(large.std()), 1e-6), np.float32)


@functools.lru_cache(maxsize=8)
def kept_bands(shape: tuple[int, int], seed: int, cells: tuple[int, int]) -> FloatArray:
    """Returns `bands`, remembered, for what is painted anew for every frame; not to be written."""
    tile = bands(shape, seed, cells)
    tile.setflags(write=False)
    return tile


def fractal(
    shape: tuple[int, int],
    seed: int,
    octaves: int = 6,
    base_cells: tuple[int, int] = (4, 4),
    gain: float = 0.5,
) -> FloatArray:
    """Returns seamless fractal noise 0..1 (mean about 0.5) of `shape` (rows, columns).

    `base_cells` (rows, columns) sets the coarsest octave, each further octave has twice the cells
    and `gain` times the height.
    """
    total = np.zeros(shape, np.float32)
    power = 0.0
    for octave in range(octaves):
        cells = (base_cells[0] << octave, base_cells[1] << octave)
        if octave and (cells[0] > shape[0] and cells[1] > shape[1]):
            break
        total += gain**octave * bands(shape, seed + 7919 * octave, cells)
        power += gain ** (2 * octave)
    total *= 0.19 / max(power, 1e-6) ** 0.5
    return np.clip(total + 0.5, 0.0, 1.0)


def sample(tile: FloatArray, u: Numbers, v: Numbers) -> FloatArray:
    """Returns the tile at (u, v), in tiles (1 is once across), wrapped, bilinear; `u`'s shape.

    A tile of three values is quicker with a fourth that is not used.
    """
    rows, columns = tile.shape[:2]
    x, y = np.asarray(u - np.floor(u), np.float32), np.asarray(v - np.floor(v), np.float32)
    x *= columns
    y *= rows
    return np.asarray(cv2.remap(tile, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP))


def layered(
    tile: FloatArray,
    u: Numbers,
    v: Numbers,
    octaves: int,
    footprint: Numbers | float = 0.0,
    gain: float = 0.5,
) -> FloatArray:
    """Returns fractal noise (mean 0, deviation about 1) at (u, v) from one `bands` tile.

    `footprint` is a pixel's size in tiles: octaves finer than it fade out, which keeps the
    distance free of sparkle.
    """
    cell = 1.0 / 8.0
    total = np.zeros(u.shape, np.float32)
    power = 0.0
    for octave in range(octaves):
        scale = np.float32(2.03**octave)
        turn = 0.6 * octave
        c, s = np.float32(np.cos(turn) * scale), np.float32(np.sin(turn) * scale)
        layer = sample(tile, u * c - v * s + 0.37 * octave, u * s + v * c + 0.71 * octave)
        layer *= np.float32(gain**octave)
        if not isinstance(footprint, float):
            layer *= np.clip(1.5 - footprint * (2.0 * float(scale) / cell), 0.0, 1.0)
        total += layer
        power += gain ** (2 * octave)
    return total / np.float32(power**0.5)
