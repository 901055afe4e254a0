"""A city's windows by night: now one goes dark, now another lights up."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np

from darkroom.engine.backends.film.stage import Plate
from darkroom.engine.backends.pictures import Pixels

_COUNT_MAX = 260


class _Window(msgspec.Struct):
    plate: Plate
    place: tuple[slice, slice]
    lit: Pixels
    dark: Pixels
    off_at: float
    period: float
    off_share: float
    is_off: bool = False


class Windows:
    """Windows of a stage's plates that are switched, each at moments of its own."""

    def __init__(self, plates: list[Plate], horizon: float, seed: int) -> None:
        """Finds lit windows above the horizon's row: small and brighter than what is around."""
        rng = np.random.default_rng(seed + 97)
        self.found = [window for plate in plates for window in _lit(plate, horizon, rng)]

    def switch(self, seconds: float) -> None:
        """Set the windows as they are at a moment."""
        for window in self.found:
            phase = ((seconds + window.off_at) / window.period) % 1.0
            off = phase < window.off_share
            if off != window.is_off:
                window.plate.rgba[window.place] = window.dark if off else window.lit
                window.is_off = off


def _lit(plate: Plate, horizon: float, rng: np.random.Generator) -> list[_Window]:
    rgba = plate.rgba[: int(horizon)]
    red, green, blue, _ = cv2.split(rgba)
    grey = cv2.max(cv2.max(red, green), blue)
    around = cv2.blur(grey, (15, 15))
    bright = ((grey > 120) & (grey.astype(int) > around.astype(int) + 22)).astype(np.uint8)
    _count, label, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=4)
    area = stats[:, cv2.CC_STAT_AREA]
    good = np.flatnonzero((area >= 3) & (area < max(12.0, 0.00009 * grey.size)))
    good = good[good > 0]
    windows = []
    for number in rng.permutation(good)[:_COUNT_MAX]:
        x, y, wide, high = (int(v) for v in stats[number, :4])
        # One pixel more: a window's edges are soft.
        rows = slice(max(0, y - 2), min(y + high + 2, len(rgba)))
        place = (rows, slice(max(0, x - 2), x + wide + 2))
        lit = plate.rgba[place].copy()
        own = cv2.dilate((label[place] == number).astype(np.uint8), np.ones((3, 3), np.uint8))
        beside = lit[own == 0]
        if not len(beside):
            continue
        # A dark window is as dark as the wall beside it.
        wall = np.minimum(np.quantile(beside[:, :3], 0.3, axis=0), lit[..., :3])
        dark = lit.copy()
        dark[..., :3] = np.where(own[..., None] > 0, wall, lit[..., :3])
        period = float(rng.uniform(5.0, 16.0))
        windows.append(
            _Window(plate, place, lit, dark, float(rng.uniform(0, period)), period,
                    float(rng.uniform(0.15, 0.5)))
        )  # fmt: skip
    return windows
