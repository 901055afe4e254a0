"""An abstract picture that flows: carried along slow eddies, again and again from the picture."""

from __future__ import annotations

import cv2
import numpy as np

from darkroom.engine.backends.film import warps
from darkroom.engine.backends.film.camera import Move
from darkroom.engine.backends.film.stage import Frame
from darkroom.engine.backends.painter import noise
from darkroom.engine.backends.pictures import Pixels

_TURN = 7.0  # seconds from one fresh copy of the picture to the next
_GRID = 8


class FlowShot:
    """A shot of a picture whose colours flow.

    The flow is the curl of a noise, so that it neither gathers nor thins. Two copies half a turn
    apart are blended, each shown most while it is nearest to the picture.
    """

    def __init__(self, pixels: Pixels, size: tuple[int, int], move: Move, seed: int) -> None:
        height, width = pixels.shape[:2]
        self.wide, self.move = warps.widened(pixels), move
        self.cut = Frame(size, (width, height), height / 2, 1.0)
        self.tile = noise.bands((256, 256), seed + 81, (6, 6))
        self.fine = noise.bands((256, 256), seed + 82, (10, 10))

    def frame(self, seconds: float, share: float) -> Pixels:
        """Returns the flowing picture at a moment."""
        pose = self.move.pose(share)
        x, y = np.broadcast_arrays(*self.cut.places(pose, _GRID))
        turn = 0.05 * np.sin(0.35 * seconds)
        c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        width, height = self.cut.canvas
        dx, dy = x - np.float32(width / 2), y - np.float32(height / 2)
        x, y = dx * c - dy * s + np.float32(width / 2), dx * s + dy * c + np.float32(height / 2)
        flow_x, flow_y = self._flow(x, y, seconds)
        parts, weight = [], 0.0
        for start in (0.5, 0.0):
            phase = (seconds / _TURN + start) % 1.0
            weight = 1.0 - abs(2.0 * phase - 1.0)
            gone = np.float32((phase - 0.5) * _TURN)
            large = (x.shape[1] * _GRID, x.shape[0] * _GRID)
            at_x, at_y = (
                np.asarray(cv2.resize(one, large), np.float32)[
                    : self.cut.size[1], : self.cut.size[0]
                ]
                for one in (x - flow_x * gone, y - flow_y * gone)
            )
            parts.append(warps.mapped(self.wide, at_x, at_y, cv2.BORDER_REFLECT_101))
        return warps.narrowed(cv2.addWeighted(parts[0], 1 - weight, parts[1], weight, 0))

    def _flow(
        self, x: noise.FloatArray, y: noise.FloatArray, seconds: float
    ) -> tuple[noise.FloatArray, noise.FloatArray]:
        """Returns the flow's speed right and down, pixels a second."""
        unit = np.float32(1.0 / max(self.cut.canvas))
        small = np.float32(0.004)

        def stream(u: noise.FloatArray, v: noise.FloatArray) -> noise.FloatArray:
            slow, quick = np.float32(0.006 * seconds), np.float32(0.011 * seconds)
            wide = noise.sample(self.tile, u * 0.32 + slow, v * 0.32)
            return wide + 0.35 * noise.sample(self.fine, u * 0.6, v * 0.6 - quick)

        u, v = x * unit, y * unit
        here = stream(u, v)
        strength = np.float32(max(self.cut.canvas) * 0.0030) / small
        across = (stream(u, v + small) - here) * strength
        along = (here - stream(u + small, v)) * strength
        return np.asarray(across, np.float32), np.asarray(along, np.float32)
