"""The styles: how a finished picture is painted, printed or drawn anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.engine.backends.painter.mottle import FloatArray, mottle
from darkroom.engine.backends.painter.scene import Scene
from darkroom.engine.backends.painter.style_brush import IMPRESSIONIST, OIL, brushed
from darkroom.engine.backends.painter.style_field import flattened, paper, reduced, soft, tone, unit
from darkroom.engine.backends.painter.style_lines import edges, ink_wash, lines, pencil

PIXEL_COLOURS = 28
POSTER_COLOURS = 8
_BAYER = (
    np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) - 7.5
) / 16


def apply(pixels: FloatArray, scene: Scene) -> FloatArray:
    """Returns the picture (height, width, 3; 0..1) in the scene's style; "photo" leaves it as it
    is."""
    style = STYLES.get(scene.style)
    if style is None:
        return pixels
    return np.asarray(style(np.ascontiguousarray(pixels, np.float32), scene.seed), np.float32)


def oil(rgb: FloatArray, seed: int) -> FloatArray:
    """Returns an oil painting: five brushes from broad to fine, thick paint in raking light."""
    return brushed(_vivid(rgb, 1.12), OIL, seed, 0.16)


def impressionist(rgb: FloatArray, seed: int) -> FloatArray:
    """Returns short broken strokes of clear colour that stay apart."""
    return brushed(_vivid(rgb, 1.3), IMPRESSIONIST, seed, 0.13)


def watercolour(rgb: FloatArray, seed: int) -> FloatArray:
    """Returns transparent washes on rough paper: dark rims, blooms, granulation, a ragged white
    border.

    Pigment as optical density, edges and turbulence after Bousseau et al., "Interactive watercolor
    rendering with temporal coherence and abstraction", 2006.
    """
    size = (rgb.shape[0], rgb.shape[1])
    scale = unit(size)
    moved = _wobbled(_vivid(rgb, 1.15), seed, 4 * scale)
    pen = edges(tone(moved), 1.1 * scale, seed, 22.0)
    flat = flattened(flattened(moved, 4 * scale), 3 * scale)
    wet = soft(flat, 14 * scale)
    bleed = np.clip(mottle(size, seed, 4.0, 3) * 3.2 - 1.6, 0, 0.55)[..., None]
    flat += (wet - flat) * bleed
    low, high = np.quantile(tone(flat)[::4, ::4], [0.02, 0.99])
    flat = np.clip((flat - low * 0.75) / max(high - low * 0.75, 0.1), 0, 1)
    density = -np.log(np.clip(flat**0.8 * 0.90 + 0.09, 0.02, 1))
    grey = tone(flat)
    rim = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    rim = np.clip(cv2.GaussianBlur(rim, (0, 0), max(0.6, 1.3 * scale)) * 1.1, 0, 0.5)
    flow = mottle(size, seed + 3, 7.0, 5) - 0.5
    grain = mottle(size, seed + 4, max(size) / max(2.0, 3.4 * scale), 2) - 0.5
    density += (0.55 * pen * (0.4 + flow))[..., None]
    strength = 0.92 + 0.85 * flow + 0.26 * grain + 0.9 * rim
    density *= np.clip(strength, 0.25, 2.2)[..., None]
    density *= _ragged(size, seed, strength=grain)[..., None]
    sheet = np.array([0.985, 0.975, 0.95], np.float32) * paper(size, seed, 0.09)[..., None]
    return np.clip(sheet * np.exp(-density), 0, 1)


def pixel(rgb: FloatArray, seed: int) -> FloatArray:
    """Returns square blocks in at most `PIXEL_COLOURS` colours, dithered in a fixed pattern."""
    height, width = rgb.shape[:2]
    block = max(2, round(float(np.sqrt(height * width)) / 200))
    rows, columns = -(-height // block), -(-width // block)
    small = cv2.resize(_vivid(rgb, 1.2), (columns, rows), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), 1.2)
    small = np.clip(small + 0.6 * (small - soft), 0, 1)
    colours = reduced(small, PIXEL_COLOURS, seed)
    lab: FloatArray = cv2.cvtColor(small, cv2.COLOR_RGB2Lab)
    lab[..., 0] += np.tile(_BAYER, (rows // 4 + 1, columns // 4 + 1))[:rows, :columns] * 5
    centres = cv2.cvtColor(colours[None], cv2.COLOR_RGB2Lab)[0]
    chosen = colours[_nearest(lab, centres)]
    return np.repeat(np.repeat(chosen, block, 0), block, 1)[:height, :width]


def poster(rgb: FloatArray, seed: int) -> FloatArray:
    """Returns a screen print: `POSTER_COLOURS` flat inks, smooth shapes, a little out of
    register."""
    height, width = rgb.shape[:2]
    scale = unit(rgb.shape)
    small = cv2.resize(rgb, (-(-width // 2), -(-height // 2)), interpolation=cv2.INTER_AREA)
    flat = _punchy(flattened(_vivid(small, 1.4), 3.5 * scale))
    colours = reduced(flat, POSTER_COLOURS, seed)
    lab = cv2.cvtColor(flat, cv2.COLOR_RGB2Lab)
    centres = cv2.cvtColor(colours[None], cv2.COLOR_RGB2Lab)[0]
    owner = _nearest(lab, centres)
    best = np.full((height, width), -1.0, np.float32)
    plates = np.zeros((height, width), np.uint8)
    for k in range(len(colours)):
        share = soft((owner == k).astype(np.float32), 1.7 * scale)
        share = cv2.resize(share, (width, height), interpolation=cv2.INTER_LINEAR)
        np.copyto(plates, k, where=share > best)
        best = np.maximum(best, share)
    out, total = np.zeros_like(rgb), np.full((height, width), 0.02, np.float32)
    rng = np.random.default_rng(seed)
    for k, colour in enumerate(colours):
        slip = rng.normal(0, 0.8 * scale, 2)
        move = np.array([[1, 0, slip[0]], [0, 1, slip[1]]])
        mask = cv2.GaussianBlur((plates == k).astype(np.float32), (0, 0), max(0.5, 0.7 * scale))
        mask = cv2.warpAffine(mask, move, (width, height), borderMode=cv2.BORDER_REPLICATE)
        out += colour * mask[..., None]
        total += mask
    out /= total[..., None]
    worn = mottle((height, width), seed + 1, max(height, width) / max(2.0, 2.6 * scale), 2)
    bare = 0.10 * np.clip(worn * 4 - 2.3, 0, 1)[..., None]
    return np.clip(out + (np.array([0.97, 0.95, 0.90], np.float32) - out) * bare, 0, 1)


def _nearest(lab: FloatArray, centres: FloatArray) -> NDArray[np.uint8]:
    """The index of the centre nearest to each pixel."""
    owner = np.zeros(lab.shape[:2], np.uint8)
    best = np.full(lab.shape[:2], np.inf, np.float32)
    flat = lab.reshape(-1, 3)
    for k, centre in enumerate(centres):
        far = ((flat * flat) @ np.ones(3, np.float32) - 2 * (flat @ centre)).reshape(best.shape)
        far += float(centre @ centre)
        np.copyto(owner, k, where=far < best)
        best = np.minimum(best, far)
    return owner


def _vivid(rgb: FloatArray, amount: float) -> FloatArray:
    grey = tone(rgb)[..., None]
    return np.clip(grey + (rgb - grey) * np.float32(amount), 0, 1)


def _punchy(rgb: FloatArray) -> FloatArray:
    """Spread the tones over the whole range with an S-curve."""
    grey = tone(rgb)[::4, ::4]
    low, high = np.quantile(grey, [0.01, 0.99])
    out = np.clip((rgb - low) / max(high - low, 0.1), 0, 1)
    return np.asarray(out + 0.35 * (out * out * (3 - 2 * out) - out), np.float32)


def _wobbled(rgb: FloatArray, seed: int, reach: float) -> FloatArray:
    """Let borders tremble by up to `reach` pixels, as a hand's do."""
    height, width = rgb.shape[:2]
    shift = [(mottle((height, width), seed + k, 26, 3) - 0.5) * (2 * reach) for k in (11, 12)]
    at_x = np.arange(width, dtype=np.float32) + shift[0]
    at_y = np.arange(height, dtype=np.float32)[:, None] + shift[1]
    moved = cv2.remap(rgb, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.float32)


def _ragged(size: tuple[int, int], seed: int, strength: FloatArray) -> FloatArray:
    """How much of the wash reaches each pixel: all inside, none at the border, a dark rim
    between."""
    height, width = size
    x = np.minimum(np.arange(width), np.arange(width)[::-1]).astype(np.float32)
    y = np.minimum(np.arange(height), np.arange(height)[::-1]).astype(np.float32)[:, None]
    gap = 0.034 * float(np.sqrt(height * width))
    gap = min(gap, 0.1 * min(height, width))
    far = (
        np.minimum(x, y) / gap - 1 + (mottle(size, seed + 21, 9.0, 5) - 0.5) * 2.2 + strength * 0.3
    )
    inside = np.clip(far * 5, 0, 1)
    return np.asarray(inside * (1 + 0.35 * np.exp(-np.maximum(far, 0) * 7)), np.float32)


STYLES: Mapping[str, Callable[[FloatArray, int], FloatArray]] = {
    "watercolour": watercolour,
    "oil": oil,
    "impressionist": impressionist,
    "pixel": pixel,
    "line": lines,
    "pencil": pencil,
    "ink": ink_wash,
    "poster": poster,
}
