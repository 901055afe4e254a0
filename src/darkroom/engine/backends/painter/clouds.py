"""Clouds in true perspective: a marched layer with its own shadows, and high thin cirrus."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from darkroom.engine.backends.painter import noise
from darkroom.engine.backends.painter.noise import FloatArray, Numbers

_STEPS = 16
# How wide the rows are in which places are gathered that lie anywhere: OpenCV takes no long ones.
_ROW = 256
_SEEN_MIN = 1e-3
_Thickness = Callable[[Numbers, Numbers, Numbers, Numbers, bool], FloatArray]


class Layer(msgspec.Struct, frozen=True):
    """How much cloud there is and how it is lit; altitudes are 1 at the layer's base."""

    cover: float  # 0 none … 1 closed
    depth: float  # the layer's thickness
    size: float  # tiles per unit of altitude: small is large clouds
    sun: tuple[float, float, float]  # towards the light, any length
    lit: FloatArray  # (3,) scene light
    shade: FloatArray
    density: float = 9.0
    drift: tuple[float, float] = (0.0, 0.0)  # how far the wind has carried it, right and ahead


def cumulus(
    layer: Layer, right: FloatArray, up: FloatArray, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Returns light (h, w, 3) and how much of the sky shows through (h, w) for rays (right, up).

    Marches the layer from below; each sample looks twice towards the sun.
    """
    shape = (up.shape[0], right.shape[1])
    slope = np.maximum(np.broadcast_to(up, shape), 0.012)
    across = np.broadcast_to(right, shape)
    thickness = _thickness(layer, seed)
    foot = np.float32(0.0008 * layer.size * 512) / (slope * slope)
    jitter = np.random.default_rng(seed + 2).random(shape, dtype=np.float32)
    through = np.ones(shape, np.float32)
    glow = np.zeros(shape, np.float32)
    slant = np.float32(layer.density * 0.5 / _STEPS) * (1.0 + 0.8 * np.minimum(1.0 / slope, 4.0))
    for step in range(_STEPS):
        rise = (step + jitter) / np.float32(_STEPS)
        z = (1.0 + np.float32(layer.depth) * rise) / slope
        x = across * z
        body = np.clip(thickness(x, z, rise, foot, True), 0.0, 1.4)
        opacity = 1.0 - cv2.exp(-body * slant)
        adds = through * opacity
        # Only where there is cloud, and none thick before it, is it seen how much sun it gets.
        places = np.flatnonzero(adds > _SEEN_MIN)
        if places.size:
            sunlit = _sunlit(layer, thickness, (x, z, rise, foot), places)
            glow.ravel()[places] += adds.ravel()[places] * sunlit
        through *= 1.0 - opacity
    # The jitter's grain goes, the cloud's edge stays.
    share = cv2.GaussianBlur(glow, (0, 0), 1.7) / cv2.GaussianBlur(1.0001 - through, (0, 0), 1.7)
    through = np.asarray(cv2.GaussianBlur(through, (0, 0), 0.8), np.float32)
    light = layer.shade + (layer.lit - layer.shade) * share[..., None]
    light = light * (1.0 - through)[..., None]
    return np.asarray(light, np.float32), through


def _sunlit(
    layer: Layer, thickness: _Thickness, sky: tuple[Numbers, ...], places: NDArray[np.int64]
) -> FloatArray:
    """Returns how much of the sun (n,) comes through to places (n,) of a sky's x, z, rise and foot
    (h, w)."""
    rows = np.resize(places, (-(-places.size // _ROW), _ROW))
    x, z, rise, foot = (one.ravel()[rows] for one in sky)
    sx, sy, sz = layer.sun
    reach = np.float32(layer.depth * 0.55 / max((sx * sx + sz * sz) ** 0.5, 0.2))
    shadow = np.zeros(x.shape, np.float32)
    for far, weight in ((0.35, 0.8), (1.0, 1.1)):
        lifted = rise + np.float32(sy * far * reach / layer.depth)
        away = thickness(
            x + np.float32(sx * far) * reach,
            z + np.float32(sz * far) * reach,
            lifted,
            foot,
            far < 0.5,
        )
        inside = (lifted > -0.05) & (lifted < 1.05)
        shadow += np.float32(weight) * np.clip(away, 0.0, 1.0) * inside
    sunlit = 0.72 * cv2.exp(-2.6 * shadow) + 0.28 * cv2.exp(-0.7 * shadow)
    return np.asarray(sunlit.ravel()[: places.size], np.float32)


def _thickness(layer: Layer, seed: int) -> _Thickness:
    """Returns the function of place that tells how thick the cloud is there; above 0 is cloud.

    It also takes how large a pixel is there, in texels: what is finer fades.
    """
    coarse, lumps = _tiles(seed)
    offset = np.float32((layer.cover - 0.5) * 3.4)
    # As it drifts, a cloud's lumps well up through it: it changes shape.
    roll = np.float32(0.3 * layer.size * (abs(layer.drift[0]) + abs(layer.drift[1])))

    def thickness(x: Numbers, z: Numbers, rise: Numbers, foot: Numbers, fine: bool) -> FloatArray:
        u = (x - np.float32(layer.drift[0])) * np.float32(layer.size)
        v = (z - np.float32(layer.drift[1])) * np.float32(layer.size)
        lift = np.float32(0.16 * layer.depth) * rise
        n = noise.sample(coarse, u + lift * 0.3, v) * np.float32(0.85) + offset
        keep = np.clip(1.6 - 0.5 * foot, 0.0, 1.0)
        for part in _kept(keep):
            turned = lift[part] + roll
            lumpy = noise.sample(lumps, u[part] * 1.6 + turned, v[part] * 1.6 - turned * 0.7)
            n[part] += lumpy * keep[part] * np.float32(0.5)
        keep = np.clip(1.6 - 1.6 * foot, 0.0, 1.0)
        for part in _kept(keep) if fine else ():
            raised = lift[part]
            edged = noise.sample(lumps, u[part] * 6.3 - raised * 4.0, v[part] * 6.3 + raised * 3.0)
            n[part] += edged * keep[part] * np.float32(0.24)
        return np.asarray(
            n - 1.7 * rise * rise - 0.3 * cv2.exp(rise * np.float32(-9.0)), np.float32
        )

    return thickness


def _kept(keep: Numbers) -> Sequence[slice]:
    """Returns the rows where detail is not too far off to be seen: one run of them, or none."""
    rows = np.flatnonzero(keep.any(axis=1))
    return [slice(int(rows[0]), int(rows[-1]) + 1)] if rows.size else []


# A film paints the same clouds every second or two.
@functools.lru_cache(maxsize=1)
def _tiles(seed: int) -> tuple[FloatArray, FloatArray]:
    """Returns the noise of clouds: how they lie, and their lumps."""
    coarse = sum(
        (
            0.55**octave * noise.bands((512, 512), seed + octave, (8 << octave, 8 << octave))
            for octave in range(3)
        ),
        np.zeros((512, 512), np.float32),
    )
    lumps = np.zeros((1024, 1024), np.float32)
    for octave in range(5):
        lumps += 0.6**octave * (
            0.8
            - np.abs(noise.bands((1024, 1024), seed + 40 + octave, (16 << octave, 16 << octave)))
        )
    return coarse, lumps


def cirrus(
    right: FloatArray,
    up: FloatArray,
    seed: int,
    cover: float,
    drift: tuple[float, float] = (0.0, 0.0),
) -> FloatArray:
    """Returns the opacity 0..1 (h, w) of high streaked cloud for rays (right, up)."""
    tile = noise.bands((512, 512), seed + 11, (8, 8))
    shape = (up.shape[0], right.shape[1])
    slope = np.maximum(np.broadcast_to(up, shape), 0.02) + np.float32(0.03)
    z = 1.0 / slope - np.float32(drift[1])
    x = np.broadcast_to(right, shape) / slope - np.float32(drift[0])
    turn = np.random.default_rng(seed + 12).uniform(-0.7, 0.7)
    c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    u, v = (x * c + z * s) * np.float32(0.045), (z * c - x * s) * np.float32(0.045)
    foot = np.minimum(0.0001 / slope / slope, 3.0).astype(np.float32)
    bend = noise.layered(tile, u * 0.6, v * 0.6, 3, foot)
    streaks = noise.layered(tile, u * 0.5 + bend * 0.012, v * 2.6 + bend * 0.05, 6, foot, 0.6)
    patches = noise.layered(tile, u * 0.55 + 0.4, v * 0.55 + 0.2, 3, foot)
    density = np.clip(0.5 * streaks + 0.75 * patches + np.float32(2.2 * (cover - 0.55)), 0.0, 1.6)
    return 1.0 - np.exp(-1.1 * density * density)
