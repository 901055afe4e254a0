"""What the styles see in a picture: its tones, its flat regions and the direction of its forms."""

from __future__ import annotations

import cv2
import numpy as np

from darkroom.engine.backends.painter.mottle import FloatArray, mottle

_LUMA = np.array([[0.2126, 0.7152, 0.0722]], np.float32)


def tone(rgb: FloatArray) -> FloatArray:
    """Returns the luma 0..1 of display RGB: (height, width)."""
    return np.asarray(cv2.transform(np.ascontiguousarray(rgb), _LUMA), np.float32)


def unit(shape: tuple[int, ...]) -> float:
    """Returns how large a thing of one pixel at 1920×1080 is in a picture of this shape, in
    pixels."""
    return float(np.sqrt(shape[0] * shape[1]) / 1440)


def soft(picture: FloatArray, sigma: float) -> FloatArray:
    """Returns the picture (height, width[, 3]) under a Gaussian blur; wide ones by way of a small
    copy."""
    height, width = picture.shape[:2]
    shrink = int(min(sigma / 2.5, height / 4, width / 4))
    if shrink < 2:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), max(0.5, sigma)), np.float32)
    size = (-(-width // shrink), -(-height // shrink))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / shrink)
    return np.asarray(cv2.resize(small, (width, height)), np.float32)


def flattened(rgb: FloatArray, radius: float) -> FloatArray:
    """Returns the picture in flat patches with crisp borders, for a patch radius in pixels.

    A generalised Kuwahara filter (Papari et al., 2007): of eight windows around a pixel, those of
    little variance count.
    """
    reach = max(1, round(radius))
    height, width = rgb.shape[:2]
    sigma = max(0.5, radius * 0.62)
    edge = cv2.copyMakeBorder(rgb, reach, reach, reach, reach, cv2.BORDER_REFLECT_101)
    mean = cv2.GaussianBlur(edge, (0, 0), sigma)
    grey = tone(edge)
    middle = cv2.GaussianBlur(grey, (0, 0), sigma)
    spread = cv2.GaussianBlur(grey * grey, (0, 0), sigma) - middle * middle
    noisy = 1 + np.maximum(spread, 0) * np.float32(28_000)
    weight = 1 / (noisy * noisy * noisy)
    total = np.zeros_like(rgb)
    weights = np.full((height, width), 1e-9, np.float32)
    for k in range(8):
        dy = reach + round(reach * np.sin(k * np.pi / 4))
        dx = reach + round(reach * np.cos(k * np.pi / 4))
        part = np.s_[dy : dy + height, dx : dx + width]
        share = weight[part]
        total += mean[part] * share[..., None]
        weights += share
    return np.asarray(total / weights[..., None], np.float32)


def tangents(grey: FloatArray, sigma: float, seed: int) -> tuple[FloatArray, FloatArray]:
    """Returns unit vectors along the forms, x and y, each (height, width).

    From the structure tensor, smoothed over `sigma` pixels; where nothing is to be seen a calm
    current decides.
    """
    height, width = grey.shape
    shrink = max(1.0, min(4.0, sigma / 1.5))
    small = (max(8, round(width / shrink)), max(8, round(height / shrink)))
    seen = cv2.resize(grey, small, interpolation=cv2.INTER_AREA)
    gx, gy = cv2.Sobel(seen, cv2.CV_32F, 1, 0), cv2.Sobel(seen, cv2.CV_32F, 0, 1)
    double_x, double_y = gy * gy - gx * gx, -2 * gx * gy
    for reach, share in ((sigma / shrink, 1.0), (sigma * 4 / shrink, 0.15)):
        blurred = [cv2.GaussianBlur(part, (0, 0), max(0.6, reach)) for part in (double_x, double_y)]
        double_x, double_y = (
            double_x * (1 - share) + blurred[0] * share,
            double_y * (1 - share) + blurred[1] * share,
        )
    calm = mottle(small[::-1], seed, 2.0, 1) * np.float32(5.0)
    double_x, double_y = double_x + 4e-4 * np.cos(calm), double_y + 4e-4 * np.sin(calm)
    angle = cv2.resize(np.dstack([double_x, double_y]), (width, height))
    half = 0.5 * np.arctan2(angle[..., 1], angle[..., 0])
    return np.cos(half), np.sin(half)


def along(field: FloatArray, x: FloatArray, y: FloatArray, reach: float, steps: int) -> FloatArray:
    """Returns the field averaged along the vectors (x, y) over `reach` pixels to either side."""
    height, width = field.shape[:2]
    column = np.arange(width, dtype=np.float32)
    row = np.arange(height, dtype=np.float32)[:, None]
    total = field.copy()
    for k in range(1, steps + 1):
        far = np.float32(reach * k / steps)
        for sign in (far, -far):
            at_x, at_y = column + x * sign, row + y * sign
            total += cv2.remap(field, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(total / (2 * steps + 1), np.float32)


def paper(size: tuple[int, int], seed: int, tooth: float) -> FloatArray:
    """Returns the light on a rough sheet, about 1: `tooth` is how much it varies."""
    scale = unit(size)
    grain = mottle(size, seed, max(size) / max(1.8, 3.2 * scale), 2)
    fibre = mottle(size, seed + 1, max(size) / max(2.0, 9 * scale), 2, 2.5)
    relief = cv2.Sobel(0.75 * grain + 0.25 * fibre, cv2.CV_32F, 1, 1, ksize=3)
    return np.asarray(1 + tooth * (relief * 0.5 + (grain - 0.5) * 0.5), np.float32)


def reduced(rgb: FloatArray, colours: int, seed: int) -> FloatArray:
    """Returns the (n, 3) RGB colours, at most `colours`, that stand best for the picture.

    k-means in Lab over the cells of a coarse histogram, weighted by the root of their count and
    with more say for hue than for lightness, so that small bright things keep a colour.
    """
    small = cv2.resize(rgb, (128, 128), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2Lab).reshape(-1, 3) * np.array(
        [1, 1.5, 1.5], np.float32
    )
    cells, owner, count = np.unique(
        np.round(lab / 5).astype(np.int32), axis=0, return_inverse=True, return_counts=True
    )
    owner = owner.reshape(-1)
    sums = np.stack([np.bincount(owner, lab[:, i], len(cells)) for i in range(3)], 1)
    points = sums / count[:, None]
    weight = np.sqrt(count)
    rng = np.random.default_rng(seed)
    chosen = [int(rng.choice(len(points), p=weight / weight.sum()))]
    far = np.full(len(points), np.inf)
    while len(chosen) < min(colours, len(points)):
        far = np.minimum(far, ((points - points[chosen[-1]]) ** 2).sum(1))
        chosen.append(int(np.argmax(far * weight)))
    centres = points[chosen]
    for _ in range(12):
        owner = ((points[:, None] - centres[None]) ** 2).sum(2).argmin(1)
        total = np.maximum(np.bincount(owner, weight, len(centres)), 1e-9)
        centres = np.stack(
            [np.bincount(owner, points[:, i] * weight, len(centres)) / total for i in range(3)], 1
        )
    shown = (centres / [1, 1.5, 1.5]).astype(np.float32)
    return np.clip(cv2.cvtColor(shown[None], cv2.COLOR_Lab2RGB)[0], 0, 1)
