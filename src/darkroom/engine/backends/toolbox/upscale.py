"""A picture twice as wide and high, sharp: enlarged so that shrinking it gives the picture back."""

from __future__ import annotations

import cv2
import numpy as np

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.salience import Floats
from darkroom.engine.backends.toolbox.steps import Progress

_ROUNDS = 5
_EVENED = (1, 3)  # the rounds that even the edges; the others give back what that has taken
_TILE, _MARGIN = 384, 16
_OVERSHOOT = 6.0  # how far beyond its neighbours a pixel may go: more would show as a halo
_ALONG = 0.5  # how much edges are evened along themselves, against steps
_STILL = 4.0  # the squared slope of grey below which there is no edge


def upscale(picture: Pixels, progress: Progress) -> Pixels:
    """Returns RGB or RGBA uint8 (h, w, 3 or 4) as (2 h, 2 w, 3 or 4).

    Iterative back-projection (Irani and Peleg, "Improving Resolution by Image Registration",
    1991), in some rounds evened along its edges so that slanting lines get no steps, and kept
    within the range of the pixels around.
    """
    height, width = picture.shape[:2]
    large = np.empty((2 * height, 2 * width, picture.shape[2]), np.uint8)
    tops, lefts = range(0, height, _TILE), range(0, width, _TILE)
    done = 0
    for top in tops:
        for left in lefts:
            y, x = max(0, top - _MARGIN), max(0, left - _MARGIN)
            foot, right = min(height, top + _TILE), min(width, left + _TILE)
            part = picture[y : foot + _MARGIN, x : right + _MARGIN].astype(np.float32)
            tile = _doubled(part)[2 * (top - y) :, 2 * (left - x) :]
            own = large[2 * top : 2 * foot, 2 * left : 2 * right]
            own[:] = tile[: own.shape[0], : own.shape[1]]
            done += 1
            progress(done / (len(tops) * len(lefts)))
    return large


def _doubled(part: Floats) -> Pixels:
    """One tile, 0..255, at twice its size."""
    small = part.shape[1::-1]
    size = 2 * small[0], 2 * small[1]
    box = np.ones((3, 3), np.uint8)
    low = cv2.resize(cv2.erode(part, box), size, interpolation=cv2.INTER_LINEAR) - _OVERSHOOT
    high = cv2.resize(cv2.dilate(part, box), size, interpolation=cv2.INTER_LINEAR) + _OVERSHOOT
    large = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_LANCZOS4), np.float32)
    for one in range(_ROUNDS):
        if one in _EVENED:
            large = _evened(large)
        lost = part - cv2.resize(large, small, interpolation=cv2.INTER_AREA)
        large = large + cv2.resize(lost, size, interpolation=cv2.INTER_CUBIC)
        large = np.minimum(np.maximum(large, low), high)
    return np.asarray(np.clip(large + np.float32(0.5), 0, 255), np.uint8)


def _evened(large: Floats) -> Floats:
    """The picture smoothed along its edges, where the structure tensor knows of one direction."""
    grey = cv2.cvtColor(np.ascontiguousarray(large[..., :3]), cv2.COLOR_RGB2GRAY)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(grey, cv2.CV_32F, 0, 1) / 8
    xx, xy, yy = (
        cv2.GaussianBlur(one, (0, 0), 1.2) for one in (across * across, across * down, down * down)
    )
    spread = np.sqrt((xx - yy) ** 2 + 4 * xy * xy)
    turn = 0.5 * np.arctan2(2 * xy, xx - yy)
    along = -np.sin(turn), np.cos(turn)
    rows, columns = grey.shape
    x = np.arange(columns, dtype=np.float32)[None]
    y = np.arange(rows, dtype=np.float32)[:, None]
    near = [
        cv2.remap(
            large,
            x + side * along[0],
            y + side * along[1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for side in (np.float32(-1), np.float32(1))
    ]
    share = (_ALONG * (spread / (xx + yy + np.float32(_STILL))) ** 2)[..., None]
    return np.asarray(large + ((near[0] + near[1]) * np.float32(0.5) - large) * share, np.float32)
