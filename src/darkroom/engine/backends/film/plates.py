"""Plates from one picture and its depth: cut where depth jumps, what they hide filled in."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import numpy.typing as npt

from darkroom.engine.backends.film.stage import Plate
from darkroom.engine.backends.painter.noise import FloatArray
from darkroom.engine.backends.painter.scene import Progress
from darkroom.engine.backends.pictures import Pixels

Mask = npt.NDArray[np.bool_]
# What lies behind is filled at this many pixels across, and enlarged.
_FILL_WIDTH = 400
# How far a plate goes on behind nearer ones, in picture widths: no camera sees farther.
_REACH = 0.11


def cut(
    rgb: Pixels, near: FloatArray, count: int, progress: Progress
) -> tuple[Pixels, list[Plate]]:
    """Returns the picture without its land (the sky filled in), and its land as plates.

    `rgb` is uint8 (H, W, 3), `near` (H, W) inverse distance 0..1, 0 for the sky. A plate goes on
    behind nearer ones where it meets them: none tears off the next.
    """
    land = near > 0
    bounds = _bounds(near[land], count)
    backdrop = filled(rgb, ~land, land) if land.any() else rgb
    plates = []
    for low, high in itertools.pairwise(bounds):
        hidden = near >= high
        own = (near >= low) & ~hidden
        if not own.any():
            continue
        cover, colour = own, rgb
        if hidden.any():
            away = cv2.distanceTransform((~own).astype(np.uint8), cv2.DIST_L2, 3)
            cover = own | (hidden & _goes_on(own, hidden) & (away < _REACH * rgb.shape[1]))
            colour = filled(rgb, own, hidden)
        plates.append(Plate(_covered(colour, cover), _spread(near, own)))
        progress(len(plates) / count)
    return backdrop, plates


def _goes_on(own: Mask, hidden: Mask) -> Mask:
    """Returns where, behind what hides it, a plate goes on: where more of it than of what lies
    farther borders the place."""
    height, width = own.shape
    size = (max(2, width // 4), max(2, height // 4))
    mine, seen = (
        np.asarray(
            cv2.resize(one.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32
        )
        for one in (own, ~hidden)
    )
    share = np.where(seen > 0.5, mine / np.maximum(seen, 1e-6), -1.0)
    for sigma in (1.5, 4.0, 12.0, 40.0, 120.0):
        weight = _blurred(seen, sigma)
        mean = _blurred(mine, sigma) / np.maximum(weight, 1e-6)
        fresh = (share < 0) & (weight > 0.02)
        share[fresh] = mean[fresh]
    large = cv2.resize(share.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large > 0.5, np.bool_)


def _bounds(near: FloatArray, count: int) -> list[float]:
    """Returns where to cut, from the far edge (over 0) to beyond the nearest: k-means in 1-D."""
    if not near.size:
        return [1e-9, 2.0]
    counts, edges = np.histogram(near, 256, (0.0, 1.0 + 1e-6))
    values = (edges[:-1] + edges[1:]) / 2
    # Near things fill the picture: the root keeps the far ones from being one.
    weights = np.sqrt(counts.astype(np.float64))
    centres = np.quantile(values[weights > 0], np.linspace(0.1, 0.9, count))
    for _ in range(12):
        owner = np.abs(values[:, None] - centres[None]).argmin(axis=1)
        total = np.bincount(owner, weights, count)
        moved = np.bincount(owner, weights * values, count) / np.maximum(total, 1e-9)
        centres = np.sort(np.where(total > 0, moved, centres))
    inner = [float(edge) for edge in (centres[1:] + centres[:-1]) / 2]
    return [1e-9, *inner, 2.0]


def _covered(rgb: Pixels, cover: Mask) -> Pixels:
    """Returns a plate's pixels: soft-edged, colours multiplied by cover."""
    soft = cv2.GaussianBlur(cover.astype(np.uint8) * 255, (0, 0), 0.8)
    colour = cv2.multiply(rgb, cv2.merge([soft] * 3), scale=1 / 255)
    return np.ascontiguousarray(np.dstack([colour, soft]), np.uint8)


def filled(rgb: Pixels, own: Mask, hidden: Mask) -> Pixels:
    """Returns the picture with the hidden part (H, W) filled in from its own part around it.

    Near the edge the own part is mirrored outwards, which keeps its texture; further in, where no
    camera sees, it is the mean of what lies around.
    """
    # Edges are mixed with what hides: they are filled too.
    reach = max(2, round(0.0035 * hidden.shape[1]))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    wide = np.asarray(cv2.dilate(hidden.astype(np.uint8), kernel), np.uint8)
    gap = ((wide > 0) | ~own).astype(np.uint8)
    if gap.all():
        return rgb
    soft_fill = _softly_filled(rgb, gap)
    mirrored = _mirrored(rgb, soft_fill, gap)
    soft = cv2.GaussianBlur(wide * 255, (0, 0), max(0.8, reach / 3))
    share = cv2.merge([soft] * 3).astype(np.uint16)
    mixed = (rgb * (255 - share) + mirrored * share + np.uint16(127)) // np.uint16(255)
    return np.asarray(mixed, np.uint8)


def _softly_filled(rgb: Pixels, gap: Pixels) -> Pixels:
    height, width = gap.shape
    scale = min(1.0, _FILL_WIDTH / max(width, height))
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    small = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    missing = (cv2.resize(gap * 255, size, interpolation=cv2.INTER_AREA) > 8).astype(np.uint8)
    large = cv2.resize(_primed(small, missing), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.uint8)


def _mirrored(rgb: Pixels, beyond: Pixels, gap: Pixels) -> Pixels:
    """Returns `beyond` with the gap's border made of what lies as far on the edge's other side."""
    height, width = gap.shape
    away, label = cv2.distanceTransformWithLabels(
        gap, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # What the nearest own pixel of each pixel is: labels count the own pixels row by row.
    own = np.flatnonzero(gap.ravel() == 0).astype(np.int32)
    place_of = np.zeros(int(label.max()) + 1, np.int32)
    place_of[label.ravel()[own]] = own
    row, column = np.divmod(place_of, np.int32(width))
    edge_x, edge_y = (one.astype(np.float32)[label] for one in (column, row))
    at_x = np.clip(2 * edge_x - np.arange(width, dtype=np.float32), 0, width - 1)
    at_y = np.clip(2 * edge_y - np.arange(height, dtype=np.float32)[:, None], 0, height - 1)
    there = cv2.remap(gap, at_x, at_y, cv2.INTER_NEAREST) == 0
    at_x, at_y = np.where(there, at_x, edge_x), np.where(there, at_y, edge_y)
    found = cv2.remap(rgb, at_x, at_y, cv2.INTER_NEAREST)
    reach = np.float32(_REACH * width)
    share = np.clip(1.6 - 1.6 * away / reach, 0, 1) * np.where(
        there, np.float32(1), np.float32(0.35)
    )
    share[(gap == 0) | (away >= reach)] = 0.0
    mixed = found.astype(np.float32)
    mixed -= beyond
    mixed *= cv2.merge([share] * 3)
    mixed += beyond
    return mixed.astype(np.uint8)


def _primed(small: Pixels, gap: Pixels) -> Pixels:
    """Returns the picture with the gap filled by ever wider means of what surrounds it."""
    out = small.astype(np.float32)
    known = (1 - gap).astype(np.float32)
    total, weight = out * known[..., None], known.copy()
    for sigma in (4.0, 16.0, 64.0):
        soft = _blurred(weight, sigma)[..., None]
        mean = _blurred(total, sigma) / np.maximum(soft, 1e-4)
        fresh = (weight < 0.5) & (soft[..., 0] > 0.02)
        total[fresh], weight[fresh] = mean[fresh], 1.0
    return np.asarray(np.clip(total, 0, 255), np.uint8)


def _spread(near: FloatArray, own: Mask) -> FloatArray:
    """Returns a plate's depth, a quarter as fine: its own where it shows, carried on around it."""
    height, width = near.shape
    size = (max(2, width // 4), max(2, height // 4))
    share = cv2.resize(own.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    value = cv2.resize(near * own, size, interpolation=cv2.INTER_AREA)
    total, weight = value.astype(np.float32), share.astype(np.float32)
    for sigma in (2.0, 8.0, 32.0, 128.0):
        soft = _blurred(weight, sigma)
        mean = _blurred(total, sigma) / np.maximum(soft, 1e-6)
        fresh = (weight < 0.3) & (soft > 0.01)
        total[fresh], weight[fresh] = mean[fresh], 1.0
    depth = total / np.maximum(weight, 1e-6)
    return np.asarray(cv2.GaussianBlur(depth, (0, 0), 1.2), np.float32)


def _blurred(values: FloatArray, sigma: float) -> FloatArray:
    """Returns values (h, w) or (h, w, 3), blurred; on a smaller grid where that is not seen."""
    height, width = values.shape[:2]
    scale = max(1.0, sigma / 4)
    size = (max(2, round(width / scale)), max(2, round(height / scale)))
    small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), sigma / scale)
    return np.asarray(cv2.resize(soft, (width, height)), np.float32)
