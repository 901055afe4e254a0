"""The sky of a film: painted every second or two, its clouds carried by the wind in between."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from darkroom.engine.backends.film import warps
from darkroom.engine.backends.film.warps import Canvas
from darkroom.engine.backends.painter import light
from darkroom.engine.backends.painter.noise import FloatArray
from darkroom.engine.backends.painter.scene import Scene
from darkroom.engine.backends.painter.sky import Sky, drift, shining, sky
from darkroom.engine.backends.painter.survey import Survey
from darkroom.engine.backends.painter.view import View
from darkroom.engine.backends.pictures import Pixels

# Turns a sky's scene light (h, w, 3) into what is shown of it.
Finish = Callable[[FloatArray], Canvas]


def carried(view: View, gone: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Returns the map (3, 3) from a pixel to where its cloud was before the wind carried it.

    Clouds lie in a level plane one unit over the eye; moving it by `gone` (right, ahead) takes the
    direction (r, u) from (r - gx u, u) / (1 - gz u): a homography of the picture.
    """
    to_rays = np.array(
        [
            [1 / view.focal, 0, (0.5 - view.width / 2) / view.focal],
            [0, -1 / view.focal, (view.horizon - 0.5) / view.focal],
            [0, 0, 1],
        ]
    )
    moved = np.array([[1, -gone[0], 0], [0, 1, 0], [0, -gone[1], 1]])
    return np.asarray(np.linalg.inv(to_rays) @ moved @ to_rays, np.float64)


class Skies:
    """A scene's sky at any moment, without its sun, moon and stars; keys are kept while needed.

    `first` is the sky at the film's beginning.
    """

    def __init__(self, scene: Scene, size: tuple[int, int], survey: Survey, finish: Finish) -> None:
        self.scene, self.size, self.survey, self.finish = scene, size, survey, finish
        self.view = View(*size, survey.line * size[1])
        self.step = 1.0 if "aurora" in scene.extras else 2.0
        self.first = self._painted(0.0)
        self._keys = {0: warps.widened(finish(self.first.linear))}

    def _painted(self, seconds: float) -> Sky:
        scene = replace(self.scene, moment=seconds)
        return sky(scene, *self.size, self.survey.line, self.survey.sun, discs=False)

    def _key(self, number: int) -> Canvas:
        if number not in self._keys:
            self._keys = {k: v for k, v in self._keys.items() if k >= number - 1}
            painted = self._painted(number * self.step).linear
            self._keys[number] = warps.widened(self.finish(painted))
        return self._keys[number]

    def seen(self, matrix: FloatArray, size: tuple[int, int], seconds: float) -> Canvas:
        """Returns the sky at a moment, `size` (width, height), pixels taken from the canvas by the
        affine map `matrix` (2, 3).

        Two keys, each carried to this moment by the wind, are blended: the clouds lie in the same
        place in both, so that they change shape without a ghost.
        """
        number = int(seconds // self.step)
        share = seconds / self.step - number
        wind = drift(replace(self.scene, moment=seconds))
        total: Canvas | None = None
        for key, weight in ((number, 1.0 - share), (number + 1, share)):
            if weight < 1e-3:
                continue
            was = drift(replace(self.scene, moment=key * self.step))
            away = carried(self.view, (wind[0] - was[0], wind[1] - was[1]))
            whole = away @ np.vstack([matrix, (0, 0, 1)])
            part = warps.perspective(self._key(key), whole, size)
            total = part if total is None else cv2.addWeighted(total, 1 - weight, part, weight, 0)
        assert total is not None
        return warps.narrowed(total)


class Lights:
    """What shines in the sky, sharp: sun, moon and stars, twinkling and slowly going their way."""

    def __init__(self, skies: Skies, size: tuple[int, int]) -> None:
        scene, survey = skies.scene, skies.survey
        self.scene = scene
        last = min(size[1], int(survey.line * size[1]) + 2)
        added = shining(scene, *size, survey.line, survey.sun)[:last]
        shown = light.to_display(np.maximum(added, 0.0))
        pixels = np.asarray(np.clip(shown * 255 + 0.5, 0, 255), np.uint8)
        self.height = last
        self.is_dark = not pixels.any()
        if self.is_dark:
            return
        red, green, blue = cv2.split(pixels)
        grey = cv2.max(cv2.max(red, green), blue)
        # Where anything shines (left, top, width, height): often the sun alone.
        self.box = cv2.boundingRect(grey)
        core = cv2.morphologyEx(grey, cv2.MORPH_OPEN, np.ones((7, 7), np.uint8))
        large = ((core > 40) * 255).astype(np.uint8)
        rng = np.random.default_rng(scene.seed + 71)
        cells = rng.integers(0, 256, (last // 6 + 1, size[0] // 6 + 1)).astype(np.uint8)
        grown = cv2.resize(cells, None, fx=6, fy=6, interpolation=cv2.INTER_NEAREST)
        left, top, width, height = self.box
        part = np.s_[top : top + height, left : left + width]
        self.pixels = warps.widened(pixels[part])
        self.large = np.ascontiguousarray(large[part])
        self.phase = np.ascontiguousarray(grown[part])

    def add(self, frame: Pixels, matrix: FloatArray, seconds: float) -> None:
        """Shine into a frame (height, width, 3), in place; `matrix` takes its pixels to the
        canvas."""
        if self.is_dark:
            return
        moved = matrix.copy()
        sinking = {"sunset": 1.0, "sunrise": -1.0}.get(self.scene.time, 0.0)
        moved[1, 2] -= sinking * min(seconds * 0.0035, 0.035) * self.height
        part = self._part(frame, moved)
        lit = frame[part]
        if not lit.size:
            return
        moved[:, 2] += moved[:, :2] @ (part[1].start, part[0].start) - self.box[:2]
        size = (lit.shape[1], lit.shape[0])
        seen = warps.affine(self._shining(seconds), moved, size, cv2.BORDER_CONSTANT)
        # Light adds up under the painter's film curve as 1 - (1 - a)(1 - b).
        dark = cv2.multiply(
            cv2.bitwise_not(lit), cv2.bitwise_not(warps.narrowed(seen)), scale=1 / 255
        )
        frame[part] = cv2.bitwise_not(dark)

    def _part(self, frame: Pixels, matrix: FloatArray) -> tuple[slice, slice]:
        """Returns the rows and columns of a frame that anything shines in."""
        ends = []
        for axis, count in ((1, frame.shape[0]), (0, frame.shape[1])):
            first = (self.box[axis] - matrix[axis, 2]) / matrix[axis, axis]
            last = first + self.box[2 + axis] / matrix[axis, axis]
            low, high = (int(np.clip(at, 0, count)) for at in (first - 2, last + 2))
            ends.append(slice(low, high))
        return ends[0], ends[1]

    def _shining(self, seconds: float) -> Canvas:
        """Returns what shines at a moment, wide."""
        if self.scene.time not in ("night", "dusk", "dawn"):
            return self.pixels
        at = np.arange(256)
        pace = 2.0 + 5.0 * ((at * 37) % 256) / 256
        bright = 0.76 + 0.24 * np.sin(at * 0.7 + pace * seconds)
        table = np.clip(bright * 255, 0, 255).astype(np.uint8)
        # The moon is large and does not twinkle.
        calm = cv2.max(cv2.LUT(self.phase, table), self.large)
        wide = cv2.cvtColor(calm, cv2.COLOR_GRAY2RGBA)
        return np.asarray(cv2.multiply(self.pixels, wide, scale=1 / 255))
