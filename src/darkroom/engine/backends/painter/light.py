"""Light: between what is seen (display RGB 0..1) and what adds up (scene light); the grade."""

from __future__ import annotations

import functools

import cv2
import numpy as np

from darkroom.engine.backends.painter.noise import FloatArray
from darkroom.engine.backends.painter.scene import Scene
from darkroom.engine.backends.painter.view import Part

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


def decoded(display: FloatArray) -> FloatArray:
    """Returns linear RGB of sRGB values 0..1 (IEC 61966-2-1)."""
    bent = ((display + 0.055) / 1.055) ** 2.4
    return np.asarray(np.where(display <= 0.04045, display / 12.92, bent), np.float32)


def encoded(linear: FloatArray) -> FloatArray:
    """Returns sRGB values of linear RGB 0..1 (IEC 61966-2-1)."""
    bent = 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    return np.asarray(np.where(linear <= 0.0031308, 12.92 * linear, bent), np.float32)


def to_scene(display: FloatArray) -> FloatArray:
    """Returns the scene light that `to_display` shows as these colours (any shape, 0..1)."""
    linear = decoded(np.clip(np.asarray(display, np.float32), 0.0, 1.0))
    return np.asarray(-np.log1p(-np.minimum(linear, 0.985)), np.float32)


_CURVE_MAX = 6.0
_CURVE_X = np.linspace(0.0, _CURVE_MAX**0.5, 4096, dtype=np.float32)
# Twice below each other: OpenCV is slow at a picture's edge, and of one row all is edge.
_CURVE = np.stack([encoded(-np.expm1(-(_CURVE_X**2)))] * 2)


def to_display(light: FloatArray) -> FloatArray:
    """Returns display RGB 0..1 of scene light (H, W, 3): an exponential film curve, then sRGB."""
    flat = np.ascontiguousarray(light.reshape(light.shape[0], -1), np.float32)
    place = np.asarray(cv2.sqrt(np.clip(flat, 0.0, _CURVE_MAX)), np.float32)
    place *= np.float32(4095 / _CURVE_MAX**0.5)
    shown = cv2.remap(_CURVE, place, np.zeros_like(place), cv2.INTER_LINEAR)
    return np.asarray(shown, np.float32).reshape(light.shape)


def grade(rgb: FloatArray, scene: Scene, part: Part | None = None) -> FloatArray:
    """Returns the picture (H, W, 3; 0..1) with the scene's contrast, colour, bloom and vignette.

    Called once by `compose.paint` after the subject is painted and before its style. A `part` of a
    picture gets the vignette of its place.
    """
    height, width = rgb.shape[:2]
    part = part or Part.whole(width, height)
    small = cv2.resize(rgb, (max(8, width // 8), max(8, height // 8)), interpolation=cv2.INTER_AREA)
    soft = max(1.0, max(8, part.size[0] // 8) * 0.02)
    halo = cv2.GaussianBlur(np.maximum(small - 0.72, 0.0), (0, 0), soft)
    out = cv2.resize(halo, (width, height), interpolation=cv2.INTER_LINEAR)
    out *= np.float32(0.55 if scene.mood == "dreamy" else 0.3)
    out *= 1.0 - rgb
    out += rgb
    contrast = {"dramatic": 0.34, "dark": 0.3, "dreamy": -0.12, "calm": 0.08}.get(scene.mood, 0.22)
    curve = out * out
    curve *= 3.0 - 2.0 * out
    curve -= out
    curve *= np.float32(contrast)
    out += curve
    saturation = np.float32(0.72 + 0.62 * scene.vividness)
    towards_grey = saturation * np.eye(3, dtype=np.float32) + (1 - saturation) * LUMA[None]
    out = np.asarray(cv2.transform(out, towards_grey), np.float32)
    depth = {"dark": 0.34, "dramatic": 0.24}.get(scene.mood, 0.13)
    fall = _vignette(part.size, depth, 0.8 if scene.mood == "dark" else 1.0)
    # One plane for each colour: numpy is slow where it repeats one along the last axis.
    out *= cv2.merge([fall[part.rows, part.columns]] * 3)
    return np.clip(out, 0.0, 1.0, out=out)


# A film grades hundreds of frames alike.
@functools.lru_cache(maxsize=1)
def _vignette(size: tuple[int, int], depth: float, gain: float) -> FloatArray:
    """Returns how much of the light is left (height, width): less towards a picture's corners."""
    across, down = (np.linspace(-1.0, 1.0, count, dtype=np.float32) for count in size)
    x, y = across[None, :], down[:, None]
    fall = 1.0 - np.float32(depth) * np.clip((x * x + y * y) * 0.5, 0.0, 1.0) ** 1.5
    return np.asarray(fall * np.float32(gain), np.float32)
