"""The sky alone: clouds, stars or aurora above a low dark line of land."""

from __future__ import annotations

import numpy as np

from darkroom.engine.backends.painter import light, noise
from darkroom.engine.backends.painter.figures import add_figures
from darkroom.engine.backends.painter.noise import FloatArray
from darkroom.engine.backends.painter.scene import Progress, Scene
from darkroom.engine.backends.painter.sky import sky
from darkroom.engine.backends.painter.survey import Survey
from darkroom.engine.backends.painter.view import View
from darkroom.engine.backends.painter.weather import add_weather


def skyscape(
    scene: Scene, width: int, height: int, progress: Progress, survey: Survey | None = None
) -> FloatArray:
    """Returns display RGB 0..1 (height, width, 3): nine tenths sky over hills against the light."""
    line = 0.90
    view = View(width, height, line * height)
    above = sky(scene, width, height, line)
    progress(0.6)
    picture = above.linear.copy()
    near = np.zeros((height, width), np.float32)
    x = np.linspace(0, 1, width, dtype=np.float32)[None] * np.float32(width / max(height, 1) * 0.5)
    y = np.arange(height, dtype=np.float32)[:, None] + 0.5
    for layer, (base, tall, share) in enumerate(
        ((0.91, 0.045, 0.42), (0.945, 0.035, 0.22), (0.985, 0.03, 0.10))
    ):
        tile = noise.bands((64, 512), scene.seed + 281 + layer, (2, 8))
        ridge = noise.layered(tile, x * 0.6 + 0.3 * layer, x * 0 + 0.2, 6, gain=0.42)[0]
        top = (base - tall * (0.5 + 0.4 * ridge)) * height
        mask = np.clip(y - top[None] + 0.5, 0, 1)[..., None].astype(np.float32)
        tone = above.linear[max(0, int(view.horizon) - 3)][None] * np.float32(share * 0.8)
        picture += (tone + above.air_light * np.float32(share * 0.12) - picture) * mask
        near[mask[..., 0] > 0.5] = 1.0 / (9.0, 4.0, 2.0)[layer]
        progress(0.65 + 0.08 * layer)
    if survey:
        survey.line, survey.near = line, near
    add_figures(picture, view, above, scene)
    add_weather(picture, view, above, scene)
    progress(0.95)
    return light.to_display(np.maximum(picture, 0.0))
