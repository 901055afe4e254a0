"""The eye: from pixels to directions, one pinhole camera that looks along the ground."""

from __future__ import annotations

import msgspec
import numpy as np

from darkroom.engine.backends.painter.noise import FloatArray


class Part(msgspec.Struct, frozen=True):
    """The part of a canvas, `size` (width, height), that is worked on: some rows and columns."""

    rows: slice
    columns: slice
    size: tuple[int, int]

    @classmethod
    def whole(cls, width: int, height: int) -> Part:
        """Returns all of a canvas."""
        return cls(slice(0, height), slice(0, width), (width, height))


class View(msgspec.Struct, frozen=True):
    """A pinhole camera: x right, y up, z ahead; `horizon` in pixels from the top."""

    width: int
    height: int
    horizon: float
    length: float = 0.0

    @property
    def focal(self) -> float:
        """The focal length in pixels: `length`, or a moderate wide angle whatever the ratio."""
        return self.length or float((self.width * self.height) ** 0.5)

    def rays(
        self, step: float = 1.0, rows: tuple[float, float] | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Returns slopes right (1, columns) and up (rows, 1), per unit ahead, `step` pixels."""
        top, bottom = rows or (0.0, float(self.height))
        columns = max(1, round(self.width / step))
        lines = max(1, round((bottom - top) / step))
        x = (np.arange(columns, dtype=np.float32) + 0.5) * np.float32(self.width / columns)
        y = top + (np.arange(lines, dtype=np.float32) + 0.5) * np.float32((bottom - top) / lines)
        right = (x - self.width / 2) / np.float32(self.focal)
        up = (self.horizon - y) / np.float32(self.focal)
        return right[None, :].astype(np.float32), up[:, None].astype(np.float32)

    def pixel(self, right: float, up: float) -> tuple[float, float]:
        """Returns the pixel (x, y) that shows a direction."""
        return (self.width / 2 + right * self.focal, self.horizon - up * self.focal)
