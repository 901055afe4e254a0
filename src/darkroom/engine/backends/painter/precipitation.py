"""What falls through the air of a picture: rain, snow and drifting fog, over any subject."""

from __future__ import annotations

import cv2
import numpy as np

from darkroom.engine.backends.painter.mottle import FloatArray, mottle
from darkroom.engine.backends.painter.style_field import soft, unit


def rainfall(rgb: FloatArray, seed: int, amount: float) -> FloatArray:
    """Returns the picture behind slanting rain; `amount` 0..1 from drizzle to downpour."""
    size = (rgb.shape[0], rgb.shape[1])
    scale = max(0.35, unit(size))
    rng = np.random.default_rng(seed)
    lean = float(rng.uniform(-0.22, 0.22))
    streaks = np.zeros(size, np.uint8)
    for length, many, bright in ((26, 900, 60), (60, 420, 90), (150, 90, 120)):
        count = int(many * (0.4 + amount) * max(0.3, size[0] * size[1] / 2e6) ** 0.5)
        start = rng.uniform(-0.1, 1.05, (count, 2)) * size[::-1]
        reach = length * scale * rng.uniform(0.6, 1.4, count)
        end = start + np.stack([lean * reach, reach], 1)
        shine = (bright * rng.uniform(0.4, 1.0, count)).astype(int)
        ends = np.round(np.concatenate([start, end], 1) * 16).astype(np.int32)
        for (x0, y0, x1, y1), tone in zip(ends.tolist(), shine.tolist(), strict=True):
            width = 2 if length > 100 and scale > 0.8 else 1
            cv2.line(streaks, (x0, y0), (x1, y1), tone, width, cv2.LINE_AA, 4)
    fall = cv2.GaussianBlur(streaks, (0, 0), max(0.5, 0.6 * scale)).astype(np.float32) / 255
    air = soft(rgb, 40 * scale) * 0.5 + 0.42
    return np.asarray(rgb + (air - rgb) * (fall * (0.5 + 0.4 * amount))[..., None], np.float32)


def snowfall(rgb: FloatArray, seed: int, amount: float) -> FloatArray:
    """Returns the picture behind falling snow: small far flakes, few large ones out of focus."""
    size = (rgb.shape[0], rgb.shape[1])
    scale = max(0.3, unit(size))
    rng = np.random.default_rng(seed)
    cover = np.zeros(size, np.float32)
    for radius, many, light in (
        (1.0, 1700, 0.75),
        (2.0, 620, 0.85),
        (4.2, 130, 0.7),
        (10, 26, 0.4),
    ):
        flakes = np.zeros(size, np.uint8)
        count = int(many * (0.35 + amount) * max(0.25, size[0] * size[1] / 2e6) ** 0.5)
        spots = np.round(rng.uniform(0, 1, (count, 2)) * size[::-1] * 16).astype(np.int32)
        sizes = np.maximum(radius * scale * rng.uniform(0.6, 1.3, count), 0.6) * 16
        for (x, y), large in zip(spots.tolist(), sizes.astype(int).tolist(), strict=True):
            cv2.circle(flakes, (x, y), large, 255, -1, cv2.LINE_AA, 4)
        blurred = cv2.GaussianBlur(flakes, (0, 0), max(0.5, radius * scale * 0.45))
        cover = np.maximum(cover, blurred.astype(np.float32) * np.float32(light / 255))
    white = np.array([0.95, 0.965, 0.99], np.float32) * (0.45 + 0.55 * float(rgb.mean()) ** 0.5)
    return np.asarray(rgb + (white - rgb) * cover[..., None], np.float32)


def fog(rgb: FloatArray, far: FloatArray, colour: FloatArray, seed: int) -> FloatArray:
    """Returns the picture in fog of a display colour, as thick as `far` 0..1 says, in slow
    banks."""
    size = (rgb.shape[0], rgb.shape[1])
    banks = mottle(size, seed, 3.0, 4, 2.6)
    thick = 1 - np.exp(-3.2 * far * (0.55 + 0.9 * banks))
    return np.asarray(rgb + (colour - rgb) * thick[..., None], np.float32)
