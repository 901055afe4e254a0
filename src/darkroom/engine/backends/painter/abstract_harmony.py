"""Colour harmonies: a few colours that belong together, and smooth ramps through them in OKLab."""

from __future__ import annotations

import msgspec
import numpy as np

from darkroom.engine.backends.painter.mottle import FloatArray
from darkroom.engine.backends.painter.scene import Scene

_LIGHT = (
    "f4ead5 1f3b4d d9572b f0a830 6a9c89 8c2f39",
    "f7f1e3 22223b c9ada7 4a4e69 e07a5f f2cc8f",
    "efe6dd 12355b d72638 f49d37 3f88c5 140f2d",
    "faf3e0 264653 2a9d8f e9c46a f4a261 e76f51",
    "f3efe6 2d3142 ef8354 4f5d75 bfc0c0 f2c14e",
    "f6efe4 3d405b e07a5f 81b29a f2cc8f 9a5b53",
    "eef0ea 0b3c49 731963 f19a3e 88a09e 13505b",
    "f8f0e6 5b2333 f24333 ba1b1d f7b267 564d4a",
)
_DARK = (
    "0b1021 1b2a5c 4f5bd5 c05299 f58a6a ffe0a3",
    "0a0f14 12343b 1f7a8c 7fd1ae f2f0c9 e8a87c",
    "120a16 3a1238 8a1c5b e0475b ff9e5e ffe9b8",
    "07110d 12372a 3b7a57 9fc490 f3e9c6 d98b4a",
    "0d0b1e 2a1f5b 5f3dc4 2ec4d6 b8f2e6 ffd166",
    "11100e 3d2c1e 8f5b34 d9a05b f3dfb7 6fa3a0",
    "080c16 14304f 2f6690 81c3d7 f0f4ef e6a15c",
)
_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


class Harmony(msgspec.Struct, frozen=True):
    """Colours that belong together, RGB 0..1: the ground to paint on and (n, 3) colours on it."""

    ground: FloatArray
    colours: FloatArray
    dark: bool


def harmony(scene: Scene, rng: np.random.Generator) -> Harmony:
    """Choose the harmony of a scene: built from its palette, or a curated one by time and mood."""
    dark = _wants_dark(scene, rng)
    if scene.palette:
        colours = _around(np.array(scene.palette, np.float32)[:5], dark, rng)
    else:
        chosen = _DARK if dark else _LIGHT
        colours = np.array([_rgb(code) for code in chosen[rng.integers(len(chosen))].split()])
    lab = oklab(colours)
    lab[1:, 1:] *= 0.72 + 0.56 * scene.vividness
    colours = from_oklab(lab)
    return Harmony(colours[0], colours[1:], dark)


def oklab(rgb: FloatArray) -> FloatArray:
    """Turn (n, 3) sRGB colours into OKLab (Ottosson, https://bottosson.github.io/posts/oklab/)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.cbrt(linear @ _TO_LMS.T) @ _TO_LAB.T, np.float32)


def from_oklab(lab: FloatArray) -> FloatArray:
    """Turn (n, 3) OKLab colours into sRGB, clipped to 0..1."""
    linear = np.clip((lab @ np.linalg.inv(_TO_LAB).T) ** 3 @ np.linalg.inv(_TO_LMS).T, 0, 1)
    return np.where(
        linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055
    ).astype(np.float32)


def by_lightness(colours: FloatArray) -> FloatArray:
    """Sort (n, 3) colours from dark to light."""
    return colours[np.argsort(oklab(colours)[:, 0])]


def ramp(colours: FloatArray, field: FloatArray) -> FloatArray:
    """Colour a field of 0..1 through (n, 3) colours, mixed in OKLab: (height, width, 3)."""
    stops = np.linspace(0, 1, len(colours))
    at = np.linspace(0, 1, 1024)
    lab = oklab(colours)
    table = from_oklab(np.stack([np.interp(at, stops, lab[:, i]) for i in range(3)], 1))
    index = np.clip(field * 1023, 0, 1023).astype(np.int16)
    return np.asarray(table[index], np.float32)


def _wants_dark(scene: Scene, rng: np.random.Generator) -> bool:
    if scene.palette:
        first = float(oklab(np.array(scene.palette[:1], np.float32))[0, 0])
        if first < 0.3 or first > 0.9:
            return first < 0.3
    if scene.time in ("night", "dusk") or scene.mood in ("dark", "dramatic"):
        return True
    return bool(scene.mood not in ("joyful", "calm") and rng.random() < 0.45)


def _around(given: FloatArray, dark: bool, rng: np.random.Generator) -> FloatArray:
    """Complete a prompt's colours to a ground and five colours that carry their hues."""
    lab = oklab(given)
    base = lab[0]
    ground = np.array([0.16 if dark else 0.955, *(base[1:] * (0.25 if dark else 0.1))], np.float32)
    angle = rng.choice([0.45, -0.45, np.pi * 0.92])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    extra = [
        [0.30, *(base[1:] * 0.7)],
        [0.82, *(base[1:] * 0.55)],
        [0.66, *(turn @ lab[-1, 1:] * 0.8 + [0.01, 0.02])],
        [0.5, *(base[1:] * 0.95)],
    ]
    made = np.concatenate([ground[None], lab, np.array(extra[: max(1, 5 - len(lab))])])
    return from_oklab(made.astype(np.float32))


def _rgb(code: str) -> tuple[float, float, float]:
    return (int(code[0:2], 16) / 255, int(code[2:4], 16) / 255, int(code[4:6], 16) / 255)
