"""The beach before a sea: sand, a wet mirror, and the last wave's lace."""

from __future__ import annotations

import cv2
import numpy as np

from darkroom.engine.backends.painter import noise
from darkroom.engine.backends.painter.ground import step
from darkroom.engine.backends.painter.noise import FloatArray
from darkroom.engine.backends.painter.scene import Scene
from darkroom.engine.backends.painter.sky import Sky


def add_beach(picture: FloatArray, above: Sky, scene: Scene) -> None:
    """Paints the shore over the lowest quarter of `picture` (scene light), in place."""
    rows, columns = picture.shape[:2]
    top = int(rows * 0.68)
    y = np.arange(top, rows, dtype=np.float32)[:, None] / np.float32(rows)
    x = np.linspace(0, 1, columns, dtype=np.float32)[None] * np.float32(columns / rows)
    tile = noise.kept_bands((512, 512), scene.seed + 291, (8, 8))
    slant = np.float32(0.05 if above.sun_xy[0] < columns / 2 else -0.05)
    wave = noise.layered(tile, x * 0.11 + y * 0, y * 0.05 + x * 0, 4, gain=0.45)
    line = (
        np.float32(0.845) + slant * (x - np.float32(columns / rows / 2)) + np.float32(0.018) * wave
    )
    moment = np.float32(scene.moment or 0.0)
    # Each wave runs up the sand and draws back, not everywhere at once.
    if scene.moment is not None:
        line = line + np.float32(0.013) * np.sin(moment * np.float32(0.95) + wave * 1.6 + x * 1.1)
    deep = y - line  # above 0: sand
    # Foreshortening: the ground's texture grows towards the eye.
    z = 1.0 / np.maximum(y - 0.5, 0.05)
    u, v = (x - np.float32(columns / rows / 2)) * z * np.float32(0.20), z * np.float32(0.62)
    grain = noise.layered(tile, u * 9.0, v * 9.0, 5, gain=0.85)
    tone = np.array((0.56, 0.43, 0.29), np.float32)
    dry = step(0.045, 0.085, deep + 0.006 * grain)
    air = 0.6 * above.air_light + 0.4 * above.air_light.mean()
    light = air * 0.62 + above.sun_light * np.float32(0.42 * max(0.35, above.sun_direction[1]))
    sand = tone * light * (1.0 + 0.07 * grain)[..., None]
    mirror = _mirrored(picture, above, rows, top)
    wet = sand * 0.42 + mirror * 0.46
    shore = wet + (sand - wet) * dry[..., None]
    flow = v + np.float32(0.02) * moment
    lace = noise.layered(tile, u * 2.4 + 0.3, flow * 2.4, 5, gain=0.7)
    cells = np.abs(noise.layered(tile, u * 3.4, flow * 3.4 + 0.4, 4, gain=0.6))
    edge = np.exp(-np.abs(deep + 0.004 * lace) / 0.0045)
    wash = (
        step(-0.085, -0.01, deep)
        * (1.0 - step(-0.004, 0.004, deep))
        * np.clip(0.9 - cells / 0.42, 0, 1)
    )
    breaker = np.exp(-(((deep + 0.082 + 0.006 * wave + 0.004 * lace) / 0.0085) ** 2)) * np.clip(
        0.7 + 0.5 * lace, 0, 1
    )
    white = above.air_light * 0.8 + above.sun_light * np.float32(0.2)
    out = picture[top:]
    out += (shore - out) * step(-0.003, 0.003, deep)[..., None]
    foam = np.clip(edge * 0.9 + wash * 0.75 + breaker * 0.9, 0, 0.95)[..., None]
    out += (np.minimum(white, 1.8) - out) * foam


def _mirrored(picture: FloatArray, above: Sky, rows: int, top: int) -> FloatArray:
    """Returns the low sky as wet sand shows it: upside down and blurred."""
    count = rows - top
    source = np.minimum(above.linear[: max(count, 2)], 2.0)[::-1][:count]
    if source.shape[0] < count:
        source = cv2.resize(source, (picture.shape[1], count))
    return np.asarray(cv2.GaussianBlur(source, (0, 0), max(1.0, rows / 90)), np.float32)
