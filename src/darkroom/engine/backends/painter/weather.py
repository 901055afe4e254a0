"""What falls through the air or hangs in it: rain, snow, mist, a rainbow, lightning."""

from __future__ import annotations

import functools

import cv2
import numpy as np

from darkroom.engine.backends.painter import noise
from darkroom.engine.backends.painter.noise import FloatArray
from darkroom.engine.backends.painter.scene import Scene
from darkroom.engine.backends.painter.sky import Sky
from darkroom.engine.backends.painter.view import View


def add_weather(picture: FloatArray, view: View, above: Sky, scene: Scene) -> None:
    """Lays the scene's weather over `picture` (scene light), in place."""
    if "rainbow" in scene.extras:
        picture += _rainbow(view, scene.seed)
    if scene.weather == "fog" and scene.subject == "sea":
        veil = _mist(view, scene.seed)
        picture *= 1 - veil
        picture += np.minimum(above.haze, 1.6) * veil
    if scene.moment is not None:
        return
    if "lightning" in scene.extras:
        _lightning(picture, view, scene)
    if scene.weather in ("rain", "storm"):
        _rain(picture, above, scene)
    if scene.weather == "snow":
        _snow(picture, above, scene)


# A film of the sea lays the same rainbow and mist over each of its frames.
@functools.lru_cache(maxsize=1)
def _rainbow(view: View, seed: int) -> FloatArray:
    """Returns the light (rows, columns, 3) of a rainbow and of the sky inside it."""
    rows, columns = view.height, view.width
    unit = min(rows, columns * 0.7)
    centre = (columns * (0.36 if seed % 2 else 0.64), view.horizon + 0.16 * unit)
    yy, xx = np.ogrid[:rows, :columns]
    away = np.hypot(xx - centre[0], yy - centre[1]).astype(np.float32) / np.float32(unit)
    low = np.clip((np.float32(view.horizon) - yy + 0.02 * unit) / (0.10 * unit), 0, 1).astype(
        np.float32
    )
    light = np.zeros((rows, columns, 3), np.float32)
    for radius, width, strength, turned in ((0.62, 0.045, 0.34, False), (0.76, 0.06, 0.10, True)):
        t = (away - np.float32(radius)) / np.float32(width) + 0.5
        t = 1.0 - t if turned else t
        bell = np.stack([np.exp(-(((t - at) / 0.20) ** 2)) for at in (0.82, 0.5, 0.18)], axis=2)
        light += bell * (low * np.float32(strength))[..., None]
    inside = np.clip((np.float32(0.60) - away) / 0.1, 0, 1) * low
    light += (inside * 0.05)[..., None]
    return light


def _lightning(picture: FloatArray, view: View, scene: Scene) -> None:
    rows, columns = picture.shape[:2]
    rng = np.random.default_rng(scene.seed + 241)
    mask = np.zeros((rows, columns), np.uint8)

    def bolt(x: float, y: float, end: float, width: int, depth: int) -> None:
        while y < end:
            nx, ny = x + rng.normal(0, 0.016) * rows, y + rng.uniform(0.012, 0.035) * rows
            cv2.line(
                mask, (round(x), round(y)), (round(nx), round(ny)), 255, max(1, width), cv2.LINE_AA
            )
            if depth and rng.random() < 0.16:
                bolt(nx, ny, min(end, ny + 0.2 * rows), max(1, width // 2), depth - 1)
            x, y = nx, ny

    bolt(columns * rng.choice([0.3, 0.68]), 0.04 * rows, view.horizon, max(2, rows // 400), 2)
    line = mask.astype(np.float32) / 255.0
    glow = sum(
        (
            cv2.GaussianBlur(line, (0, 0), rows * share) * gain
            for share, gain in ((0.004, 1.2), (0.03, 2.2))
        ),
        line * 3,
    )
    picture += np.asarray(glow, np.float32)[..., None] * np.array((0.75, 0.8, 1.0), np.float32)


@functools.lru_cache(maxsize=1)
def _mist(view: View, seed: int) -> FloatArray:
    """Returns how much mist hides (rows, columns, 3)."""
    rows, columns = view.height, view.width
    soft = noise.fractal((256, 512), seed + 251, 5, (6, 3))
    soft = np.asarray(cv2.resize(soft, (columns, rows), interpolation=cv2.INTER_CUBIC), np.float32)
    y = np.arange(rows, dtype=np.float32)[:, None]
    near = np.exp(-np.abs(y - np.float32(view.horizon)) / np.float32(0.16 * rows))
    veil = np.clip(near * (0.65 + 0.6 * soft) + 0.12, 0, 0.95)
    return np.asarray(cv2.merge([veil] * 3), np.float32)


def _rain(picture: FloatArray, above: Sky, scene: Scene) -> None:
    rows, columns = picture.shape[:2]
    rng = np.random.default_rng(scene.seed + 261)
    unit = min(rows, columns)
    total = np.zeros((rows, columns), np.float32)
    for count, length, strength in ((700, 0.035, 0.10), (260, 0.07, 0.13)):
        mask = np.zeros((rows, columns), np.uint8)
        x, y = rng.random(count) * columns * 1.1, rng.random(count) * rows
        size = length * unit * rng.uniform(0.6, 1.3, count)
        for a, b, c in zip(x, y, size, strict=True):
            cv2.line(mask, (int(a), int(b)), (int(a - 0.18 * c), int(b + c)), 255, 1, cv2.LINE_AA)
        total += (
            cv2.GaussianBlur(mask, (0, 0), 0.7).astype(np.float32)
            / 255.0
            * np.float32(strength * 2.2)
        )
    tone = np.asarray(above.air_light * 1.1, np.float32)
    picture += total[..., None] * tone


def _snow(picture: FloatArray, above: Sky, scene: Scene) -> None:
    rows, columns = picture.shape[:2]
    rng = np.random.default_rng(scene.seed + 271)
    unit = min(rows, columns)
    total = np.zeros((rows, columns), np.float32)
    for count, size, strength in ((1600, 0.0009, 0.7), (420, 0.0022, 0.7), (60, 0.006, 0.5)):
        mask = np.zeros((rows, columns), np.uint8)
        for x, y in zip(rng.random(count) * columns, rng.random(count) * rows, strict=True):
            radius = max(0.5, size * unit * rng.uniform(0.6, 1.3))
            cv2.circle(mask, (int(x * 8), int(y * 8)), int(radius * 8), 255, -1, cv2.LINE_AA, 3)
        soft = (
            cv2.GaussianBlur(mask, (0, 0), max(0.6, size * unit * 0.5)).astype(np.float32) / 255.0
        )
        total = np.maximum(total, soft * np.float32(strength))
    tone = np.asarray(above.air_light * 1.0 + 0.25, np.float32)
    picture += (tone - picture) * np.clip(total, 0, 1)[..., None]
