"""Abstract pictures made of shapes: Bauhaus tiles, a Kandinsky-like orbit, ribbons in a current."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.engine.backends.painter.abstract_harmony import Harmony, by_lightness
from darkroom.engine.backends.painter.mottle import FloatArray, mottle

Size = tuple[int, int]
_BITS = 4  # sub-pixel bits of OpenCV's drawing calls


def tiles(size: Size, harmony: Harmony, rng: np.random.Generator) -> FloatArray:
    """Fill a grid of large and small squares with arcs, discs, leaves and stripes."""
    height, width = size
    rows = max(1, round(min(5.0, height / min(size) * 3)))
    cell = height / rows if height <= width else width / max(1, round(3.0))
    rows, columns = max(1, round(height / cell)), max(1, round(width / cell))
    canvas = np.empty((*size, 3), np.float32)
    canvas[:] = harmony.ground
    edge_x = np.linspace(0, width, columns + 1)
    edge_y = np.linspace(0, height, rows + 1)
    for row in range(rows):
        for column in range(columns):
            box = (edge_x[column], edge_y[row], edge_x[column + 1], edge_y[row + 1])
            if rng.random() < 0.3:
                for part in _quarters(box):
                    _tile(canvas, part, harmony, rng)
            else:
                _tile(canvas, box, harmony, rng)
    return canvas


def orbit(size: Size, harmony: Harmony, rng: np.random.Generator) -> FloatArray:
    """Balance rings, discs, wedges and fine lines around an off-centre heart."""
    height, width = size
    unit = float(np.sqrt(width * height)) * 0.5
    canvas = np.empty((*size, 3), np.float32)
    canvas[:] = harmony.ground
    heart = np.array([width * rng.uniform(0.34, 0.66), height * rng.uniform(0.36, 0.6)])
    ordered = harmony.colours[rng.permutation(len(harmony.colours))]
    lines = by_lightness(np.concatenate([harmony.ground[None], harmony.colours]))
    stroke = lines[-1] if harmony.dark else lines[0]
    _wash(canvas, heart, unit * 1.1, ordered[1], 0.28)
    for _ in range(5):
        _wedge(canvas, heart, unit, ordered[rng.integers(len(ordered))], rng)
    for k, radius in enumerate(np.sort(rng.uniform(0.1, 0.62, 5))[::-1]):
        spot = heart + rng.normal(0, 0.03, 2) * unit
        _disc(canvas, spot, radius * unit, ordered[k % len(ordered)], 0.88)
    _disc(canvas, heart, 0.07 * unit, stroke, 1.0)
    for _ in range(int(rng.integers(7, 12))):
        spot = rng.uniform(0.04, 0.96, 2) * (width, height)
        radius = unit * float(rng.choice([0.03, 0.05, 0.09, 0.15]))
        colour = ordered[rng.integers(len(ordered))]
        _wash(canvas, spot, radius * 1.9, colour, 0.35)
        _disc(canvas, spot, radius, colour, 0.9)
        if rng.random() < 0.6:
            _ring(canvas, spot, radius * rng.uniform(1.2, 1.6), unit * 0.006, stroke)
    for k in range(int(rng.integers(2, 5))):
        _ring(canvas, heart, unit * (0.72 + 0.05 * k), unit * (0.004 if k else 0.012), stroke)
    angle = rng.uniform(0, np.pi)
    for k in range(int(rng.integers(6, 10))):
        turned = angle + (rng.normal(0, 0.05) if k % 3 else np.pi / 2)
        start = rng.uniform(-0.05, 1.05, 2) * (width, height)
        reach = unit * rng.uniform(0.4, 2.4) * np.array([np.cos(turned), np.sin(turned)])
        _line(
            canvas, start - reach / 2, start + reach / 2, unit * rng.choice([0.004, 0.01]), stroke
        )
    _chequer(canvas, rng.uniform(0.15, 0.8, 2) * (width, height), unit * 0.05, angle, stroke)
    return np.clip(canvas, 0, 1)


def ribbons(size: Size, harmony: Harmony, rng: np.random.Generator) -> FloatArray:
    """Lay ribbons along a current without letting them touch (after Hobbs's Fidenza)."""
    height, width = size
    longest = max(size)
    coarse = min(1.0, 960 / longest)
    shape = (max(8, int(height * coarse)), max(8, int(width * coarse)))
    angle = _current(shape, rng)
    canvas = np.empty((*size, 3), np.float32)
    canvas[:] = harmony.ground
    taken = np.zeros(shape, np.uint8)
    share = rng.dirichlet(np.linspace(3, 0.8, len(harmony.colours)))
    for width_share, many, steps in ((0.03, 240, 90), (0.016, 500, 70), (0.007, 1100, 46)):
        thick = width_share * float(np.sqrt(shape[0] * shape[1]))
        paths = _trace(angle, many, steps, max(1.0, thick * 0.45), rng)
        tints = rng.choice(len(harmony.colours), many, p=share)
        for path, tint in zip(paths, tints, strict=True):
            free = _free(path, taken, thick)
            if free < 7:
                continue
            kept = path[:free]
            whole = np.round(kept * 16).astype(np.int32)
            cv2.polylines(taken, [whole], False, 255, max(1, round(thick * 1.34)), shift=_BITS)
            _ribbon(canvas, kept / coarse, thick / coarse, harmony.colours[tint], rng)
    return np.clip(canvas, 0, 1)


def _current(shape: Size, rng: np.random.Generator) -> FloatArray:
    field = mottle(shape, int(rng.integers(1 << 30)), rng.uniform(1.0, 1.9), 2)
    return (field * rng.uniform(5, 9) + rng.uniform(0, 6)).astype(np.float32)


def _trace(
    angle: FloatArray, many: int, steps: int, stride: float, rng: np.random.Generator
) -> FloatArray:
    """Follow the current from many random places at once: (many, steps, 2) as x, y."""
    height, width = angle.shape
    at = rng.uniform(-0.04, 1.04, (many, 2)) * (width, height)
    path = np.empty((many, steps, 2), np.float32)
    for k in range(steps):
        path[:, k] = at
        column = at[:, 0].astype(np.int32).clip(0, width - 1)
        row = at[:, 1].astype(np.int32).clip(0, height - 1)
        turned = angle[row, column]
        at = at + np.stack([np.cos(turned), np.sin(turned)], 1) * stride
    return path


def _free(path: FloatArray, taken: NDArray[np.uint8], thick: float) -> int:
    """How many of a path's points come before the first that another ribbon holds."""
    height, width = taken.shape
    step = np.diff(path, axis=0, append=path[-1:] * 2 - path[-2:-1])
    side = np.stack([-step[:, 1], step[:, 0]], 1)
    side *= thick * 0.62 / (np.hypot(side[:, 0], side[:, 1])[:, None] + 1e-6)
    held = np.zeros(len(path), bool)
    for probe in (path, path + side, path - side):
        column = probe[:, 0].astype(np.int32)
        row = probe[:, 1].astype(np.int32)
        within = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        held |= within & (taken[row.clip(0, height - 1), column.clip(0, width - 1)] > 0)
    return int(held.argmax()) if held.any() else len(path)


def _ribbon(
    canvas: FloatArray, path: FloatArray, thick: float, colour: FloatArray, rng: np.random.Generator
) -> None:
    step = np.gradient(path, axis=0)
    side = np.stack([-step[:, 1], step[:, 0]], 1)
    side *= thick / 2 / (np.hypot(side[:, 0], side[:, 1])[:, None] + 1e-6)
    tone = colour * rng.uniform(0.94, 1.05)
    parts = min(int(rng.integers(3, 9)), len(path) // 2) if rng.random() < 0.18 else 1
    for k, piece in enumerate(np.array_split(np.arange(len(path)), parts)):
        keep = np.append(piece, min(piece[-1] + 1, len(path) - 1))
        outline = np.concatenate([(path + side)[keep], (path - side)[keep][::-1]])
        shade = np.clip(tone * (1 - 0.14 * (k % 2)), 0, 1)
        _polygon(canvas, outline, shade)


def _tile(
    canvas: FloatArray,
    box: tuple[float, float, float, float],
    harmony: Harmony,
    rng: np.random.Generator,
) -> None:
    """Paint one square: a ground and one figure, in two or three colours that differ."""
    left, top, right, bottom = (round(v) for v in box)
    pool = np.concatenate([harmony.ground[None], harmony.ground[None], harmony.colours])
    ground = pool[rng.integers(len(pool))]
    others = [c for c in pool if np.abs(c - ground).sum() > 0.35]
    first, second = (others[rng.integers(len(others))] for _ in range(2))
    part = canvas[top:bottom, left:right]
    part[:] = ground
    size = np.array([right - left, bottom - top], np.float32)
    side = float(size.min())
    corner = np.array([rng.integers(2), rng.integers(2)]) * size
    figure = int(rng.integers(8))
    if figure == 0:
        _disc(part, corner, side, first, 1.0)
        _disc(part, corner, side * 0.5, second, 1.0)
    elif figure == 1:
        for k in range(4):
            _disc(part, corner, side * (1 - 0.25 * k), first if k % 2 == 0 else ground, 1.0)
    elif figure == 2:
        _disc(part, size / 2, side * 0.38, first, 1.0)
    elif figure == 3:
        _disc(part, size * (0.5, float(rng.integers(2))), side * 0.5, first, 1.0)
        _disc(part, size * (0.5, 0.5), side * 0.14, second, 1.0)
    elif figure == 4:
        _leaf(part, size, first, bool(rng.integers(2)))
    elif figure == 5:
        turn = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]])
        start = int(rng.integers(4))
        _polygon(part, np.roll(turn, start, 0)[:3], first)
    elif figure == 6:
        for k in range(0, 6, 2):
            _polygon(part, _bar(size, k / 6, (k + 1) / 6, bool(rng.integers(1, 2))), first)
    else:
        _disc(part, size / 2, side * 0.5, first, 1.0)
        _polygon(part, np.array([[0, 0], [size[0], 0], size * (1, 0.5), size * (0, 0.5)]), second)


def _leaf(part: FloatArray, size: FloatArray, colour: FloatArray, mirrored: bool) -> None:
    turn = np.linspace(0, np.pi / 2, 40)
    arc = np.stack([np.sin(turn), 1 - np.cos(turn)], 1)
    shape = np.concatenate([arc, (1 - arc)[:]]) * size
    if mirrored:
        shape[:, 0] = size[0] - shape[:, 0]
    _polygon(part, shape, colour)


def _bar(size: FloatArray, start: float, end: float, upright: bool) -> FloatArray:
    box = np.array([[start, 0], [end, 0], [end, 1], [start, 1]], np.float32)
    return (box if upright else box[:, ::-1]) * size


def _quarters(box: tuple[float, float, float, float]) -> list[tuple[float, float, float, float]]:
    left, top, right, bottom = box
    x, y = (left + right) / 2, (top + bottom) / 2
    return [(left, top, x, y), (x, top, right, y), (left, y, x, bottom), (x, y, right, bottom)]


def _polygon(canvas: FloatArray, outline: FloatArray, colour: FloatArray) -> None:
    whole = np.round(np.asarray(outline) * 16 - 8).astype(np.int32)
    shade = tuple(float(v) for v in colour)
    cv2.fillPoly(canvas, [whole], shade, lineType=cv2.LINE_8, shift=_BITS)


def _disc(
    canvas: FloatArray, spot: FloatArray, radius: float, colour: FloatArray, cover: float
) -> None:
    """Blend an antialiased disc, found by its distance, into the box it covers."""
    _stamp(canvas, spot, radius + 1, colour, lambda far: np.clip(radius - far + 0.5, 0, 1) * cover)


def _ring(
    canvas: FloatArray, spot: FloatArray, radius: float, thick: float, colour: FloatArray
) -> None:
    half = max(thick, 1.0) / 2
    _stamp(
        canvas,
        spot,
        radius + half + 1,
        colour,
        lambda far: np.clip(half - np.abs(far - radius) + 0.5, 0, 1),
    )


def _wash(
    canvas: FloatArray, spot: FloatArray, radius: float, colour: FloatArray, cover: float
) -> None:
    _stamp(canvas, spot, radius, colour, lambda far: np.clip(1 - far / radius, 0, 1) ** 1.6 * cover)


def _stamp(
    canvas: FloatArray,
    spot: FloatArray,
    reach: float,
    colour: FloatArray,
    cover: Callable[[FloatArray], FloatArray],
) -> None:
    """Blend a colour in around a spot, as much as `cover` says at each distance in pixels."""
    height, width = canvas.shape[:2]
    left, right = max(0, int(spot[0] - reach)), min(width, int(spot[0] + reach) + 2)
    top, bottom = max(0, int(spot[1] - reach)), min(height, int(spot[1] + reach) + 2)
    if left >= right or top >= bottom:
        return
    x = np.arange(left, right, dtype=np.float32) + 0.5 - float(spot[0])
    y = np.arange(top, bottom, dtype=np.float32)[:, None] + 0.5 - float(spot[1])
    mask = cover(np.sqrt(x * x + y * y))[..., None].astype(np.float32)
    part = canvas[top:bottom, left:right]
    part += (colour - part) * mask


def _line(
    canvas: FloatArray, start: FloatArray, end: FloatArray, thick: float, colour: FloatArray
) -> None:
    along = end - start
    side = np.array([-along[1], along[0]]) / (np.hypot(*along) + 1e-6) * max(thick, 1.0) / 2
    _polygon(canvas, np.stack([start + side, end + side, end - side, start - side]), colour)


def _wedge(
    canvas: FloatArray,
    heart: FloatArray,
    unit: float,
    colour: FloatArray,
    rng: np.random.Generator,
) -> None:
    angle, spread = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.22)
    reach = unit * rng.uniform(0.8, 1.9)
    tips = [heart + reach * np.array([np.cos(a), np.sin(a)]) for a in (angle, angle + spread)]
    layer = canvas.copy()
    _polygon(layer, np.stack([heart, *tips]), colour)
    canvas += (layer - canvas) * 0.62


def _chequer(
    canvas: FloatArray, spot: FloatArray, side: float, angle: float, colour: FloatArray
) -> None:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * side
    for row in range(4):
        for column in range(4):
            if (row + column) % 2 == 0:
                _polygon(canvas, (square + np.array([column, row]) * side) @ turn.T + spot, colour)
