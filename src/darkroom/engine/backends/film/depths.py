"""How near the things in a given picture are, estimated: sky, ground, water and the subject."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from darkroom.engine.backends.painter.noise import FloatArray
from darkroom.engine.backends.pictures import Pixels

_WIDTH = 320  # the picture is looked at this small
Mask = npt.NDArray[np.bool_]


class Depths(msgspec.Struct, frozen=True):
    """What was found: `near` (H, W) 0..1, 0 for the sky; the horizon's row as a share of the
    height; `water` (h, w) 0..1 or None; whether there is a sky and whether a
    subject stands out."""

    near: FloatArray
    line: float
    water: FloatArray | None
    is_sky: bool
    has_subject: bool


def estimate(picture: Pixels) -> Depths:
    """Returns a guess at the depth of a picture, RGB uint8 (H, W, 3).

    A level ground seen by a standing eye, the sky far behind it, and what stands out (in colour,
    sharpness and place) upright on it; edges follow the picture's own by a guided filter (K. He,
    J. Sun, X. Tang, "Guided image filtering", 2010). A prior, not a measurement.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, _WIDTH / max(width, height))
    size = (max(32, round(width * scale)), max(32, round(height * scale)))
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    level = _level(small)
    sky = _sky(small, level)
    if sky.any() and not _is_plausible(small, sky):
        # A plain wall: who stands before it must not be cut off with it.
        sky = np.zeros_like(sky)
    line = _horizon(sky, level)
    subject = _subject(small, sky)
    lab = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), np.uint8)
    water = _water(lab, sky, subject, line)
    guide = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) / np.float32(255)).astype(np.float32)
    flat = bool(sky.any() or subject is not None)
    fine = guided(guide, _ground(size, line, 0.14 if flat else 0.34), radius=5, calm=2e-3)
    fine = np.asarray(np.clip(fine, 0.04, 1.0), np.float32)
    if sky.any():
        edge = guided(guide, sky.astype(np.float32), radius=4, calm=4e-4)
        fine[_from_top(edge > 0.5)] = 0.0
    if subject is not None:
        edge = guided(guide, subject.astype(np.float32), radius=3, calm=2e-4)
        fine[edge > 0.5] = _standing(subject, line)
    return Depths(fine, line, water, bool(sky.any()), subject is not None)


def guided(guide: FloatArray, coarse: FloatArray, radius: int, calm: float) -> FloatArray:
    """Returns a coarse map at the guide's size (H, W; 0..1), its edges drawn to the guide's."""
    size = (coarse.shape[1], coarse.shape[0])
    small = np.asarray(cv2.resize(guide, size, interpolation=cv2.INTER_AREA), np.float32)

    def mean(values: FloatArray) -> FloatArray:
        side = 2 * radius + 1
        return np.asarray(cv2.boxFilter(values, -1, (side, side)), np.float32)

    mean_g, mean_c = mean(small), mean(coarse)
    slope = (mean(small * coarse) - mean_g * mean_c) / (mean(small * small) - mean_g**2 + calm)
    offset = mean_c - slope * mean_g
    whole = (guide.shape[1], guide.shape[0])
    slope_l, offset_l = (
        cv2.resize(mean(np.asarray(one, np.float32)), whole, interpolation=cv2.INTER_LINEAR)
        for one in (slope, offset)
    )
    return np.asarray(slope_l * guide + offset_l, np.float32)


def _level(small: Pixels) -> float | None:
    """Returns the row, 0..1, of a level line that crosses nearly the whole picture; None if none
    stands out: a shore or the sea's edge."""
    height = small.shape[0]
    soft = cv2.GaussianBlur(small, (0, 0), 0.8).astype(np.float32)
    steps = np.abs(soft[2:] - soft[:-2]).max(axis=2)
    # A line that half the columns show, and that stands out of its neighbourhood.
    shown = np.median(steps, axis=1)
    inner = shown[int(0.2 * height) : int(0.85 * height)]
    best = int(inner.argmax())
    around = np.delete(inner, np.arange(max(0, best - 2), min(len(inner), best + 3)))
    if inner[best] < 14 or inner[best] < 3.0 * float(np.quantile(around, 0.9)):
        return None
    return float((best + int(0.2 * height) + 1.5) / height)


def _sky(small: Pixels, level: float | None) -> Mask:
    """Returns the sky: like what is smooth and hangs together from the top edge down.

    That part teaches GrabCut its colours, which then finds the rest, clouds too.
    """
    height, width = small.shape[:2]
    nothing = np.zeros((height, width), np.bool_)
    soft = cv2.GaussianBlur(small, (0, 0), 1.2).astype(np.float32)
    dx, dy = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    rough = np.sqrt((dx**2 + dy**2).max(axis=2))
    calm = cv2.morphologyEx((rough < 34).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3)))
    end = round((level or 0.8) * height)
    calm[end:] = 0
    count, label = cv2.connectedComponents(calm, connectivity=4)
    touching = np.bincount(label[: max(2, height // 60)].ravel(), minlength=count)
    touching[0] = 0
    seed = np.isin(label, np.flatnonzero(touching > 0.06 * width))
    if float(seed.mean()) < 0.05:
        return nothing
    # A smooth wall that reaches the floor is no sky.
    if level is None and float(np.mean(seed[end - 1])) > 0.25:
        return nothing
    mask = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    mask[: height // 2][rough[: height // 2] < 90] = cv2.GC_PR_FGD
    mask[seed] = cv2.GC_FGD
    mask[end:] = cv2.GC_BGD
    sky = _from_top(_cut_out(small, mask))
    return sky if 0.05 < float(sky.mean()) < 0.88 else nothing


def _cut_out(small: Pixels, mask: Pixels) -> Mask:
    cv2.setRNGSeed(7)
    models = (np.zeros((1, 65)), np.zeros((1, 65)))
    found = cv2.grabCut(small, mask, (0, 0, 1, 1), *models, 3, cv2.GC_INIT_WITH_MASK)[0]
    return np.asarray((found == cv2.GC_FGD) | (found == cv2.GC_PR_FGD), np.bool_)


def _from_top(mask: Mask) -> Mask:
    """Returns the part of a mask that goes on from the top edge, small gaps (birds) closed."""
    height = mask.shape[0]
    gap = np.cumsum(~mask, axis=0)
    return (
        np.asarray(gap <= max(2, height // 60), np.bool_)
        & (np.maximum.accumulate(mask[::-1], axis=0)[::-1])
    )


def _horizon(sky: Mask, level: float | None) -> float:
    """Returns the horizon's row, 0..1: a level line, or below most of the sky, or a usual place."""
    height = sky.shape[0]
    if level is not None and 0.25 < level < 0.8:
        return level
    if not sky.any():
        return 0.42
    ends = sky.sum(axis=0) / height
    return float(np.clip(np.quantile(ends, 0.8) + 0.02, 0.2, 0.85))


def _ground(size: tuple[int, int], line: float, far: float) -> FloatArray:
    """Returns 0..1 (h, w) of level ground below the horizon, of an upright wall, `far`, above."""
    rows = (np.arange(size[1], dtype=np.float32) + 0.5) / np.float32(size[1])
    down = np.clip((rows - line) / max(1.0 - line, 0.05), 0.0, 1.0)
    near = far + (1.0 - far) * down**0.8
    up = np.clip((line - rows) / max(line, 0.05), 0.0, 1.0)
    near = np.where(rows < line, far + 0.05 * up, near)
    return np.repeat(np.asarray(near, np.float32)[:, None], size[0], axis=1)


def _standing(subject: Mask, line: float) -> float:
    """Returns how near a subject is: as near as the ground that it stands on."""
    rows = np.flatnonzero(subject.any(axis=1))
    foot = (rows[-1] + 1) / subject.shape[0]
    down = float(np.clip((foot - line) / max(1.0 - line, 0.05), 0.0, 1.0))
    return float(np.clip(0.14 + 0.86 * down**0.8, 0.45, 0.95))


def _subject(small: Pixels, sky: Mask) -> Mask | None:
    """Returns what stands out near the middle, cut out by GrabCut; None where nothing does."""
    height, width = small.shape[:2]
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    border = max(2, min(height, width) // 16)
    frame = np.ones((height, width), np.bool_)
    frame[border:-border, border:-border] = False
    around = lab[frame]
    centre, spread = around.mean(axis=0), np.cov(around.T) + 40 * np.eye(3)
    off = lab - centre
    odd = np.sqrt(np.einsum("hwi,ij,hwj->hw", off, np.linalg.inv(spread), off))
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    sharp = cv2.GaussianBlur(np.abs(cv2.Laplacian(grey, cv2.CV_32F)), (0, 0), 5)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    middle = np.exp(-(x**2 / 0.5 + (y - 0.1) ** 2 / 0.7))
    stands = (odd / max(float(odd.mean()), 1e-3) + 0.7 * sharp / max(float(sharp.mean()), 1e-3)) * (
        middle * ~sky
    )
    likely = stands > np.quantile(stands, 0.86)
    if float(stands[likely].mean()) < 2.6 * float(stands.mean()) + 0.1:
        return None
    mask = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    mask[stands > np.quantile(stands, 0.72)] = cv2.GC_PR_FGD
    mask[stands > np.quantile(stands, 0.96)] = cv2.GC_FGD
    mask[frame & (y < 0.6)] = cv2.GC_BGD
    mask[sky] = cv2.GC_BGD
    if not (mask == cv2.GC_BGD).any() or not (mask == cv2.GC_FGD).any():
        return None
    return _whole(_cut_out(small, mask))


def _whole(found: Mask) -> Mask | None:
    """Returns the largest piece of a cut-out, its holes closed; None if too small or too large."""
    tidy = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    tidy = cv2.morphologyEx(tidy, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    count, label, stats, _ = cv2.connectedComponentsWithStats(tidy)
    if count < 2:
        return None
    best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    chosen = np.asarray(label == best, np.bool_)
    wide = stats[best, cv2.CC_STAT_WIDTH] / found.shape[1]
    if not 0.02 < float(chosen.mean()) < 0.5 or wide > 0.9:
        return None
    return chosen


def _is_plausible(small: Pixels, sky: Mask) -> bool:
    """Returns whether a smooth top can be a sky that moves: blue, bright and pale, or glowing."""
    red, green, blue = (float(v) for v in small[sky].astype(np.float32).mean(axis=0))
    bright = (red + green + blue) / 3
    is_blue = blue > red * 1.06 and blue >= green * 0.98 and bright > 28
    is_pale = bright > 140 and red - blue < 14 and green - blue < 14
    rows = np.flatnonzero(sky.any(axis=1))
    low = small[rows[len(rows) * 3 // 4 :]][sky[rows[len(rows) * 3 // 4 :]]].mean()
    top = small[rows[: len(rows) // 4 + 1]][sky[rows[: len(rows) // 4 + 1]]].mean()
    is_glowing = red > blue * 1.1 and low > top * 1.12 and bright > 70
    return bool(is_blue or is_pale or is_glowing)


def _water(lab: Pixels, sky: Mask, subject: Mask | None, line: float) -> FloatArray | None:
    """Returns where water may lie: below the horizon, coloured as the sky over it or blue."""
    height, width = sky.shape
    if not sky.any():
        return None
    below = np.zeros((height, width), np.bool_)
    below[min(height - 1, int(line * height) + 1) :] = True
    colour = lab.astype(np.float32)
    skies = colour[sky]
    tone = skies[:, 1:].mean(axis=0)
    like_sky = np.hypot(colour[..., 1] - tone[0], colour[..., 2] - tone[1]) < 13
    blue = (colour[..., 2] < 121) & (colour[..., 1] < 134)
    found = below & (blue | (like_sky & (colour[..., 2] < 124)))
    if subject is not None:
        found &= ~subject
    kernel = np.ones((5, 5), np.uint8)
    tidy = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    tidy = cv2.morphologyEx(tidy, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    _count, label, stats, _ = cv2.connectedComponentsWithStats(tidy)
    large = stats[:, cv2.CC_STAT_AREA] > 0.035 * height * width
    wide = stats[:, cv2.CC_STAT_WIDTH] > 0.35 * width
    keep = np.flatnonzero(large & wide)
    water = np.isin(label, keep[keep > 0])
    if not water.any():
        return None
    return np.asarray(cv2.GaussianBlur(water.astype(np.float32), (0, 0), 1.5), np.float32)
