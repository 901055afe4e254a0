"""Where things stand in a painting: a subject notes it as it paints, for who moves the picture."""

from __future__ import annotations

import msgspec
import numpy as np

from darkroom.engine.backends.painter.noise import FloatArray


class Survey(msgspec.Struct):
    """What a subject tells of its picture.

    `line` is how far down the horizon lies, 0..1; `sun` the slopes (right, up) that its sky was
    painted with, None where the sky chose; `near` (height, width) is 1 / distance in any unit, 0
    where the sky shows; `water` (height, width) is 0..1.
    """

    line: float = 0.5
    sun: tuple[float, float] | None = None
    near: FloatArray = msgspec.field(default_factory=lambda: np.zeros((0, 0), np.float32))
    water: FloatArray | None = None

    def stand(self, shape: tuple[int, ...], top: int, near: FloatArray) -> None:
        """Note inverse distances (rows, columns) from row `top` down, the sky above them."""
        self.near = np.zeros(shape[:2], np.float32)
        self.near[top : top + len(near)] = near[: shape[0] - top]
