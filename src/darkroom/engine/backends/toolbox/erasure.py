"""Marked places of a picture painted over with what is around them, piece by piece."""

from __future__ import annotations

import cv2
import numpy as np

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.fill import Wish, fill
from darkroom.engine.backends.toolbox.salience import Flags
from darkroom.engine.backends.toolbox.steps import Progress, within

_PIECE, _AROUND = 380, 60  # pixels filled at a time, and seen around them; scaled in large pictures
_LARGE_SIDE = 1600
_EVENINGS = 12
_CALM = 3.5  # standard deviation of grey levels, below which the ground is even
_PIECES_MAX = 40  # that are filled from patches; with more the rest is filled evenly


def erase(picture: Pixels, marked: Flags, seed: int, progress: Progress) -> Pixels:
    """Returns RGB uint8 (h, w, 3) with the `marked` pixels (bool) continued from around them.

    Even ground is continued evenly (Telea, "An Image Inpainting Technique Based on the Fast
    Marching Method", 2004), any other with pieces of its surroundings.
    """
    if not marked.any():
        progress(1.0)
        return picture
    scale = max(1.0, max(marked.shape) / _LARGE_SIDE)
    around = round(_AROUND * scale)
    left_over = marked.copy()
    result = picture.copy()
    pieces = _pieces(marked, round(_PIECE * scale))
    for number, (top, left, foot, right) in enumerate(pieces):
        y, x = max(0, top - around), max(0, left - around)
        box = slice(y, foot + around), slice(x, right + around)
        inner = slice(top - y, foot - y), slice(left - x, right - x)
        part, hole = result[box], left_over[box].copy()
        if not hole[inner].any():
            continue
        if number >= _PIECES_MAX or _is_calm(part, hole):
            grown = cv2.inpaint(part, hole.astype(np.uint8), 4.0, cv2.INPAINT_TELEA)
            filled = _evened(np.asarray(grown, np.uint8), hole)
        else:
            heard = within(progress, number / len(pieces), (number + 1) / len(pieces))
            filled = fill(part, hole, Wish(seed + number), heard)
        own = result[top:foot, left:right]
        np.copyto(own, filled[inner], where=hole[inner][..., None])
        left_over[top:foot, left:right] = False
        progress((number + 1) / len(pieces))
    return result


def _evened(filled: Pixels, hole: Flags) -> Pixels:
    """A filled hole without the seams where what grew in from its sides met."""
    depth = float(cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3).max())
    known, field = filled.astype(np.float32), filled.astype(np.float32)
    for sigma in np.geomspace(max(1.0, depth / 2), 1.0, _EVENINGS):
        field = np.asarray(cv2.GaussianBlur(field, (0, 0), float(sigma)), np.float32)
        np.copyto(field, known, where=~hole[..., None])
    return np.asarray(field + np.float32(0.5), np.uint8)


def _pieces(marked: Flags, side: int) -> list[tuple[int, int, int, int]]:
    """Boxes (top, left, foot, right) that hold all marks, none wider or higher than `side`."""
    joined = cv2.dilate(marked.astype(np.uint8), np.ones((9, 25), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    boxes = []
    for left, top, wide, tall, _ in stats[1:].tolist():
        for y in range(top, top + tall, side):
            for x in range(left, left + wide, side):
                boxes.append((y, x, min(y + side, top + tall), min(x + side, left + wide)))
    return boxes


def _is_calm(part: Pixels, hole: Flags) -> bool:
    """Whether what is known near the hole hardly varies from place to place."""
    grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY).astype(np.float32)
    near = cv2.dilate(hole.astype(np.uint8), np.ones((21, 21), np.uint8)) > 0
    known = (~hole).astype(np.float32)
    mean = cv2.blur(grey * known, (9, 9)) / np.maximum(cv2.blur(known, (9, 9)), 1e-3)
    ring = near & ~hole
    return bool(ring.any() and float(np.abs(grey - mean)[ring].mean()) < _CALM / 2)
