"""An old photo without its scratches and dust, its fading and its grain."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.damage import damage
from darkroom.engine.backends.toolbox.steps import Progress

_REACH = 4.0  # pixels around a mark that its filling is made from
_STRIP = 256
_DENOISED_PIXELS_MAX = 1_600_000
_GAIN_MAX = 2.6  # of contrast
_GRAIN_MIN = 2.2  # standard deviation of grey levels; finer grain is left
# Of 255: a faded picture has lost its black, the white of one channel at least, and its span.
_DEPTH_MIN, _WHITE_MAX, _SPAN_MAX = 50, 220, 190


class Repaired(msgspec.Struct, frozen=True):
    """A repaired photo, RGB uint8, and what was done: the share of damaged pixels, the grain in
    grey levels, and whether its fading was undone."""

    pixels: Pixels
    damaged: float
    grain: float
    faded: bool


def repair(picture: Pixels, progress: Progress) -> Repaired:
    """Returns RGB uint8 (h, w, 3) repaired; each step does nothing where there is no such harm."""
    grain = grain_of(picture)
    harm = damage(picture, aged=grain > _GRAIN_MIN or _is_faded(picture))
    progress(0.2)
    share = float(harm.mean())
    whole = picture
    if share > 0:
        mask = harm.astype(np.uint8)
        whole = np.asarray(cv2.inpaint(picture, mask, _REACH, cv2.INPAINT_TELEA), np.uint8)
    progress(0.4)
    smooth = _without_grain(whole, grain) if grain > _GRAIN_MIN else whole
    progress(0.85)
    lively, faded = _unfaded(smooth)
    if grain > _GRAIN_MIN or faded:
        lively = _sharpened(lively)
    return Repaired(lively, share, grain, faded)


def grain_of(picture: Pixels) -> float:
    """Returns the standard deviation of a picture's noise in grey levels.

    Immerkær, "Fast Noise Variance Estimation", 1996, over the calmest part of the picture.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    strength = np.abs(cv2.filter2D(grey, cv2.CV_32F, kernel))
    local = cv2.blur(strength, (15, 15))[::4, ::4]
    return float(np.percentile(local, 25) * np.sqrt(np.pi / 2) / 6)


def _without_grain(picture: Pixels, grain: float) -> Pixels:
    """Non-local means (Buades et al., 2005) as strong as the grain is, colour more than light.

    Of a large picture only the coarse half is done so; of the finest detail what does not stand
    out of the grain is taken down (Wiener's rule).
    """
    height, width = picture.shape[:2]
    if height * width > _DENOISED_PIXELS_MAX:
        half = max(8, width // 2), max(8, height // 2)
        coarse = cv2.resize(picture, half, interpolation=cv2.INTER_AREA)
        calm = _without_grain(np.asarray(coarse, np.uint8), grain / 2)
        result = np.empty_like(picture)
        blurred = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
        clean = cv2.resize(calm, (width, height), interpolation=cv2.INTER_LINEAR)
        for top in range(0, height, _STRIP):
            part = slice(top, top + _STRIP)
            fine = picture[part].astype(np.float32) - blurred[part]
            power = cv2.blur(fine * fine, (5, 5))
            kept = np.maximum(power - (1.1 * grain) ** 2, 0) / np.maximum(power, 1e-3)
            result[part] = np.clip(clean[part] + fine * kept + 0.5, 0, 255)
        return result
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2Lab)
    light = cv2.fastNlMeansDenoising(lab[..., 0], None, min(14.0, 0.95 * grain), 5, 15)
    colour = cv2.GaussianBlur(lab[..., 1:], (0, 0), float(np.clip(0.3 * grain, 0.5, 2.5)))
    return np.asarray(cv2.cvtColor(np.dstack([light, colour]), cv2.COLOR_Lab2RGB), np.uint8)


def _unfaded(picture: Pixels) -> tuple[Pixels, bool]:
    """A faded picture with its full range of light again, its tint mostly gone, its colours
    stronger; and whether it was faded."""
    if not _is_faded(picture):
        return picture, False
    thin = _thinned(picture)
    light = cv2.cvtColor(thin, cv2.COLOR_RGB2GRAY)
    low, high = (float(one) for one in np.percentile(light, (0.5, 99.5)))
    level = np.arange(256, dtype=np.float32)
    table = np.empty((256, 3), np.float32)
    for channel in range(3):
        dark, bright = (float(one) for one in np.percentile(thin[..., channel], (0.5, 99.5)))
        dark, bright = 0.65 * dark + 0.35 * low, 0.65 * bright + 0.35 * high
        gain = min(_GAIN_MAX, 240 / max(8.0, bright - dark))
        table[:, channel] = 126 + (level - (dark + bright) / 2) * gain
    full = cv2.LUT(picture, np.clip(table + 0.5, 0, 255).astype(np.uint8)[None])
    lab = cv2.cvtColor(full, cv2.COLOR_RGB2Lab)
    local = cv2.createCLAHE(1.6, (6, 6)).apply(lab[..., 0])
    lab[..., 0] = cv2.addWeighted(lab[..., 0], 0.6, local, 0.4, 0)
    strong = lab[..., 1:].astype(np.float32)
    # Twelve is the mean distance from grey that ordinary photos have.
    dull = float(np.abs(strong - 128).mean())
    if dull > 1.5:
        strong = 128 + (strong - 128) * float(np.clip(12 / dull, 1.0, 1.35))
        lab[..., 1:] = np.clip(strong + 0.5, 0, 255)
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB), np.uint8), True


def _is_faded(picture: Pixels) -> bool:
    """Whether no channel is really dark, one never bright, and all together span little."""
    low, high = np.percentile(_thinned(picture).reshape(-1, 3), (0.5, 99.5), axis=0)
    lost = low.min() > _DEPTH_MIN and high.min() < _WHITE_MAX
    return bool(lost and high.max() - low.min() < _SPAN_MAX)


def _thinned(picture: Pixels) -> Pixels:
    """Every so many pixels of the picture: enough to know its colours."""
    step = max(1, max(picture.shape[:2]) // 400)
    return np.ascontiguousarray(picture[::step, ::step])


def _sharpened(picture: Pixels) -> Pixels:
    """A light unsharp mask."""
    soft = cv2.GaussianBlur(picture, (0, 0), 1.2)
    return np.asarray(cv2.addWeighted(picture, 1.35, soft, -0.35, 0), np.uint8)
