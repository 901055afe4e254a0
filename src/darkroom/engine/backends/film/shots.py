"""A shot: whatever gives the frames of a film at any moment; the ones made of plates and a sky."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import msgspec
import numpy as np

from darkroom.engine.backends.film import warps
from darkroom.engine.backends.film.airs import Air
from darkroom.engine.backends.film.camera import Move, Pose
from darkroom.engine.backends.film.skies import Lights, carried
from darkroom.engine.backends.film.stage import Frame, Plate, lay, look, seen_places
from darkroom.engine.backends.film.warps import Canvas
from darkroom.engine.backends.film.windows import Windows
from darkroom.engine.backends.film.winds import sampled
from darkroom.engine.backends.painter import noise
from darkroom.engine.backends.painter.noise import FloatArray
from darkroom.engine.backends.painter.view import View
from darkroom.engine.backends.pictures import Pixels


class Shot(Protocol):
    """A piece of film."""

    def frame(self, seconds: float, share: float) -> Pixels:
        """Returns RGB uint8 (height, width, 3) at a moment; `share` 0..1 of the camera's way."""


class Backdrop(Protocol):
    """What lies infinitely far behind a stage."""

    def seen(self, matrix: FloatArray, size: tuple[int, int], seconds: float) -> Pixels:
        """Returns RGB uint8 of `size` (width, height), looked up through an affine map (2, 3)."""


class StillSky:
    """A picture's own sky: its clouds carried by the wind, again and again from the picture.

    Two copies half a turn apart are blended, each shown most while it lies where the picture has
    it, so that the drift never ends and never jumps. `pace` is in cloud altitudes per second; 0
    leaves the sky still.
    """

    def __init__(self, pixels: Pixels, line: float, pace: float) -> None:
        self.wide, self.pace = warps.widened(pixels), pace
        self.view = View(pixels.shape[1], pixels.shape[0], line * pixels.shape[0])

    def seen(self, matrix: FloatArray, size: tuple[int, int], seconds: float) -> Pixels:
        """Returns the drifting sky."""
        if not self.pace:
            return warps.narrowed(warps.affine(self.wide, matrix, size))
        turn = 9.0
        parts, weight = [], 0.0
        for start in (0.5, 0.0):
            phase = (seconds / turn + start) % 1.0
            weight = 1.0 - abs(2.0 * phase - 1.0)
            gone = (phase - 0.5) * turn * self.pace
            away = carried(self.view, (gone, -0.3 * abs(self.pace) / self.pace * gone))
            whole = away @ np.vstack([matrix, (0, 0, 1)])
            parts.append(warps.perspective(self.wide, whole, size))
        return warps.narrowed(cv2.addWeighted(parts[0], 1 - weight, parts[1], weight, 0))


class Shade(msgspec.Struct, frozen=True):
    """Light that goes over the land: cloud shadows, or gusts over grass.

    `near` (h, w) is the whole canvas's inverse distance; `scale` is how many tiles lie in one unit
    of distance, `depth` 0..1 how dark it gets, `pace` tiles a second.
    """

    near: FloatArray
    tile: FloatArray
    scale: float
    depth: float
    pace: tuple[float, float]

    def gain(self, cut: Frame, pose: Pose, seconds: float) -> Pixels:
        """Returns the light on a frame's land (height, width, 3), in 200ths."""
        grid = 8
        x, y = seen_places(self.near, cut, pose, cut.places(pose, grid))
        near = sampled(self.near, cut.canvas, x, y)
        ahead = 1.0 / np.maximum(near, 0.02)
        u = (x - np.float32(cut.canvas[0] / 2)) / np.float32(cut.canvas[0]) * ahead
        shadow = noise.sample(
            self.tile,
            u * np.float32(self.scale) - np.float32(self.pace[0] * seconds),
            ahead * np.float32(self.scale) - np.float32(self.pace[1] * seconds),
        )
        dark = np.clip(0.5 + 0.6 * shadow, 0, 1)
        gain = np.asarray((1.06 - np.float32(self.depth) * dark) * 200, np.uint8)
        large = cv2.resize(gain, (gain.shape[1] * grid, gain.shape[0] * grid))
        return np.asarray(cv2.merge([large[: cut.size[1], : cut.size[0]]] * 3), np.uint8)


class StageShot(msgspec.Struct):
    """A moving sky, lights in it, plates of land before it, shadows over them, and the air."""

    cut: Frame
    move: Move
    sky: Backdrop
    sky_scale: float
    plates: list[Plate]
    lights: Lights | None = None
    shade: Shade | None = None
    airs: Sequence[Air] = ()
    glow: Canvas | None = None  # (h, w, 4)
    windows: Windows | None = None
    sky_end: float | None = None  # the canvas row below which no sky shows

    def frame(self, seconds: float, share: float) -> Pixels:
        """Returns the shot at a moment."""
        pose = self.move.pose(share)
        if self.windows is not None:
            self.windows.switch(seconds)
        seen, end = look(self.plates, self.cut, pose, seconds)
        frame = self._sky(pose, seconds, end)
        if self.glow is not None and end:
            scale = self.glow.shape[1] / self.cut.canvas[0]
            size = (self.cut.size[0], end)
            spill = warps.affine(
                self.glow, self.cut.matrix(pose, scale), size, cv2.BORDER_REPLICATE
            )
            frame[:end] = cv2.add(frame[:end], warps.narrowed(spill))
        gain = self.shade.gain(self.cut, pose, seconds) if self.shade else None
        lay(frame, seen, gain)
        for air in self.airs:
            air(frame, seconds)
        return frame

    def _sky(self, pose: Pose, seconds: float, end: int) -> Pixels:
        """Returns a frame of the sky and its lights, up to the row `end`; where land hides it, its
        lowest row."""
        width, height = self.cut.size
        rows = end
        if self.sky_end is not None:
            step, _, top = self.cut.far(pose)
            # Land moves a little against the sky.
            low = self.sky_end + 0.07 * self.cut.canvas[1]
            rows = min(end, int((low - top) / step))
        rows = max(rows, min(8, height))
        matrix = self.cut.matrix(pose, self.sky_scale)
        seen = np.asarray(self.sky.seen(matrix, (width, rows), seconds), np.uint8)
        if self.lights is not None:
            self.lights.add(seen, self.cut.matrix(pose, 1.0), seconds)
        if rows == height:
            return seen
        whole = cv2.copyMakeBorder(seen, 0, height - rows, 0, 0, cv2.BORDER_REPLICATE)
        return np.asarray(whole, np.uint8)


def sky_end(near: FloatArray) -> float | None:
    """Returns the row below which no sky (0) shows in an inverse distance (H, W); None: none."""
    rows = np.flatnonzero((near <= 0).any(axis=1))
    return float(rows[-1] + 1) if len(rows) else None
