"""Abstract pictures made of fields: silk, ink in water, contour maps, paper layers, attractors."""

from __future__ import annotations

import math

import cv2
import numpy as np

from darkroom.engine.backends.painter.abstract_harmony import Harmony, by_lightness, ramp
from darkroom.engine.backends.painter.mottle import FloatArray, mottle

Size = tuple[int, int]


def silk(size: Size, harmony: Harmony, rng: np.random.Generator) -> FloatArray:
    """Fold a domain-warped field like cloth and light it from the upper left."""
    seed = int(rng.integers(1 << 30))
    x, y = _grid(size)
    warp = [mottle(size, seed + i, 2.2, 3) - 0.5 for i in range(2)]
    angle = rng.uniform(0, np.pi)
    along = x * math.cos(angle) + y * math.sin(angle)
    u = along * rng.uniform(0.7, 1.5) + 1.5 * warp[0] + 0.3 * np.sin(4 * warp[1] + 2 * along)
    v = warp[1] + 0.5 * np.sin(3.1 * u + 2 * warp[0])
    height = np.sin(u * 9 + 2.2 * np.sin(v * 3.1)) * 0.5 + np.sin(u * 19 + v * 8) * 0.14
    slope_x, slope_y = _slopes(height.astype(np.float32), size)
    up = 1 / np.sqrt(1 + (slope_x * slope_x + slope_y * slope_y) * 0.05)
    facing = np.clip((-0.5 * slope_x - 0.6 * slope_y) * 0.22 * up + 0.62 * up, 0, 1)
    field = _spread(0.55 * np.sin(u * 2.2 + v * 1.7) + 0.45 * height + 0.9 * warp[1])
    colours = by_lightness(harmony.colours)
    rgb = ramp(np.concatenate([harmony.ground[None], colours]) if harmony.dark else colours, field)
    sheen = np.clip(facing - 0.55, 0, 1) ** 2 * (2.2 if harmony.dark else 1.6)
    light = (0.32 + 0.86 * facing)[..., None]
    return np.clip(rgb * light + sheen[..., None] * (0.55 + 0.45 * rgb), 0, 1)


def ink(size: Size, harmony: Harmony, rng: np.random.Generator) -> FloatArray:
    """Let clouds of ink unfold in water: dye carried by curling currents, light absorbed by it."""
    height, width = size
    x, y = _grid(size)
    column = np.arange(width, dtype=np.float32)
    row = np.arange(height, dtype=np.float32)[:, None]
    longest = max(width, height)
    for step in range(6):
        cells = 1.7 * 1.7**step
        slope_x, slope_y = _slopes(mottle(size, int(rng.integers(1 << 30)), cells, 2), size)
        pull = 0.55 * longest / cells**1.85
        at_x, at_y = column + slope_y * pull, row - slope_x * pull
        x = cv2.remap(x, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        y = cv2.remap(y, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    colours = harmony.colours[rng.permutation(len(harmony.colours))]
    depth = np.zeros((*size, 3), np.float32)
    reach = np.array([width, height]) / longest
    for k, colour in enumerate(colours[:4]):
        spot = rng.uniform(-0.36, 0.36, 2) * reach
        radius = rng.uniform(0.1, 0.2) * float(np.sqrt(reach.min())) * (1.25 if k == 0 else 0.9)
        far = np.sqrt((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / radius
        shell = 0.55 + 0.45 * np.sin(far * 9 + rng.uniform(0, 6))
        density = np.exp(-(far**2) * 1.1) * (0.75 + 0.9 * shell) * rng.uniform(1.0, 1.6)
        pigment = 1.02 - colour if harmony.dark else -np.log(np.clip(colour, 0.04, 0.98))
        weight = colour if harmony.dark else pigment
        depth += density[..., None].astype(np.float32) * weight.astype(np.float32)
    if harmony.dark:
        return 1 - (1 - harmony.ground) * np.exp(-depth * 1.25)
    wash = 1 - 0.10 * _spread(mottle(size, int(rng.integers(1 << 30)), 1.5, 4))[..., None]
    return np.clip(harmony.ground * wash * np.exp(-depth * 0.9), 0, 1)


def contours(size: Size, harmony: Harmony, rng: np.random.Generator) -> FloatArray:
    """Draw an imagined map: tinted heights, soft shade, fine lines and a stronger fifth."""
    seed = int(rng.integers(1 << 30))
    base = mottle(size, seed, 2.4, 4)
    push = _slopes(mottle(size, seed + 1, 2.0, 2), size)
    field = _spread(_shift(base, push[0] * 0.035, push[1] * 0.035), 0.0)
    slope_x, slope_y = _slopes(field, size)
    bands = int(rng.integers(16, 24))
    level = field * bands
    step = np.floor(level) / bands
    tint = by_lightness(harmony.colours)
    stops = np.concatenate([harmony.ground[None], tint] if harmony.dark else [tint])
    rgb = ramp(stops, 0.75 * step + 0.25 * field)
    shade = np.clip(0.5 - 0.07 * (slope_x + slope_y), 0.15, 0.95)
    rgb *= (0.72 + 0.5 * shade)[..., None]
    steep = np.hypot(slope_x, slope_y) * bands / max(size) + 1e-6
    near = np.abs(level - np.round(level)) / steep
    strong = np.round(level) % 5 == 0
    thick = max(size) / 1920 * np.where(strong, 1.5, 0.65)
    line = np.clip(thick + 0.5 - near, 0, 1) * np.where(strong, 0.85, 0.5)
    stroke = by_lightness(np.concatenate([harmony.ground[None], harmony.colours]))
    colour = stroke[-1] if harmony.dark else stroke[0]
    return np.clip(rgb + (colour - rgb) * line[..., None].astype(np.float32), 0, 1)


def layers(size: Size, harmony: Harmony, rng: np.random.Generator) -> FloatArray:
    """Stack sheets of cut paper, each with the shadow it throws on the one below."""
    seed = int(rng.integers(1 << 30))
    x, y = _grid(size)
    count = int(rng.integers(7, 11))
    angle = float(rng.choice([np.pi / 2, np.pi / 2 + 0.35, 0.4, -np.pi / 2]))
    tilt = (x * math.cos(angle) + y * math.sin(angle)) * rng.uniform(0.5, 1.3)
    field = _spread(mottle(size, seed, 2.6, 2) * 1.5 + tilt, 0.0)
    ordered = by_lightness(harmony.colours)
    ordered = ordered if harmony.dark or rng.random() < 0.5 else ordered[::-1]
    unit = max(size) / 1920
    rgb = np.empty((*size, 3), np.float32)
    rgb[:] = ordered[0] * 0.92
    for k in range(count):
        wobble = mottle(size, seed + 7 + k, 3.0, 2) - 0.5
        over = field + 0.16 * wobble - (k + 0.6) / (count + 0.4)
        slope_x, slope_y = _slopes(over, size)
        edge = over / (np.hypot(slope_x, slope_y) / max(size) + 1e-6)
        mask = np.clip(edge + 0.5, 0, 1)
        far = 16 * unit
        move = np.array([[1, 0, -far * 0.55], [0, 1, far * 0.9]], np.float32)
        cast = cv2.warpAffine(mask, move, size[::-1], borderMode=cv2.BORDER_REPLICATE)
        cast = cv2.GaussianBlur(cast, (0, 0), max(0.6, 13 * unit))
        rgb *= (1 - 0.42 * cast * (1 - mask))[..., None]
        colour = ramp(ordered, np.full((1, 1), (k + 1) / count, np.float32))[0, 0]
        lift = 1 + 0.10 * np.clip(1 - edge / (90 * unit), 0, 1) - 0.06 * field
        rgb += (colour * lift[..., None] - rgb) * mask[..., None]
        rim = np.clip(1.4 * unit + 0.4 - np.abs(edge - 1.2 * unit), 0, 1) * 0.16
        rgb += rim[..., None]
    fibre = mottle(size, seed + 3, 220, 2) - 0.5
    return np.clip(rgb * (1 + 0.07 * fibre[..., None]), 0, 1)


def attractor(size: Size, harmony: Harmony, rng: np.random.Generator) -> FloatArray:
    """Trace a strange attractor (de Jong, Clifford) as a density of light, or of ink on paper."""
    height, width = size
    shape, seeds = _lively(rng)
    points, marks = _orbit(shape, seeds, 60_000, 60)
    low, high = np.quantile(points, [0.004, 0.996], axis=1)
    centre, span = (low + high) / 2, (high - low).max()
    if (width > height) != bool((high - low)[0] >= (high - low)[1]):
        points, centre = points[::-1], centre[::-1]
    extent = np.abs(points - centre[:, None]).max(1) * 2
    fit = min(width * 0.94 / extent[0], height * 0.94 / extent[1], max(size) / span)
    at = ((points - centre[:, None]) * fit + np.array([[width / 2], [height / 2]])).astype(np.int32)
    inside = (at[0] >= 0) & (at[0] < width) & (at[1] >= 0) & (at[1] < height)
    cells = at[1][inside] * width + at[0][inside]
    count = np.bincount(cells, minlength=width * height).reshape(size).astype(np.float32)
    mark = np.bincount(cells, marks[inside], width * height).reshape(size).astype(np.float32)
    seen, heard = (np.asarray(cv2.GaussianBlur(part, (0, 0), 0.8)) for part in (count, mark))
    tone = np.log1p(seen * 6 * (width * height / 2e6))
    tone = np.clip(tone / (np.quantile(tone, 0.997) + 1e-6), 0, 1.15)
    hue = _spread(cv2.blur(heard, (5, 5)) / (cv2.blur(seen, (5, 5)) + 1e-6))
    colour = ramp(by_lightness(harmony.colours)[1 if harmony.dark else 0 :], hue)
    far = np.hypot(*_grid(size)).astype(np.float32)[..., None]
    if not harmony.dark:
        paper = harmony.ground * (1.02 - 0.16 * far)
        cover = np.clip(tone * 1.05, 0, 1)[..., None] ** 0.85
        return np.clip(paper + (colour * 0.8 - paper) * cover, 0, 1)
    glow = cv2.GaussianBlur(tone, (0, 0), max(size) / 90)[..., None]
    back = harmony.ground * (1.25 - 0.9 * far) + colour * glow * 0.22
    light = colour * tone[..., None] ** 0.9 * 1.15 + (tone[..., None] ** 4) * 0.35
    return np.clip(1 - (1 - np.clip(back, 0, 1)) * (1 - np.clip(light, 0, 1)), 0, 1)


def _orbit(
    shape: FloatArray, start: FloatArray, many: int, steps: int
) -> tuple[FloatArray, FloatArray]:
    """Run many points through the map at once; returns (2, n) places and their speed, 0..1-ish."""
    a, b, c, d = shape
    x, y = np.resize(start[0], many), np.resize(start[1], many)
    x = (x + np.linspace(-0.1, 0.1, many)).astype(np.float32)
    places, marks = np.empty((2, steps, many), np.float32), np.empty((steps, many), np.float32)
    for i in range(-12, steps):
        next_x = np.sin(a * y) + c * np.cos(a * x)
        next_y = np.sin(b * x) + d * np.cos(b * y)
        if i >= 0:
            places[0, i], places[1, i] = next_x, next_y
            marks[i] = np.hypot(next_x - x, next_y - y)
        x, y = next_x, next_y
    return places.reshape(2, -1), marks.ravel()


def _lively(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Pick the parameters whose attractor fills space like lace: not a dot, not a fog."""
    best: FloatArray = np.array([-1.4, 1.6, 1.0, 0.7], np.float32)
    score = -1.0
    start = rng.uniform(-1, 1, (2, 64)).astype(np.float32)
    for _ in range(24):
        shape = rng.choice([-1, 1], 4) * rng.uniform([1.2, 1.2, 0.5, 0.5], [2.1, 2.1, 1.3, 1.3])
        shape = shape.astype(np.float32)
        points, _marks = _orbit(shape, start, 512, 40)
        bins = ((points + 2.5) / 5 * 63).astype(np.int32).clip(0, 63)
        count = np.bincount(bins[0] * 64 + bins[1], minlength=4096)
        filled = float((count > 0).mean())
        uneven = float(count[count > 0].std() / count[count > 0].mean())
        worth = filled * min(uneven, 2.0) if 0.1 < filled < 0.62 else 0.0
        if worth > score:
            best, score = shape, worth
    return best, start


def _grid(size: Size) -> tuple[FloatArray, FloatArray]:
    """Coordinates centred on 0 and measured in longer sides."""
    height, width = size
    longest = max(size)
    x = (np.arange(width, dtype=np.float32) - width / 2 + 0.5) / longest
    y = (np.arange(height, dtype=np.float32) - height / 2 + 0.5) / longest
    return np.ascontiguousarray(np.broadcast_to(x, size)), np.ascontiguousarray(
        np.broadcast_to(y[:, None], size)
    )


def _slopes(field: FloatArray, size: Size) -> tuple[FloatArray, FloatArray]:
    """Slopes of a field per longer side."""
    scale = max(size) / 8
    return (
        cv2.Sobel(field, cv2.CV_32F, 1, 0, ksize=3, scale=scale),
        cv2.Sobel(field, cv2.CV_32F, 0, 1, ksize=3, scale=scale),
    )


def _shift(field: FloatArray, by_x: FloatArray, by_y: FloatArray) -> FloatArray:
    """Look a field up at places moved by fractions of the longer side."""
    height, width = field.shape
    at_x = by_x * width + np.arange(width, dtype=np.float32)
    at_y = by_y * width + np.arange(height, dtype=np.float32)[:, None]
    return cv2.remap(field, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def _spread(field: FloatArray, tails: float = 0.01) -> FloatArray:
    """Stretch a field so that all but its tails lie in 0..1, and cut the tails off."""
    low, high = np.quantile(field[::4, ::4], [tails, 1 - tails])
    return np.clip((field - low) / (high - low + 1e-6), 0, 1).astype(np.float32)
