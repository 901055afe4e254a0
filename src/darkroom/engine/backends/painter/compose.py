"""From a prompt to a painting: reads the words, paints the subject, grades, applies the style."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from darkroom.engine.backends.painter import light, styles, words
from darkroom.engine.backends.painter.abstract import abstract
from darkroom.engine.backends.painter.city import city
from darkroom.engine.backends.painter.flowers import flowers
from darkroom.engine.backends.painter.forest import forest
from darkroom.engine.backends.painter.noise import FloatArray
from darkroom.engine.backends.painter.scene import Progress, Scene
from darkroom.engine.backends.painter.sea import sea
from darkroom.engine.backends.painter.skyscape import skyscape
from darkroom.engine.backends.painter.survey import Survey
from darkroom.engine.backends.painter.terrain import terrain

# Above this a picture is painted smaller and enlarged: time and memory stay bounded.
PIXELS_PAINTED_MAX = 2_700_000
_SIDE_MIN = 16
_STRIP_ROWS = 256

Subject = Callable[[Scene, int, int, Progress, Survey | None], FloatArray]

_SUBJECTS: Mapping[str, Subject] = {
    "sea": sea,
    "lake": terrain,
    "mountains": terrain,
    "desert": terrain,
    "field": terrain,
    "sky": skyscape,
    "forest": forest,
    "city": city,
    "flowers": flowers,
    "abstract": abstract,
}


class Painting(msgspec.Struct, frozen=True):
    """A finished picture: `pixels` is RGB uint8 (height, width, 3), `scene` what was read."""

    pixels: npt.NDArray[np.uint8]
    scene: Scene


def _silent(fraction: float) -> None:
    """Tells nobody."""


def paint(
    prompt: str,
    width: int,
    height: int,
    seed: int,
    *,
    negative_prompt: str = "",
    progress: Progress = _silent,
) -> Painting:
    """Returns a prompt's painting, width × height pixels; the same arguments give the same bytes.

    Above 2.7 megapixels it paints smaller and enlarges. `progress` hears 0..1, never falling; what
    it raises ends the painting.
    """
    # One picture uses one core: the worker decides how many run at a time.
    cv2.setNumThreads(1)
    progress(0.0)
    scene = words.read(prompt, seed, negative_prompt)
    return paint_scene(scene, width, height, progress=progress)


def paint_scene(
    scene: Scene,
    width: int,
    height: int,
    *,
    progress: Progress = _silent,
    survey: Survey | None = None,
) -> Painting:
    """Returns a scene's painting as `paint` does; a `survey` is told where its things stand.

    The survey's arrays have the size that was painted.
    """
    progress(0.02)
    scale = min(1.0, (PIXELS_PAINTED_MAX / (width * height)) ** 0.5)
    size = (max(_SIDE_MIN, round(width * scale)), max(_SIDE_MIN, round(height * scale)))
    told = _SUBJECTS[scene.subject]
    rgb = told(scene, *size, lambda part: progress(0.02 + 0.76 * part), survey)
    progress(0.8)
    if scene.subject != "abstract":
        rgb = light.grade(rgb, scene)
    progress(0.86)
    if scene.style != "photo":
        rgb = styles.apply(rgb, scene)
    progress(0.92)
    pixels = _finished(rgb, scene, width, height)
    progress(1.0)
    return Painting(pixels, scene)


def _finished(rgb: FloatArray, scene: Scene, width: int, height: int) -> npt.NDArray[np.uint8]:
    """Returns a picture (0..1) as RGB uint8 at its full size, dithered so that no gradient steps.

    Pixel art keeps its few colours and its hard edges.
    """
    if scene.style == "pixel":
        flat = np.clip(rgb * 255.0 + 0.5, 0, 255).astype(np.uint8)
        hard = cv2.resize(flat, (width, height), interpolation=cv2.INTER_NEAREST)
        return np.asarray(hard, np.uint8)
    if rgb.shape[:2] != (height, width):
        deep = np.clip(rgb * 65535.0 + 0.5, 0, 65535).astype(np.uint16)
        large = cv2.resize(deep, (width, height), interpolation=cv2.INTER_LANCZOS4)
        unit, grain = np.float32(255.0 / 65535.0), np.float32(2.2)
    else:
        large = np.ascontiguousarray(rgb, np.float32)
        unit, grain = np.float32(255.0), np.float32(1.0)
    rng = np.random.default_rng(scene.seed)
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _STRIP_ROWS):
        strip = large[top : top + _STRIP_ROWS].astype(np.float32) * unit
        shape = (*strip.shape[:2], 1)
        dither = rng.random(shape, dtype=np.float32) + rng.random(shape, dtype=np.float32)
        pixels[top : top + _STRIP_ROWS] = np.clip(strip + (dither - 1.0) * grain + 0.5, 0, 255)
    return pixels
