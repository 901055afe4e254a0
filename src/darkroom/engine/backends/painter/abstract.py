"""The abstract subject: one of eight composed ways to make a picture from a seed and a harmony."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from darkroom.engine.backends.painter import abstract_fields, abstract_shapes
from darkroom.engine.backends.painter.abstract_harmony import Harmony, harmony
from darkroom.engine.backends.painter.mottle import FloatArray
from darkroom.engine.backends.painter.scene import Scene
from darkroom.engine.backends.painter.survey import Survey

Composition = Callable[[tuple[int, int], Harmony, np.random.Generator], FloatArray]

COMPOSITIONS: Mapping[str, Composition] = {
    "silk": abstract_fields.silk,
    "ink_in_water": abstract_fields.ink,
    "contours": abstract_fields.contours,
    "layers": abstract_fields.layers,
    "attractor": abstract_fields.attractor,
    "tiles": abstract_shapes.tiles,
    "orbit": abstract_shapes.orbit,
    "ribbons": abstract_shapes.ribbons,
}
_BY_MOOD: Mapping[str, tuple[str, ...]] = {
    "calm": ("silk", "layers", "ink_in_water", "contours"),
    "dramatic": ("silk", "attractor", "ink_in_water", "orbit"),
    "dreamy": ("ink_in_water", "layers", "silk"),
    "dark": ("attractor", "silk", "ink_in_water"),
    "joyful": ("tiles", "orbit", "ribbons", "layers"),
}

_BY_WORD: Mapping[str, tuple[str, ...]] = {
    "geometric": ("tiles", "orbit"),
    "shapes": ("tiles", "orbit", "layers"),
    "pattern": ("tiles", "ribbons", "contours"),
    "fractal": ("attractor",),
    "generative": ("attractor", "ribbons", "contours"),
    "mandala": ("attractor", "orbit"),
    "kaleidoscope": ("tiles", "attractor"),
    "swirl": ("silk", "ink_in_water"),
    "fluid": ("ink_in_water", "silk"),
    "marble": ("silk", "contours"),
    "gradient": ("layers", "silk"),
    "texture": ("silk", "contours"),
    "wallpaper": ("layers", "silk", "tiles"),
    "psychedelic": ("silk", "ink_in_water"),
    "surreal": ("ink_in_water", "layers"),
}


def abstract(
    scene: Scene,
    width: int,
    height: int,
    progress: Callable[[float], None],
    survey: Survey | None = None,
) -> FloatArray:
    """Compose an abstract picture: (height, width, 3) RGB 0..1, by the scene's mood and seed.

    A composition named in `extras` (see `COMPOSITIONS`) is taken as it is. There is nothing to
    survey: it is flat.
    """
    rng = np.random.default_rng(scene.seed)
    named = [name for word in scene.words_used for name in _BY_WORD.get(word, ())]
    fitting = tuple(named) or _BY_MOOD.get(scene.mood, tuple(COMPOSITIONS))
    drawn = fitting[int(rng.integers(len(fitting)))]
    name = next((name for name in COMPOSITIONS if name in scene.extras), drawn)
    progress(0.05)
    rgb = COMPOSITIONS[name]((height, width), harmony(scene, rng), rng)
    progress(0.8)
    x = np.linspace(-1, 1, width, dtype=np.float32)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    rgb *= (1 - 0.07 * (x * x + y * y))[..., None]
    rgb += rng.standard_normal((height, width, 1), np.float32) * 0.013
    progress(1.0)
    return np.clip(rgb, 0, 1).astype(np.float32)
