"""Flower heads: each species built petal by petal, shaded along and across, with the shadow each
petal throws."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import msgspec
import numpy as np
from msgspec.structs import replace

from darkroom.engine.backends.painter.mottle import FloatArray

Colour = tuple[float, float, float]


class Petal(msgspec.Struct, frozen=True):
    """One petal's form: length and width in head radii, where it is widest (0..1), how pointed,
    frilled, ribbed."""

    length: float
    width: float
    widest: float
    pointed: float
    frill: float
    ribs: float


class Head(msgspec.Struct):
    """A head being built: RGB 0..1 and cover 0..1, square."""

    rgb: FloatArray
    cover: FloatArray


def head(species: str, colour: Colour, rng: np.random.Generator, side: int) -> FloatArray:
    """Returns a flower head seen from the front or side: (side, side, 4) RGB with cover, 0..1."""
    blank = Head(np.zeros((side, side, 3), np.float32), np.zeros((side, side), np.float32))
    _SPECIES[species](blank, np.array(colour, np.float32), rng)
    return np.dstack([np.clip(blank.rgb, 0, 1), blank.cover])


def _petal(
    made: Head,
    angle: float,
    start: float,
    form: Petal,
    colours: tuple[FloatArray, FloatArray],
    shade: float,
) -> None:
    """Lay one petal over the head, pointing along `angle` from `start` radii off the middle."""
    half = len(made.cover) / 2
    middle = start + form.length / 2
    reach = 0.52 * form.length + form.width + 0.08
    left, top = (
        int(np.clip((1 + middle * f(angle) - reach) * half, 0, len(made.cover) - 2))
        for f in (np.cos, np.sin)
    )
    right, low = (
        int(np.clip((1 + middle * f(angle) + reach) * half, 2, len(made.cover)))
        for f in (np.cos, np.sin)
    )
    part = np.s_[top:low, left:right]
    x = (np.arange(left, right, dtype=np.float32) + 0.5 - half) / np.float32(half)
    y = ((np.arange(top, low, dtype=np.float32) + 0.5 - half) / np.float32(half))[:, None]
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    u = (x * cos + y * sin - start) / form.length
    v = (y * cos - x * sin) / form.width
    inside = np.clip(u, 0, 1)
    power = np.log(0.5) / np.log(form.widest)
    profile = np.sin(np.pi * inside**power) ** form.pointed
    wave = 1 + form.frill * np.sin(inside * 17 + angle * 9) * inside
    edge = (profile * wave - np.abs(v)) * form.width * half
    edge = np.minimum(edge, np.minimum(u, 1.02 - u) * form.length * half + 1)
    cover = np.clip(edge + 0.5, 0, 1)
    cast = cv2.GaussianBlur(cover, (0, 0), len(made.cover) * 0.014)
    made.rgb[part] *= (1 - 0.42 * np.clip(cast, 0, 1) * (1 - cover))[..., None]
    base, tip = colours
    body = base + (tip - base) * (inside**0.8)[..., None]
    across = v / np.maximum(profile, 0.1)
    light = 0.80 + 0.26 * inside - 0.16 * across * np.sign(cos + 0.3) - 0.10 * across * across
    light += form.ribs * np.cos(across * 13) * (1 - np.abs(across)).clip(0) * (0.4 + 0.6 * inside)
    light -= 0.20 * np.exp(-inside * 7) + 0.10 * np.exp(-np.maximum(edge, 0) / 2.2)
    paint = body * (light * shade)[..., None]
    made.rgb[part] += (paint - made.rgb[part]) * cover[..., None]
    made.cover[part] = np.maximum(made.cover[part], cover)


def _ring(
    made: Head,
    count: int,
    start: float,
    form: Petal,
    colours: tuple[FloatArray, FloatArray],
    rng: np.random.Generator,
) -> None:
    """Lay a ring of petals, each a little unlike the next, in random order."""
    offset = rng.uniform(0, 2 * np.pi)
    for k in rng.permutation(count):
        angle = offset + 2 * np.pi * k / count + rng.normal(0, 0.07)
        scale = rng.uniform(0.9, 1.05)
        grown = replace(form, length=form.length * scale, width=form.width * rng.uniform(0.9, 1.1))
        light = 0.90 + 0.14 * np.sin(-angle) + rng.normal(0, 0.03)
        _petal(made, float(angle), start, grown, colours, float(light))


def _heart(
    made: Head, radius: float, inner: Colour, outer: Colour, seeds: int, rng: np.random.Generator
) -> None:
    """Fill the middle with florets on a sunflower spiral (Vogel, 1979)."""
    half = len(made.cover) / 2
    y, x = np.mgrid[0 : len(made.cover), 0 : len(made.cover)].astype(np.float32)
    far = np.hypot(x - half, y - half) / half / radius
    cover = np.clip((1 - far) * radius * half + 0.5, 0, 1)
    cast = np.clip((1.25 - far) * 4, 0, 1) * (1 - cover)
    made.rgb *= (1 - 0.35 * cast)[..., None]
    ground = (
        np.array(outer, np.float32) * 0.55
        + (np.array(inner, np.float32) * 0.5 - np.array(outer, np.float32) * 0.55)
        * (1 - far.clip(0, 1))[..., None]
    )
    made.rgb += (ground - made.rgb) * cover[..., None]
    made.cover[:] = np.maximum(made.cover, cover)
    k = np.arange(seeds)
    r = radius * np.sqrt((k + 0.5) / seeds) * 0.98
    a = k * 2.399963
    size = max(1.0, radius * half / np.sqrt(seeds) * 0.92)
    inner_colour, outer_colour = np.array(inner), np.array(outer)
    for radius_k, angle in zip(r[::-1], a[::-1], strict=True):
        at = (half + half * radius_k * np.cos(angle), half + half * radius_k * np.sin(angle))
        tone = inner_colour + (outer_colour - inner_colour) * (radius_k / radius)
        tone = tone * (0.85 - 0.25 * np.sin(angle) * radius_k / radius + rng.normal(0, 0.05))
        spot = (round(at[0] * 16), round(at[1] * 16))
        cv2.circle(
            made.rgb, spot, round(size * 16), tuple(float(v) for v in tone * 0.6), -1, shift=4
        )
        spot = (spot[0] - round(size * 4), spot[1] - round(size * 5))
        cv2.circle(
            made.rgb, spot, round(size * 9), tuple(float(v) for v in tone * 1.12), -1, shift=4
        )


def _daisy(made: Head, colour: FloatArray, rng: np.random.Generator) -> None:
    form = Petal(0.76, 0.098, 0.66, 0.55, 0.0, 0.07)
    base = colour * np.float32(0.82) + np.array([0.04, 0.05, 0.0], np.float32)
    _ring(made, 17, 0.18, form, (base * 0.86, colour * 0.9), rng)
    _ring(made, 16, 0.16, Petal(0.72, 0.095, 0.66, 0.55, 0, 0.07), (base, colour), rng)
    _heart(made, 0.245, (0.98, 0.74, 0.10), (0.92, 0.56, 0.06), 190, rng)


def _sunflower(made: Head, colour: FloatArray, rng: np.random.Generator) -> None:
    deep = colour * np.array([0.94, 0.66, 0.5], np.float32)
    _ring(
        made,
        19,
        0.34,
        Petal(0.62, 0.105, 0.42, 0.85, 0, 0.08),
        (deep * 0.8, colour * 0.88),
        rng,
    )
    _ring(made, 18, 0.33, Petal(0.55, 0.105, 0.42, 0.85, 0, 0.08), (deep, colour), rng)
    _heart(made, 0.42, (0.30, 0.20, 0.08), (0.34, 0.17, 0.06), 330, rng)


def _poppy(made: Head, colour: FloatArray, rng: np.random.Generator) -> None:
    dark = colour * np.array([0.28, 0.20, 0.25], np.float32)
    for count, length, width in ((3, 0.95, 0.60), (3, 0.84, 0.54)):
        _ring(
            made,
            count,
            0.0,
            Petal(length, width, 0.64, 0.42, 0.05, 0.035),
            (colour * 0.62, colour),
            rng,
        )
    for k in range(5):
        _petal(
            made, 0.6 + k * 1.257, 0.0, Petal(0.26, 0.11, 0.6, 0.7, 0, 0), (dark, dark * 1.2), 1.0
        )
    _heart(made, 0.13, (0.45, 0.52, 0.24), (0.30, 0.36, 0.18), 22, rng)
    half = len(made.cover) / 2
    for _ in range(44):
        angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.17, 0.27)
        spot = (
            round((half + half * far * np.cos(angle)) * 16),
            round((half + half * far * np.sin(angle)) * 16),
        )
        cv2.circle(made.rgb, spot, round(0.13 * len(made.cover)), (0.10, 0.07, 0.10), -1, shift=4)


def _cosmos(made: Head, colour: FloatArray, rng: np.random.Generator) -> None:
    base = colour * np.array([0.80, 0.55, 0.72], np.float32)
    _ring(made, 8, 0.08, Petal(0.86, 0.285, 0.74, 0.40, 0.03, 0.045), (base, colour), rng)
    _heart(made, 0.17, (0.96, 0.72, 0.14), (0.90, 0.58, 0.08), 90, rng)


def _blossom(made: Head, colour: FloatArray, rng: np.random.Generator) -> None:
    deep = colour * np.array([0.92, 0.52, 0.66], np.float32)
    _ring(made, 5, 0.03, Petal(0.88, 0.42, 0.66, 0.45, 0.02, 0.03), (deep, colour), rng)
    half = len(made.cover) / 2
    for _ in range(26):
        angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.12, 0.34)
        tip = (half + half * far * np.cos(angle), half + half * far * np.sin(angle))
        ends = [(round(half * 16), round(half * 16)), (round(tip[0] * 16), round(tip[1] * 16))]
        cv2.line(made.rgb, ends[0], ends[1], (0.93, 0.60, 0.70), 1, shift=4)
        cv2.circle(
            made.rgb, ends[1], round(0.18 * len(made.cover)), (0.98, 0.82, 0.40), -1, shift=4
        )


def _rose(made: Head, colour: FloatArray, rng: np.random.Generator) -> None:
    turn = rng.uniform(0, 6.28)
    for k in range(34):
        part = k / 33
        angle = turn + k * 2.399963
        start = 0.32 * (1 - part) - 0.20 * part
        length = 0.66 * (1 - part) + 0.40 * part
        form = Petal(length, 0.50 * (1 - part) ** 0.7 + 0.13, 0.70, 0.36, 0.015, 0.012)
        depth = np.float32(0.94 - 0.34 * part)
        light = 0.96 + 0.12 * np.sin(-angle) + rng.normal(0, 0.02)
        _petal(
            made,
            float(angle),
            float(start),
            form,
            (colour * depth * 0.50, colour * (depth + 0.10)),
            float(light),
        )


def _tulip(made: Head, colour: FloatArray, rng: np.random.Generator) -> None:
    glow = np.clip(colour * 1.05 + 0.05, 0, 1)
    warm = colour * np.array([0.92, 0.72, 0.6], np.float32)
    up = -np.pi / 2
    behind = ((-0.20, 0.30, 0.60), (0.20, 0.30, 0.56), (0.0, 0.30, 0.66))
    before = ((-0.34, 0.33, 0.92), (0.35, 0.33, 0.80), (0.03, 0.38, 1.06))
    for lean, width, light in (*behind, *before):
        form = Petal(1.62 - abs(lean) * 0.3, width, 0.42, 0.78, 0, 0.05)
        made_at = up + lean * 0.9 + rng.normal(0, 0.02)
        _petal(made, float(made_at), -0.80, form, (warm, glow), light)


def _lavender(made: Head, colour: FloatArray, rng: np.random.Generator) -> None:
    half = len(made.cover) / 2
    cv2.line(
        made.rgb,
        (round(half), len(made.cover) - 1),
        (round(half), round(half * 0.3)),
        (0.34, 0.42, 0.24),
        4,
    )
    cv2.line(
        made.cover, (round(half), len(made.cover) - 1), (round(half), round(half * 0.3)), 1.0, 4
    )
    for level in np.linspace(0.92, 0.03, 15):
        reach = 0.10 + 0.17 * np.sin(np.pi * np.clip(level * 0.86 + 0.1, 0, 1)) ** 0.8
        for k in rng.permutation(7):
            lean = (k - 3) / 3
            x, y = half + lean * reach * half * 0.9, len(made.cover) * (0.05 + 0.84 * level)
            size = len(made.cover) * 0.036 * rng.uniform(0.8, 1.2)
            tone = colour * np.float32(0.72 + 0.34 * rng.random() - 0.16 * lean)
            shape = ((float(x), float(y)), (float(size * 1.1), float(size * 2.1)), float(lean * 52))
            cv2.ellipse(made.rgb, shape, tuple(float(v) for v in tone), -1)
            cv2.ellipse(made.cover, shape, 1.0, -1)
            tip = (
                (float(x - 1), float(y - size * 0.7)),
                (float(size * 0.55), float(size * 0.8)),
                0.0,
            )
            cv2.ellipse(made.rgb, tip, tuple(float(v) for v in np.clip(tone * 1.35, 0, 1)), -1)


_SPECIES: Mapping[str, Callable[[Head, FloatArray, np.random.Generator], None]] = {
    "daisy": _daisy,
    "sunflower": _sunflower,
    "poppy": _poppy,
    "cosmos": _cosmos,
    "sakura": _blossom,
    "rose": _rose,
    "tulip": _tulip,
    "lavender": _lavender,
}
