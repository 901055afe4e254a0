"""What wind and ripples do: how far to look aside on a plate, by place and moment."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import msgspec
import numpy as np
from msgspec.structs import replace

from darkroom.engine.backends.film.stage import Plate
from darkroom.engine.backends.painter import noise
from darkroom.engine.backends.painter.noise import FloatArray


class Ripples(msgspec.Struct, frozen=True):
    """Water on a canvas (width, height): waves that shake its mirror image, larger nearer by.

    `mask` (h, w) 0..1 says where, coarser than the canvas; `line` is the horizon's row; `size` 1
    is a lake's.
    """

    canvas: tuple[int, int]
    line: float
    mask: FloatArray
    tile: FloatArray
    size: float = 1.0

    def __call__(
        self, x: FloatArray, y: FloatArray, seconds: float
    ) -> tuple[FloatArray, FloatArray]:
        """Returns how far to look aside, pixels, right and down."""
        width, height = self.canvas
        wet = sampled(self.mask, self.canvas, x, y)
        lines = np.flatnonzero((wet > 0.01).any(axis=1))
        aside, lifted = np.zeros_like(x), np.zeros_like(x)
        if not len(lines):
            return aside, lifted
        rows = slice(int(lines[0]), int(lines[-1]) + 1)
        x, y, wet = x[rows], y[rows], wet[rows]
        down = np.maximum(y - np.float32(self.line), 1.0) / np.float32(height - self.line)
        ahead = 1.0 / down
        u = (x - np.float32(width / 2)) / np.float32(height) * ahead
        foot = np.clip(0.16 / down / down / np.float32(height) * 8, 0, 1)
        wave = _crossing(self.tile, (u, ahead), 0.55, seconds)
        fine = _crossing(self.tile, (u, ahead), 1.5, seconds * 1.5) * np.clip(1.3 - 2 * foot, 0, 1)
        tall = np.float32(0.011 * height * self.size) * (0.12 + down) * wet
        lifted[rows] = (wave + 0.6 * fine) * tall
        aside[rows] = lifted[rows] * np.float32(0.35)
        return aside, lifted


def set_rippling(plates: Sequence[Plate], ripples: Ripples) -> None:
    """Give plates their water's ripples, each those that it shows."""
    size = ripples.mask.shape[::-1]
    reach = np.ones((9, 9), np.uint8)  # ripples look aside, but not farther
    for plate in plates:
        cover = cv2.resize(plate.rgba[..., 3], size, interpolation=cv2.INTER_AREA)
        shown = (cv2.dilate(cover, reach) > 0) & (ripples.mask > 0.01)
        if shown.any():
            plate.sway = replace(ripples, mask=np.where(shown, ripples.mask, np.float32(0)))
            plate.grid = 2


def _crossing(
    tile: FloatArray, place: tuple[FloatArray, FloatArray], scale: float, seconds: float
) -> FloatArray:
    """Returns two trains of waves that run across each other, deviation about 1."""
    u, v = place[0] * np.float32(scale), place[1] * np.float32(scale * 2.2)
    run = np.float32(0.055 * seconds)
    one = noise.sample(tile, u + run * 0.4, v + run)
    two = noise.sample(tile, u * 1.3 - run * 0.7 + 0.4, v * 1.3 + run * 0.6 + 0.7)
    return np.asarray((one + two) * np.float32(0.7), np.float32)


def sampled(mask: FloatArray, canvas: tuple[int, int], x: FloatArray, y: FloatArray) -> FloatArray:
    """Returns a coarse map of the canvas at canvas places."""
    at_x = np.asarray(x * np.float32(mask.shape[1] / canvas[0]) - 0.5, np.float32)
    at_y = np.asarray(y * np.float32(mask.shape[0] / canvas[1]) - 0.5, np.float32)
    return np.asarray(
        cv2.remap(mask, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
    )


class Breeze(msgspec.Struct, frozen=True):
    """Plants on a plate that sway: not at `foot` (a row of the canvas), fully `tall` rows above.

    `reach` is how far, pixels; gusts go across the canvas, `width` pixels wide; `phase` sets one
    plate apart from the next.
    """

    width: int
    foot: float
    tall: float
    reach: float
    tile: FloatArray
    phase: float = 0.0

    def __call__(
        self, x: FloatArray, y: FloatArray, seconds: float
    ) -> tuple[FloatArray, FloatArray]:
        """Returns how far to look aside, pixels, right and down."""
        free = np.clip((np.float32(self.foot) - y) / np.float32(self.tall), 0.0, 1.0) ** 1.4
        u, v = x / np.float32(self.width), y / np.float32(self.width)
        gust = noise.sample(
            self.tile, u * 0.35 - np.float32(0.05 * seconds - self.phase), v * 0.2 + self.phase
        )
        flutter = noise.sample(
            self.tile, u * 1.6 - np.float32(0.16 * seconds), v * 1.6 + np.float32(self.phase)
        )
        lean = free * np.float32(self.reach) * (gust + 0.35 * flutter)
        return np.asarray(lean, np.float32), np.asarray(np.abs(lean) * 0.12, np.float32)
