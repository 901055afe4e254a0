"""Relief in true perspective: which point of a height field each pixel sees."""

from __future__ import annotations

import msgspec
import numpy as np

from darkroom.engine.backends.painter.noise import FloatArray
from darkroom.engine.backends.painter.view import View


class Hits(msgspec.Struct, frozen=True):
    """What pixels see: `depth` (rows, columns) ahead, inf where none; `skyline` (columns,)."""

    depth: FloatArray
    skyline: FloatArray
    top: int  # the canvas row of depth's first row


def march(view: View, heights: FloatArray, depths: FloatArray, eye: float) -> Hits:
    """Returns the first surface point along each pixel's ray.

    `heights` (slices, columns) are taken at `depths` (slices,), near to far, along each pixel
    column. The running minimum of projected rows over depth is the visible envelope; rows find
    their slice by counting.
    """
    count, columns = heights.shape
    rows_at = (
        np.float32(view.horizon)
        - np.float32(view.focal) * (heights - np.float32(eye)) / depths[:, None]
    )
    rows_at[1:-1] = _crested(rows_at)
    envelope = np.minimum.accumulate(rows_at, axis=0)
    skyline = envelope[-1]
    top = int(np.clip(np.floor(skyline.min()), 0, view.height))
    lines = view.height - top
    if lines <= 0:
        return Hits(np.zeros((0, columns), np.float32), skyline, top)
    first = np.clip(np.ceil(envelope - 0.5) - top, 0, lines).astype(np.int64)
    flat = (first * columns + np.arange(columns)).ravel()
    counts = np.bincount(flat, minlength=(lines + 1) * columns).reshape(lines + 1, columns)
    index = count - np.cumsum(counts[:lines], axis=0)
    missed = index >= count
    after = np.minimum(index, count - 1)
    before = np.maximum(after - 1, 0)
    row = (np.arange(lines, dtype=np.float32) + np.float32(top + 0.5))[:, None]
    low = np.take_along_axis(rows_at, before, 0)
    high = np.take_along_axis(rows_at, after, 0)
    share = np.clip((low - row) / np.maximum(low - high, 1e-3), 0.0, 1.0)
    inverse = (1.0 / depths).astype(np.float32)
    depth = 1.0 / (inverse[before] * (1 - share) + inverse[after] * share)
    # Nearer than the first slice: the flat ground under it.
    near = (index == 0) & ~missed
    ground = (
        np.float32(view.focal)
        * (eye - heights[0])[None, :]
        / np.maximum(row - np.float32(view.horizon), 1.0)
    )
    depth = np.where(near, np.minimum(ground, depths[0]), depth)
    depth[missed] = np.inf
    return Hits(depth.astype(np.float32), skyline.astype(np.float32), top)


def _crested(rows_at: FloatArray) -> FloatArray:
    """Returns the inner rows, each crest raised to the peak that lies between slices."""
    before, here, after = rows_at[:-2], rows_at[1:-1], rows_at[2:]
    bend = before - 2 * here + after
    peak = (here < before) & (here <= after) & (bend > 1e-3)
    most = 0.5 * np.minimum(before - here, after - here)
    raised = here - np.minimum(
        (before - after) ** 2 / (8 * np.maximum(bend, 1e-3)), np.maximum(most, 0.0)
    )
    return np.asarray(np.where(peak, raised, here), np.float32)


def slices(near: float, far: float, count: int) -> FloatArray:
    """Returns `count` depths from near to far, each the same factor beyond the last."""
    return np.geomspace(near, far, count).astype(np.float32)
