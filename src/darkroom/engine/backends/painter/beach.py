"""The beach before a sea: sand, a wet mirror, and the last wave's lace."""

from __future__ import annotations

import cv2
import numpy as np

from darkroom.engine.backends.painter import noise
from darkroom.engine.backends.painter.ground import step
from darkroom.engine.backends.painter.noise import FloatArray
from darkroom.engine.backends.painter.scene import Scene
from darkroom.engine.backends.painter.sky import Sky
from darkroom.engine.backends.painter.view import Part


def add_beach(picture: FloatArray, above: Sky, scene: Scene) -> None:
    """Paints the shore over the lowest part of `picture` (scene light), in place."""
    rows, columns = picture.shape[:2]
    beach = Beach(scene, above, columns, rows)
    beach.lay(picture, above.linear, scene.moment, Part.whole(columns, rows))


class Beach:
    """A scene's beach: what of it keeps still, made once for all moments."""

    def __init__(self, scene: Scene, above: Sky, columns: int, rows: int) -> None:
        self.above, self.rows, self.top = above, rows, int(rows * 0.68)
        self.y = np.arange(self.top, rows, dtype=np.float32)[:, None] / np.float32(rows)
        x = np.linspace(0, 1, columns, dtype=np.float32)[None] * np.float32(columns / rows)
        self.x = x
        self.tile = noise.kept_bands((512, 512), scene.seed + 291, (8, 8))
        slant = np.float32(0.05 if above.sun_xy[0] < columns / 2 else -0.05)
        u, v = x * 0.11 + self.y * 0, self.y * 0.05 + x * 0
        self.wave = noise.layered(self.tile, u, v, 4, gain=0.45)
        self.line = (
            np.float32(0.845)
            + slant * (x - np.float32(columns / rows / 2))
            + np.float32(0.018) * self.wave
        )
        # Foreshortening: the ground's texture grows towards the eye.
        z = 1.0 / np.maximum(self.y - 0.5, 0.05)
        self.u = (x - np.float32(columns / rows / 2)) * z * np.float32(0.20)
        self.v = z * np.float32(0.62)
        self.grain = noise.layered(self.tile, self.u * 9.0, self.v * 9.0, 5, gain=0.85)
        tone = np.array((0.56, 0.43, 0.29), np.float32)
        air = 0.6 * above.air_light + 0.4 * above.air_light.mean()
        light = air * 0.62 + above.sun_light * np.float32(0.42 * max(0.35, above.sun_direction[1]))
        self.sand = np.asarray(tone * light * (1.0 + 0.07 * self.grain)[..., None], np.float32)

    def lay(self, picture: FloatArray, sky: FloatArray, moment: float | None, part: Part) -> None:
        """Paints the beach over a part of `picture`, in place, under a sky (scene light, both), at
        a moment in seconds; without one its waves keep still."""
        first = max(part.rows.start, self.top)
        if first >= part.rows.stop:
            return
        here = np.s_[first - self.top : part.rows.stop - self.top, part.columns]
        wave, line, x = self.wave[here], self.line[here], self.x[:, part.columns]
        y, u, v = self.y[here[0]], self.u[here], self.v[here[0]]
        # Each wave runs up the sand and draws back, not everywhere at once.
        if moment is not None:
            line = line + np.float32(0.013) * np.sin(
                np.float32(moment * 0.95) + wave * 1.6 + x * 1.1
            )
        deep = y - line  # above 0: sand
        dry = step(0.045, 0.085, deep + 0.006 * self.grain[here])
        sand = self.sand[here]
        shore = sand * 0.42
        shore += self._mirrored(sky)[here] * np.float32(0.46)
        shore += (sand - shore) * _thrice(dry)
        flow = v + np.float32(0.02 * (moment or 0.0))
        lace = noise.layered(self.tile, u * 2.4 + 0.3, flow * 2.4, 5, gain=0.7)
        cells = np.abs(noise.layered(self.tile, u * 3.4, flow * 3.4 + 0.4, 4, gain=0.6))
        edge = cv2.exp(np.abs(deep + 0.004 * lace) * np.float32(-1 / 0.0045))
        wash = (
            step(-0.085, -0.01, deep)
            * (1.0 - step(-0.004, 0.004, deep))
            * np.clip(0.9 - cells / 0.42, 0, 1)
        )
        crest = (deep + 0.082 + 0.006 * wave + 0.004 * lace) / 0.0085
        breaker = cv2.exp(-crest * crest) * np.clip(0.7 + 0.5 * lace, 0, 1)
        white = self.above.air_light * 0.8 + self.above.sun_light * np.float32(0.2)
        out = picture[first : part.rows.stop, part.columns]
        out += (shore - out) * _thrice(step(-0.003, 0.003, deep))
        foam = np.clip(edge * 0.9 + wash * 0.75 + breaker * 0.9, 0, 0.95)
        out *= _thrice(1.0 - foam)
        out += cv2.merge([foam * one for one in np.minimum(white, 1.8)])

    def _mirrored(self, sky: FloatArray) -> FloatArray:
        """Returns the low sky as wet sand shows it: upside down and blurred."""
        count = self.rows - self.top
        source = np.minimum(sky[: max(count, 2)], 2.0)[::-1][:count]
        # It is as soft as that: a quarter of its size is enough.
        size = (max(2, self.x.shape[1] // 4), max(2, count // 4))
        small = cv2.resize(source, size, interpolation=cv2.INTER_AREA)
        soft = cv2.GaussianBlur(small, (0, 0), max(1.0, self.rows / 90) / 4)
        return np.asarray(cv2.resize(soft, (self.x.shape[1], count)), np.float32)


def _thrice(plane: FloatArray) -> FloatArray:
    """Returns a plane once for each colour: numpy is slow to repeat it along the last axis."""
    return np.asarray(cv2.merge([plane] * 3))
