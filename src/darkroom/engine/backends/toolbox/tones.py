"""Tones and colours of frames, fast enough for each frame: curves, glow, flat parts, lines.

Everything works on uint8 planes of luma and colour difference (YCrCb, BT.601 as OpenCV has it).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.footage import FloatArray

Plane = npt.NDArray[np.uint8]
Planes = tuple[Plane, Plane, Plane]
Curve = npt.NDArray[np.uint8]
_LEVELS = np.arange(256, dtype=np.float32)


def planes(pixels: Pixels) -> Planes:
    """Luma, red difference and blue difference of RGB, each uint8 (height, width)."""
    luma, red, blue = cv2.split(cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb))
    return np.asarray(luma, np.uint8), np.asarray(red, np.uint8), np.asarray(blue, np.uint8)


def joined(luma: Plane, red: Plane, blue: Plane) -> Pixels:
    """RGB uint8 of the three planes."""
    whole = cv2.merge([luma, red, blue])
    return np.asarray(cv2.cvtColor(whole, cv2.COLOR_YCrCb2RGB), np.uint8)


def unit(pixels: npt.NDArray[np.uint8]) -> float:
    """How large a thing of one pixel at 1280 x 720 is in this frame, in pixels."""
    return float(np.sqrt(pixels.shape[0] * pixels.shape[1]) / 960)


def curve(inputs: Sequence[float], outputs: Sequence[float]) -> Curve:
    """A table of 256 levels through points (0 to 1), smooth between them.

    A monotone cubic through the points (Fritsch and Carlson, 1980), so that no tones turn over.
    """
    x, y = np.asarray(inputs, float), np.asarray(outputs, float)
    step, slope = np.diff(x), np.diff(y) / np.diff(x)
    inner = np.where(slope[:-1] * slope[1:] > 0, 2 / (1 / slope[:-1] + 1 / slope[1:]), 0.0)
    tangent = np.concatenate([slope[:1], inner, slope[-1:]])
    at = _LEVELS / 255
    k = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(step) - 1)
    t = (at - x[k]) / step[k]
    cubic = (
        (1 + 2 * t) * (1 - t) ** 2 * y[k]
        + t * (1 - t) ** 2 * step[k] * tangent[k]
        + t * t * (3 - 2 * t) * y[k + 1]
        + t * t * (t - 1) * step[k] * tangent[k + 1]
    )
    return np.asarray(np.clip(cubic * 255 + 0.5, 0, 255), np.uint8)


def steps(count: int, softness: float) -> Curve:
    """A table that gathers tones about `count` levels; `softness` 0 (hard) to 1 (hardly at all).

    After Winnemöller et al., "Real-time video abstraction", 2006.
    """
    at = _LEVELS / 255 * count
    nearest = np.floor(at) + 0.5
    sharp = 1 + 9 * (1 - softness)
    bent = nearest + 0.5 * np.tanh((at - nearest) * sharp) / np.tanh(sharp / 2)
    return np.asarray(np.clip(bent / count * 255 + 0.5, 0, 255), np.uint8)


def vivid(plane: Plane, amount: float) -> Plane:
    """A plane of colour difference, stronger by `amount`; what is strong already gains less."""
    away = _LEVELS - 128
    gained = 1 + (amount - 1) * np.exp(-((np.abs(away) / 70) ** 2))
    table = np.clip(128 + away * gained + 0.5, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(plane, table), np.uint8)


def tinted(plane: Plane, luma: Plane, shadows: float, lights: float) -> Plane:
    """A plane of colour difference shifted by so many levels in the shadows and in the lights."""
    at = _LEVELS / 255
    table = 128 + shadows * (1 - at) ** 2 + lights * at**2
    shift = cv2.LUT(luma, np.clip(table + 0.5, 0, 255).astype(np.uint8))
    return np.asarray(cv2.addWeighted(plane, 1.0, shift, 1.0, -128.0), np.uint8)


def halved(plane: Plane, factor: int = 2) -> Plane:
    """The plane at a half, or another part, of its size."""
    height, width = plane.shape
    size = (max(1, width // factor), max(1, height // factor))
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.uint8)


def grown(plane: Plane, like: Plane) -> Plane:
    """The plane in the size of another one."""
    size = like.shape[::-1]
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def blurred(plane: Plane, sigma: float) -> Plane:
    """The plane under a wide Gaussian blur, by way of a small copy."""
    factor = max(1, int(sigma / 2))
    small = halved(plane, factor) if factor > 1 else plane
    soft = np.asarray(cv2.GaussianBlur(small, (0, 0), sigma / factor), np.uint8)
    return grown(soft, plane) if factor > 1 else soft


def flat(plane: Plane, contrast: float, times: int) -> Plane:
    """The plane with differences below `contrast` levels smoothed away, borders kept.

    A bilateral filter (Tomasi and Manduchi, 1998), again and again.
    """
    for _ in range(times):
        plane = np.asarray(cv2.bilateralFilter(plane, 5, contrast, 3.0), np.uint8)
    return plane


def glow(luma: Plane, sigma: float, above: float, amount: float) -> Plane:
    """How much light spills from what is brighter than `above` (0 to 1), uint8 to be added."""
    table = np.clip((_LEVELS / 255 - above) / (1 - above), 0, 1) * 255 * amount
    return blurred(np.asarray(cv2.LUT(luma, table.astype(np.uint8)), np.uint8), sigma)


def lit(luma: Plane, light: Plane) -> Plane:
    """The luma with light on top, which what is bright already takes less of."""
    more = cv2.multiply(cv2.bitwise_not(luma), light, scale=1 / 255)
    return np.asarray(cv2.add(luma, more), np.uint8)


def lines(luma: Plane, width: float, faint: float) -> FloatArray:
    """Where a pen would draw: 1 is paper, 0 is ink, float32 (height, width).

    Extended differences of Gaussians (Winnemöller et al., 2012) for lines about `width` pixels
    wide; differences below `faint` levels draw nothing.
    """
    tone = luma.astype(np.float32)
    near = cv2.GaussianBlur(tone, (0, 0), max(0.6, width * 0.7))
    wide = cv2.GaussianBlur(tone, (0, 0), max(1.0, width * 1.3))
    ink = (wide - near - np.float32(faint)) * np.float32(1 / (1.3 * faint))
    return np.asarray(1 - np.clip(ink, 0, 1), np.float32)


def inked(luma: Plane, pen: FloatArray, depth: float) -> Plane:
    """The luma with lines drawn in it; `depth` is how dark they are, 0 to 1."""
    share = np.float32(1 - depth) + np.float32(depth) * pen
    return np.asarray(cv2.multiply(luma, share, dtype=cv2.CV_8U), np.uint8)
