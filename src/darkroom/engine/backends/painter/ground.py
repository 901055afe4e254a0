"""The shape of the land: mountains, dunes and fields as functions of place, in kilometres."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import msgspec
import numpy as np

from darkroom.engine.backends.painter import noise
from darkroom.engine.backends.painter.noise import FloatArray, Numbers

# From (x, z, pixel size there) to the height and its slopes along x and z.
Surface = Callable[[Numbers, Numbers, Numbers], tuple[FloatArray, FloatArray, FloatArray]]

_TURN_COS, _TURN_SIN = np.float32(0.8), np.float32(0.6)


class Range(msgspec.Struct, frozen=True):
    """A mountain range: `rise` km, where it begins and is whole (km ahead), how sharp."""

    rise: float
    begins: float
    whole: float
    sharpness: float  # 0 rounded hills … 1 knife ridges
    basin: float  # the depth of the lake bed in front, km; 0 without a lake
    offset: tuple[float, float]
    bank: float  # the side on which the near shore lies: 1 right, -1 left
    valley: float  # how far the range opens in the middle, 0..1
    octaves: int = 10


def step(low: float, high: float, value: Numbers) -> FloatArray:
    """Returns 0 below low, 1 above high, smooth between."""
    t = np.clip((value - np.float32(low)) / np.float32(high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float32)


# A view is chosen from many that share their noise.
@lru_cache(maxsize=2)
def gradient_tile(seed: int, cells: int = 8, size: int = 512) -> FloatArray:
    """Returns (size, size, 4): seamless noise of deviation 1, its slopes per tile, and nothing."""
    tile = noise.bands((size, size), seed, (cells, cells))
    padded = np.pad(tile, 1, mode="wrap")
    slope_x = (padded[1:-1, 2:] - padded[1:-1, :-2]) * np.float32(size / 2)
    slope_z = (padded[2:, 1:-1] - padded[:-2, 1:-1]) * np.float32(size / 2)
    return np.ascontiguousarray(np.stack([tile, slope_x, slope_z, np.zeros_like(tile)], 2))


def mountains(kind: Range, seed: int) -> Surface:
    """Returns a range with eroded flanks: each octave is damped where the land is already steep.

    After Inigo Quilez, "More noise" (derivative-damped fractal sums), with ridged first octaves.
    """
    tile = gradient_tile(seed + 101)
    broad = noise.bands((256, 256), seed + 102, (6, 6))
    span = np.float32(30.0)

    def surface(x: Numbers, z: Numbers, foot: Numbers) -> tuple[FloatArray, FloatArray, FloatArray]:
        u, v = (x + np.float32(kind.offset[0])) / span, (z + np.float32(kind.offset[1])) / span
        total, slope_x, slope_z = (np.zeros(x.shape, np.float32) for _ in range(3))
        cos, sin, scale, amount = np.float32(1), np.float32(0), np.float32(1), np.float32(1)
        for octave in range(kind.octaves):
            wave = noise.sample(
                tile, (u * cos - v * sin) * scale + octave * 0.37, (u * sin + v * cos) * scale
            )
            parts: list[Numbers] = [np.asarray(one) for one in cv2.split(wave)]
            n, gu, gv, _ = parts
            if octave < 4:
                ridge = np.float32(kind.sharpness * (1.0, 0.95, 0.8, 0.5)[octave])
                fold = 1.0 - ridge - ridge * np.sign(n)
                n = n * (1.0 - ridge) + ridge * (0.9 - np.abs(n) * 1.3)
                gu, gv = gu * fold, gv * fold
            keep = np.clip(1.7 - foot * (scale * np.float32(1.2 * 8) / span), 0.0, 1.0)
            damp = (
                amount * keep / (1.0 + np.float32(0.75) * (slope_x * slope_x + slope_z * slope_z))
            )
            total += damp * n
            rate = damp * scale / span
            slope_x += rate * (gu * cos + gv * sin)
            slope_z += rate * (gv * cos - gu * sin)
            cos, sin = cos * _TURN_COS - sin * _TURN_SIN, sin * _TURN_COS + cos * _TURN_SIN
            scale, amount = scale * np.float32(2.07), amount * np.float32(0.5)
        wander = noise.sample(broad, u * 1.7, v * 1.7)
        rise = step(kind.begins, kind.whole, z + wander * 0.5)
        open_ = 1.0 - np.float32(kind.valley) * np.exp(
            -(((x - 0.3 * wander) / (0.35 * z + 0.3)) ** 2)
        )
        foot_hills = 0.035 if kind.basin else 0.055
        mass = np.float32(kind.rise) * (foot_hills + (1.0 - foot_hills) * rise * open_)
        height = mass * (0.55 * total + 0.62)
        if kind.basin:
            shore = step(
                0.0,
                1.0,
                (z + 0.35 * wander - np.float32(kind.begins * 0.55))
                / np.float32(kind.begins * 0.6),
            )
            inland = np.float32(kind.bank) * x - 0.6 * (z - 0.10) + 0.02 * total
            near = 1.0 - step(0.22, 0.55, z + 0.45 * (1.0 - step(-0.03, 0.09, inland)))
            bed = np.float32(kind.basin) * (1.0 - shore)
            # The bank climbs from the bed to the water's level, then gently to the foothills.
            gentle = shore + (1.0 - shore) * np.clip(2.0 * near - 1.0, 0.0, 1.0)
            height = np.maximum(height, 0.25 * mass) * (0.25 + 0.75 * shore) * gentle
            height = height - bed * np.clip(1.0 - 2.0 * near, 0.0, 1.0)
        return height, slope_x * mass * np.float32(0.55), slope_z * mass * np.float32(0.55)

    return surface


def _numeric(height: Callable[[Numbers, Numbers, Numbers], FloatArray]) -> Surface:
    def surface(x: Numbers, z: Numbers, foot: Numbers) -> tuple[FloatArray, FloatArray, FloatArray]:
        reach = np.asarray(np.maximum(foot, 0.0004), np.float32)
        here = height(x, z, foot)
        return (
            here,
            np.asarray((height(x + reach, z, foot) - here) / reach, np.float32),
            np.asarray((height(x, z + reach, foot) - here) / reach, np.float32),
        )

    return surface


def dunes(seed: int, spot: int = 0) -> Surface:
    """Returns dunes: gentle to windward, a sharp crest, a steep lee, ripples; `spot` moves on."""
    warp = np.ascontiguousarray(gradient_tile(seed + 111)[..., 0])
    rng = np.random.default_rng(seed + 112)
    # Crests run away from the eye, their lee side from the light, which stands right for odd seeds.
    turn = float(rng.uniform(0.75, 1.05)) * (1.0 if seed % 2 else -1.0)
    offset = rng.uniform(0, 40, (spot + 1, 2)).astype(np.float32)[spot]

    def ridge(phase: Numbers, sharp: Numbers) -> FloatArray:
        t = phase - np.floor(phase)
        windward = np.clip(t / 0.72, 0.0, 1.0)
        lee = np.clip((1.0 - t) / 0.28, 0.0, 1.0)
        rise = windward**1.6 * (1.25 - 0.25 * windward)
        lee = lee * (1.15 - 0.15 * lee)
        return np.asarray(
            np.minimum(rise, lee) - np.exp(-np.abs(rise - lee) * sharp) / sharp, np.float32
        )

    def height(x: Numbers, z: Numbers, foot: Numbers) -> FloatArray:
        x, z = x + offset[0], z + offset[1]
        c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        a, b = x * c + z * s, z * c - x * s
        bend = noise.sample(warp, a / 9.0, b / 9.0)
        fine = noise.sample(warp, a / 3.1 + 0.4, b / 3.1)
        sharp = 1.0 / (0.012 + 0.02 * (z - offset[1]))
        big = ridge(b / 1.5 + 0.42 * bend + 0.09 * fine + a * np.float32(0.22), sharp)
        small = ridge(b / 0.34 + a / 0.8 + 0.5 * fine + 0.6 * bend, sharp)
        mass = np.clip(0.75 + 0.5 * noise.sample(warp, a / 14.0 + 0.7, b / 14.0), 0.2, 1.7)
        total = mass * (0.24 * big + 0.016 * small * (1.0 - 0.7 * big)) + 0.03 * bend
        for size, tall in ((0.0021, 0.000026), (0.0007, 0.000008)):
            ripple = np.sin((z + 0.3 * x + 0.02 * fine + 0.05 * bend) * np.float32(6.2832 / size))
            total += (
                np.float32(tall) * ripple * np.clip(1.4 - foot * np.float32(4.0 / size), 0.0, 1.0)
            )
        return np.asarray(total, np.float32)

    return _numeric(height)


def fields(seed: int) -> Surface:
    """Returns rolling farmland about 60 m high with far hills."""
    tile = noise.bands((512, 512), seed + 121, (8, 8))
    offset = np.random.default_rng(seed + 122).uniform(0, 40, 2).astype(np.float32)

    def height(x: Numbers, z: Numbers, foot: Numbers) -> FloatArray:
        u, v = (x + offset[0]), (z + offset[1])
        total = 0.030 * noise.layered(tile, u / 16.0, v / 16.0, 3) * step(0.1, 2.0, z)
        total += (
            0.20
            * step(3.0, 9.0, z)
            * (0.5 + 0.5 * noise.layered(tile, u / 26.0 + 0.3, v / 26.0, 5))
        )
        return np.asarray(total, np.float32)

    return _numeric(height)
