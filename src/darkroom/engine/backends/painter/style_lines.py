"""Drawing: ink lines, graphite hatching and washes of ink on paper."""

from __future__ import annotations

import cv2
import numpy as np

from darkroom.engine.backends.painter.mottle import FloatArray, mottle
from darkroom.engine.backends.painter.style_field import (
    along,
    flattened,
    paper,
    soft,
    tangents,
    tone,
    unit,
)


def lines(rgb: FloatArray, seed: int) -> FloatArray:
    """Returns dark ink lines on warm paper, of two weights, tapered where a form fades out."""
    scale = unit(rgb.shape)
    grey = tone(flattened(rgb, 3.0 * scale))
    grey = cv2.createCLAHE(2.0, (6, 6)).apply((grey * 255).astype(np.uint8)) / np.float32(255)
    fine = edges(grey, 1.15 * scale, seed, 30.0)
    strong = edges(grey, 2.6 * scale, seed, 34.0)
    ink = _without_specks(np.maximum(fine * 0.85, strong), round(110 * scale * scale))
    sheet = np.array([0.965, 0.95, 0.915], np.float32) * paper(grey.shape, seed, 0.05)[..., None]
    colour = np.array([0.10, 0.10, 0.13], np.float32)
    return np.clip(sheet + (colour - sheet) * ink[..., None], 0, 1)


def pencil(rgb: FloatArray, seed: int) -> FloatArray:
    """Returns graphite on paper: hatching that follows the forms, crossed in the darks, and
    outlines."""
    scale = unit(rgb.shape)
    size = (rgb.shape[0], rgb.shape[1])
    grey = _levelled(tone(flattened(rgb, 3.0 * scale)))
    x, y = tangents(grey, max(1.5, 9 * scale), seed)
    base = np.float32(0.78)
    slant_x, slant_y = np.full(size, np.cos(base)), np.full(size, -np.sin(base))
    white = np.random.default_rng(seed).random(size, np.float32)
    grain = np.asarray(cv2.GaussianBlur(white, (0, 0), max(0.5, 0.75 * scale)))
    reach = max(3.0, 17 * scale)
    hatch = _flat(along(along(grain, slant_x, slant_y, reach, 6), slant_x, slant_y, reach / 5, 2))
    form = _flat(along(along(grain[::-1], x, y, reach, 6), x, y, reach / 5, 2))
    dark = (1 - grey) ** 1.15
    graphite = np.clip((dark * 1.25 - 0.14 - form) * 1.5 + 0.1, 0, 1) * 0.52
    graphite += np.clip((dark * 1.2 - 0.50 - hatch) * 1.8 + 0.05, 0, 1) * 0.5
    graphite += np.clip(dark - 0.15, 0, 1) ** 1.3 * 0.3
    outline = edges(tone(flattened(rgb, 2.5 * scale)), 1.4 * scale, seed, 22.0)
    graphite = np.maximum(graphite, outline * (0.55 + 0.35 * form))
    tooth = paper(size, seed, 0.5)
    graphite = np.clip(graphite * (1.35 - 0.75 * np.clip(tooth - 0.6, 0, 1)), 0, 0.93)
    sheet = np.array([0.955, 0.95, 0.935], np.float32) * paper(size, seed, 0.06)[..., None]
    colour = np.array([0.17, 0.175, 0.19], np.float32)
    return np.clip(sheet + (colour - sheet) * graphite[..., None], 0, 1)


def ink_wash(rgb: FloatArray, seed: int) -> FloatArray:
    """Returns diluted ink on rice paper, in a few washes that bleed, brush lines, and a red
    seal."""
    scale = unit(rgb.shape)
    size = (rgb.shape[0], rgb.shape[1])
    grey = _levelled(tone(flattened(rgb, 7 * scale)))
    bleed = soft(grey, 11 * scale)
    where = mottle(size, seed, 5.0, 4)
    grey += (bleed - grey) * np.clip(where * 2.2 - 0.5, 0, 1)
    grey += (where - 0.5) * 0.10
    washes = np.zeros(size, np.float32)
    for level, depth in ((0.74, 0.11), (0.54, 0.19), (0.36, 0.26), (0.18, 0.30)):
        step = np.clip((level - grey) * 9 + 0.5, 0, 1)
        rim = step * (1 - step) * 4
        washes += depth * (step + 0.22 * rim)
    washes *= 0.9 + 0.35 * (mottle(size, seed + 5, max(size) / max(2.0, 5 * scale), 2) - 0.5)
    brush = edges(tone(flattened(rgb, 5 * scale)), 2.6 * scale, seed, 26.0)
    dry = np.clip(mottle(size, seed + 9, max(size) / max(2.0, 4 * scale), 2) * 2.4 - 0.3, 0, 1)
    ink = 1 - (1 - np.clip(washes, 0, 0.92)) * (1 - brush * 0.72 * dry)
    sheet = np.array([0.945, 0.925, 0.87], np.float32) * paper(size, seed, 0.09)[..., None]
    out = sheet + (np.array([0.09, 0.09, 0.105], np.float32) - sheet) * ink[..., None]
    _seal(out, seed)
    return np.clip(out, 0, 1)


def edges(grey: FloatArray, sigma: float, seed: int, sharp: float) -> FloatArray:
    """Returns lines 0..1 by a flow-guided difference of Gaussians (Winnemöller, XDoG, 2012)."""
    sigma = max(0.6, sigma)
    x, y = tangents(grey, max(1.2, sigma * 2), seed)
    near = soft(grey, sigma)
    wide = soft(grey, sigma * 1.6)
    response = along(near - 0.985 * wide - 0.015 * 0.5, x, y, sigma * 4, 4)
    return np.clip(np.tanh(-(response + 0.004) * sharp * 2.4), 0, 1)


def _without_specks(ink: FloatArray, area_min: int) -> FloatArray:
    """Rub out the marks smaller than an area in pixels."""
    marks = (ink > 0.25).astype(np.uint8)
    _count, labels, stats, _centres = cv2.connectedComponentsWithStats(marks, connectivity=8)
    kept = (stats[:, cv2.CC_STAT_AREA] >= area_min).astype(np.float32)
    kept[0] = 0
    mask = cv2.GaussianBlur(kept[labels], (0, 0), 1.2)
    return np.asarray(ink * np.clip(mask * 3, 0, 1), np.float32)


def _levelled(grey: FloatArray) -> FloatArray:
    """Stretch tones to the whole range, and lift a dark picture's middle to the sheet's."""
    low, high = np.quantile(grey[::4, ::4], [0.01, 0.985])
    out = np.clip((grey - low) / max(high - low, 0.08), 0, 1)
    middle = float(np.clip(np.median(out[::4, ::4]), 0.08, 0.9))
    return (out ** float(np.clip(np.log(0.58) / np.log(middle), 0.45, 1.5))).astype(np.float32)


def _flat(field: FloatArray) -> FloatArray:
    """Give a noise an even spread of values 0..1, by the rank that a normal one would have."""
    part = field[::3, ::3]
    z = (field - part.mean()) / (part.std() + 1e-6)
    return (1 / (1 + np.exp(-1.7 * z))).astype(np.float32)


def _seal(out: FloatArray, seed: int) -> None:
    """Press a small red seal into the lower right, cut with a few strokes of its own."""
    height, width = out.shape[:2]
    side = round(0.055 * float(np.sqrt(height * width)))
    if side < 10 or min(height, width) < side * 3:
        return
    rng = np.random.default_rng(seed)
    stamp: FloatArray = np.ones((48, 48), np.float32)
    for k in range(3):
        x = 9 + 11 * k
        cv2.line(stamp, (x + 3, 8), (x + 3, 40), 0.0, 2)
        for y in rng.integers(10, 38, 2):
            cv2.line(stamp, (x - 2, int(y)), (x + 8, int(y)), 0.0, 2)
    cv2.rectangle(stamp, (3, 3), (44, 44), 0.0, 1)
    stamp = cv2.GaussianBlur(stamp, (0, 0), 0.7)
    stamp = cv2.resize(stamp, (side, side), interpolation=cv2.INTER_AREA)
    stamp *= np.clip(mottle((side, side), seed, 14, 2) * 2.0, 0.3, 1)
    gap = side // 2 + 2
    part = out[height - gap - side : height - gap, width - gap - side : width - gap]
    part += (np.array([0.70, 0.13, 0.10], np.float32) - part) * (stamp * 0.88)[..., None]
