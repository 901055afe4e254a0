"""The night sky: stars, the milky way, the moon and the aurora, all as light added to a sky."""

from __future__ import annotations

import cv2
import numpy as np

from darkroom.engine.backends.painter import noise
from darkroom.engine.backends.painter.noise import FloatArray


def stars(
    shape: tuple[int, int], seed: int, density: float, crowd: FloatArray | None = None
) -> FloatArray:
    """Returns starlight (h, w, 3); `density` 1: a dark clear night, `crowd` (h, w) gathers them."""
    rows, columns = shape
    rng = np.random.default_rng(seed + 31)
    unit = (rows * columns) ** 0.5
    field = np.zeros((rows, columns, 3), np.float32)
    count = int(
        min(14000, 4200 * density * (2.2 if crowd is not None else 1.0))
        * min(1.0, (unit / 900) ** 0.8)
    )
    x, y = rng.random(count) * columns, rng.random(count) * rows
    if crowd is not None:
        chance = 0.3 + 0.9 * crowd[y.astype(int) % rows, x.astype(int) % columns]
        keep = rng.random(count) < chance
        x, y = x[keep], y[keep]
    bright = (rng.pareto(1.5, len(x)) + 1) * 0.055
    warmth = rng.normal(0, 1, len(x))
    tint = np.stack([1 + 0.16 * warmth, np.ones(len(x)), 1 - 0.18 * warmth], axis=1).clip(0.5, 1.4)
    light = (np.minimum(bright, 1.6)[:, None] * tint).astype(np.float32)
    xi, yi = np.floor(x).astype(int) % columns, np.floor(y).astype(int) % rows
    np.add.at(field, (yi, xi), light * 1.8)
    near = cv2.GaussianBlur(field, (0, 0), max(0.55, unit / 2400))
    large = np.where(field.max(axis=2, keepdims=True) > 1.3, field, 0.0).astype(np.float32)
    wide = cv2.GaussianBlur(large, (0, 0), max(0.9, unit / 620))
    return np.asarray(
        near * max(1.0, (unit / 1100) ** 1.2) * 1.5 + wide * 2.4 * (unit / 900) ** 1.4, np.float32
    )


def milky_way(right: FloatArray, up: FloatArray, seed: int) -> tuple[FloatArray, FloatArray]:
    """Returns light (h, w, 3) and crowding 0..1 (h, w) of a leaning band with dark lanes."""
    rng = np.random.default_rng(seed + 41)
    lean = rng.uniform(0.5, 0.85) * rng.choice([-1.0, 1.0])
    shape = (up.shape[0], right.shape[1])
    x, y = np.broadcast_to(right, shape), np.broadcast_to(up, shape)
    centre = np.float32(rng.uniform(-0.1, 0.1))
    c, s = np.float32(np.cos(lean)), np.float32(np.sin(lean))
    along, across = y * c + (x - centre) * s, (x - centre) * c - y * s
    tile = noise.bands((512, 512), seed + 42, (8, 8))
    u, v = along * np.float32(0.16), across * np.float32(0.16)
    rough = noise.layered(tile, u * 0.8, v * 0.8, 5, 0.0, 0.55)
    fine = noise.layered(tile, u * 2.6 + 0.3, v * 3.4, 6, 0.0, 0.62)
    core = np.exp(-(((along - 0.16) / 0.34) ** 2))
    wide = np.exp(-(((across + 0.025 * rough) / (0.13 + 0.07 * core)) ** 2))
    narrow = np.exp(-(((across + 0.02 * rough) / (0.055 + 0.03 * core)) ** 2))
    lane = np.clip(1.25 - 1.9 * np.abs(across + 0.012 + 0.03 * fine) / 0.045, 0, 1) * np.clip(
        0.75 + 0.7 * rough, 0, 1
    )
    dust = np.clip(
        0.75 * lane * (0.35 + 0.65 * core) + 0.35 * np.clip(fine - 0.35, 0, 1) * wide, 0, 0.93
    )
    body = (0.26 * wide + 0.62 * narrow * (0.35 + 0.8 * core)) * np.clip(
        1 + 0.28 * fine + 0.2 * rough, 0.2, 2
    )
    body = body * (1 - dust)
    cool, warm = np.array([0.34, 0.42, 0.66], np.float32), np.array([0.72, 0.54, 0.46], np.float32)
    heat = np.clip(narrow * core, 0, 1)[..., None]
    light = body[..., None] * (cool + (warm - cool) * heat) * np.float32(0.62)
    rose = np.clip(fine - 0.9, 0, 1)[..., None] * (narrow * 0.5)[..., None]
    light += rose * np.array([0.5, 0.12, 0.26], np.float32) * 0.35
    return np.asarray(light, np.float32), np.clip(wide * (1 - 0.8 * dust), 0, 1)


def moon(light: FloatArray, centre: tuple[float, float], radius: float, seed: int) -> None:
    """Adds a full moon and its halo to light (h, w, 3) in place; `centre`, `radius` in pixels."""
    rows, columns = light.shape[:2]
    y, x = np.ogrid[:rows, :columns]
    away = np.hypot(x + 0.5 - centre[0], y + 0.5 - centre[1]).astype(np.float32)
    halo = 0.30 * np.exp(-away / (radius * 2.4)) + 0.10 * np.exp(-away / (radius * 9))
    light += halo[..., None] * np.array([0.62, 0.74, 1.0], np.float32)
    disc = np.clip(radius - away + 0.5, 0, 1)
    size = int(radius * 2 + 4)
    left, top = int(centre[0] - radius - 2), int(centre[1] - radius - 2)
    x0, x1, y0, y1 = max(0, left), min(columns, left + size), max(0, top), min(rows, top + size)
    if x0 >= x1 or y0 >= y1:
        return
    seas = noise.fractal((64, 64), seed + 51, 4, (3, 3))
    face = cv2.resize(seas, (size, size), interpolation=cv2.INTER_CUBIC)[
        y0 - top : y1 - top, x0 - left : x1 - left
    ]
    mark = 1.0 - 0.5 * np.clip((face - 0.48) * 4.0, 0, 1)
    patch = (mark * 1.9)[..., None] * np.array([1.0, 0.97, 0.9], np.float32)
    cover = disc[y0:y1, x0:x1, None]
    light[y0:y1, x0:x1] = light[y0:y1, x0:x1] * (1 - cover) + patch * cover


def aurora(right: FloatArray, up: FloatArray, seed: int, moment: float = 0.0) -> FloatArray:
    """Returns light (h, w, 3) of curtains marched through altitude, green below, violet above.

    Of eight places under the same curtains the one that fills the frame best is taken; `moment`
    (seconds) waves them.
    """
    rng = np.random.default_rng(seed + 61)
    tile = noise.bands((512, 512), seed + 62, (6, 6))
    thin_x = right[:, :: max(1, right.shape[1] // 48)]
    thin_y = up[:: max(1, up.shape[0] // 32)]
    best, place = -1.0, 0.0
    for start in rng.random(8):
        glow = _curtains(thin_x, thin_y, tile, (float(start), 0.0), 6).mean(axis=2)
        spread = float(glow.max(axis=0).mean()) - 0.6 * float(
            abs(glow.max(axis=0) - glow.max(axis=0).mean()).mean()
        )
        score = spread - 1.5 * max(0.0, float(glow.mean()) - 0.12)
        if score > best:
            best, place = score, float(start)
    glow = cv2.GaussianBlur(_curtains(right, up, tile, (place, moment), 30), (0, 0), 1.1)
    return np.asarray(glow, np.float32)


def _curtains(
    right: FloatArray, up: FloatArray, tile: FloatArray, place: tuple[float, float], steps: int
) -> FloatArray:
    start, moment = place
    wave, flow = np.float32(0.011 * moment), np.float32(0.06 * moment)
    shape = (up.shape[0], right.shape[1])
    slope = np.maximum(np.broadcast_to(up, shape), 0.0) + np.float32(0.10)
    across = np.broadcast_to(right, shape)
    light = np.zeros((*shape, 3), np.float32)
    jitter = np.random.default_rng(61).random(shape, dtype=np.float32)
    low, mid, top = (
        np.array(c, np.float32) for c in ((0.10, 1.0, 0.42), (0.06, 0.62, 0.60), (0.56, 0.16, 0.72))
    )
    for step in range(steps):
        level = (step + jitter) / np.float32(steps)
        z = (0.8 + 0.75 * level**1.3) / slope
        u, v = (
            across * z * np.float32(0.05) + np.float32(start),
            z * np.float32(0.075) + np.float32(start),
        )
        bend = noise.sample(tile, u * 0.5 + wave, v * 0.5 - wave * 0.6)
        curtain = noise.sample(tile, u * 0.8 + bend * 0.035, v * 0.9 + bend * 0.06)
        rays = noise.sample(tile, u * 7.0 + bend * 0.2 + flow, v * 1.3 + 0.5)
        sheet = np.exp(-((curtain / 0.13) ** 2)) * np.clip(0.75 + 0.4 * rays, 0.1, 2.0)
        height = level[..., None]
        colour = (
            low
            + (mid - low) * np.clip(height * 2.2, 0, 1)
            + (top - mid) * np.clip(height * 1.8 - 0.7, 0, 1)
        )
        fade = cv2.exp(-3.3 * level) * np.clip(level * 14.0, 0, 1)
        light += (sheet * fade)[..., None] * colour
    reach = np.clip((up - 0.01) / 0.10, 0, 1) * np.clip(1.25 - up / 0.9, 0.15, 1)
    return np.asarray(light * (reach * np.float32(6.4 / steps))[..., None], np.float32)
