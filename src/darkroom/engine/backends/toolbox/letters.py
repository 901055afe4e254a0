"""Pieces of a picture that may be letters: even in stroke and colour, apart from their ground."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from darkroom.engine.backends.toolbox.salience import Flags, Floats
from darkroom.engine.backends.toolbox.steps import Progress

_HEIGHT_MIN, _HEIGHT_PART_MAX = 7, 0.4
_STROKE_SIDES = (9, 19, 41, 81)  # strokes thinner than these are looked for, one after the other
_STANDS_MIN = 14.0  # lightness


class Letter(msgspec.Struct, frozen=True):
    """A piece that may be a letter: its pixels and box, its colour in Lab, the width of its stroke,
    how much of its box it fills, and how far in Lab it is from its ground."""

    points: npt.NDArray[np.intp]  # (n, 2) of (x, y)
    left: int
    top: int
    width: int
    height: int
    colour: Floats
    stroke: float
    filled: float
    apart: float

    @property
    def foot(self) -> int:
        """The row below it."""
        return self.top + self.height

    @property
    def right(self) -> int:
        """The column behind it."""
        return self.left + self.width


def letters(lab: Floats, progress: Progress) -> list[Letter]:
    """Returns the pieces of a picture in Lab (h, w, 3) that have the shape, the evenness and the
    contrast of a letter."""
    found: list[Letter] = []
    tall_max = round(lab.shape[0] * _HEIGHT_PART_MAX)
    light = cv2.GaussianBlur(lab[..., 0], (0, 0), 0.6)
    signs = cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT
    for one, sign in enumerate(signs):
        for two, side in enumerate(_STROKE_SIDES):
            progress((one + two / len(_STROKE_SIDES)) / len(signs))
            if side > min(lab.shape[:2]):
                break
            box = np.ones((side, side), np.uint8)
            stands = cv2.morphologyEx(light, sign, box)
            # Half of the strongest nearby: where the stroke's own edge is.
            inked = stands > np.maximum(_STANDS_MIN, 0.5 * cv2.dilate(stands, box))
            found += _pieces(inked, lab, tall_max)
    return _distinct(found, light.shape[:2])


def _pieces(inked: Flags, lab: Floats, tall_max: int) -> list[Letter]:
    """The connected pieces of a mask that may be letters."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(inked.astype(np.uint8), connectivity=8)
    kept = []
    for one, (left, top, wide, tall, area) in enumerate(stats.tolist()):
        fits = _HEIGHT_MIN <= tall <= tall_max and 0.06 < wide / tall < 2.2 and area >= 8
        if not (one and fits):
            continue
        part = labels[top : top + tall, left : left + wide] == one
        points = np.argwhere(part)[:, ::-1] + (left, top)
        letter = _letter(points, (left, top, wide, tall), lab)
        if letter is not None:
            kept.append(letter)
    return kept


def _letter(
    points: npt.NDArray[np.intp], box: tuple[int, int, int, int], lab: Floats
) -> Letter | None:
    left, top, wide, tall = box
    filled = len(points) / (wide * tall)
    if not 0.15 < filled < 0.97:
        return None
    part = np.zeros((tall + 4, wide + 4), np.uint8)
    part[points[:, 1] - top + 2, points[:, 0] - left + 2] = 1
    depth = cv2.distanceTransform(part, cv2.DIST_L2, 3)
    # The ridge of the distances: half the stroke, all along it.
    ridge = depth[(depth > 0.9) & (depth >= cv2.dilate(depth, np.ones((3, 3), np.uint8)))]
    if len(ridge) < 2 or ridge.std() > 0.5 * ridge.mean() + 0.35 or 2 * ridge.mean() > 0.6 * tall:
        return None
    y0, x0 = max(0, top - 2), max(0, left - 2)
    around = lab[y0 : top + tall + 2, x0 : left + wide + 2]
    own = part[y0 - top + 2 :, x0 - left + 2 :][: around.shape[0], : around.shape[1]]
    inner = around[cv2.erode(own, np.ones((2, 2), np.uint8)) > 0]
    outer = around[cv2.dilate(own, np.ones((3, 3), np.uint8)) == 0]
    if len(inner) < 3 or len(outer) < 3:
        return None
    colour = np.median(inner, axis=0)
    apart = float(np.abs(np.median(outer, axis=0) - colour).max())
    if apart < 18 or float(inner.std(axis=0).max()) > 14:
        return None
    return Letter(points, left, top, wide, tall, colour, float(2 * ridge.mean()), filled, apart)


def _distinct(pieces: list[Letter], shape: tuple[int, int]) -> list[Letter]:
    """The larger of each bunch of pieces that lie over each other."""
    taken = np.zeros(shape, np.bool_)
    kept: list[Letter] = []
    for one in sorted(pieces, key=lambda piece: -len(piece.points)):
        box = taken[one.top : one.foot, one.left : one.right]
        if box.mean() < 0.6:
            box[:] = True
            kept.append(one)
    return kept
