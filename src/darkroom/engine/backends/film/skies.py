"""The sky of a film: painted every second or two, its clouds carried by the wind in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from darkroom.engine.backends.painter import light
from darkroom.engine.backends.painter.noise import FloatArray
from darkroom.engine.backends.painter.scene import Scene
from darkroom.engine.backends.painter.sky import Sky, drift, shining, sky
from darkroom.engine.backends.painter.survey import Survey
from darkroom.engine.backends.painter.view import View
from darkroom.engine.backends.pictures import Pixels

Canvas = npt.NDArray[Any]
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
    """A scene's sky at any moment, without its sun, moon and stars; keys are kept while needed."""

    def __init__(self, scene: Scene, size: tuple[int, int], survey: Survey, finish: Finish) -> None:
        self.scene, self.size, self.survey, self.finish = scene, size, survey, finish
        self.view = View(*size, survey.line * size[1])
        self.step = 1.0 if "aurora" in scene.extras else 2.0
        self._keys: dict[int, Canvas] = {}

    def painted(self, seconds: float) -> Sky:
        """Returns the sky as the painter paints it at a moment."""
        scene = replace(self.scene, moment=seconds)
        return sky(scene, *self.size, self.survey.line, self.survey.sun, discs=False)

    def _key(self, number: int) -> Canvas:
        if number not in self._keys:
            self._keys = {k: v for k, v in self._keys.items() if k >= number - 1}
            self._keys[number] = self.finish(self.painted(number * self.step).linear)
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
            part = cv2.warpPerspective(
                self._key(key), whole, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REFLECT_101,
            )  # fmt: skip
            total = part if total is None else cv2.addWeighted(total, 1 - weight, part, weight, 0)
        assert total is not None
        return total


class Lights:
    """What shines in the sky, sharp: sun, moon and stars, twinkling and slowly going their way."""

    def __init__(self, skies: Skies, size: tuple[int, int]) -> None:
        scene, survey = skies.scene, skies.survey
        self.scene = scene
        last = min(size[1], int(survey.line * size[1]) + 2)
        added = shining(scene, *size, survey.line, survey.sun)[:last]
        shown = light.to_display(np.maximum(added, 0.0))
        self.pixels = np.asarray(np.clip(shown * 255 + 0.5, 0, 255), np.uint8)
        self.is_dark = not self.pixels.any()
        grey = self.pixels.max(axis=2)
        core = cv2.morphologyEx(grey, cv2.MORPH_OPEN, np.ones((7, 7), np.uint8))
        self.large = ((core > 40) * 255).astype(np.uint8)
        rng = np.random.default_rng(scene.seed + 71)
        cells = rng.integers(0, 256, (last // 6 + 1, size[0] // 6 + 1)).astype(np.uint8)
        grown = cv2.resize(cells, None, fx=6, fy=6, interpolation=cv2.INTER_NEAREST)
        self.phase = np.ascontiguousarray(grown[:last, : size[0]])

    def add(self, frame: Pixels, matrix: FloatArray, seconds: float) -> None:
        """Shine into a frame (height, width, 3), in place; `matrix` takes its pixels to the
        canvas."""
        if self.is_dark:
            return
        shining = self.pixels
        if self.scene.time in ("night", "dusk", "dawn"):
            at = np.arange(256)
            pace = 2.0 + 5.0 * ((at * 37) % 256) / 256
            bright = 0.76 + 0.24 * np.sin(at * 0.7 + pace * seconds)
            table = np.clip(bright * 255, 0, 255).astype(np.uint8)
            twinkle = np.asarray(cv2.LUT(self.phase, table), np.uint8)
            # The moon is large and does not twinkle.
            calm = cv2.max(twinkle, self.large)
            shining = np.asarray(
                cv2.multiply(shining, cv2.merge([calm] * 3), scale=1 / 255), np.uint8
            )
        sinking = {"sunset": 1.0, "sunrise": -1.0}.get(self.scene.time, 0.0)
        moved = matrix.copy()
        moved[1, 2] -= sinking * min(seconds * 0.0035, 0.035) * self.pixels.shape[0]
        size = (frame.shape[1], frame.shape[0])
        light_ = cv2.warpAffine(shining, moved, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        # Light adds up under the painter's film curve as 1 - (1 - a)(1 - b).
        dark = cv2.multiply(cv2.bitwise_not(frame), cv2.bitwise_not(light_), scale=1 / 255)
        frame[:] = cv2.bitwise_not(dark)
