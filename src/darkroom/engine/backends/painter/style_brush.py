"""Painting with a brush: strokes laid coarse to fine along the forms, with bristles and thick
paint."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np

from darkroom.engine.backends.painter.mottle import FloatArray, mottle
from darkroom.engine.backends.painter.style_field import soft, tangents, tone, unit

_STROKES_MAX = 14_000
_OUTLINE = np.linspace(-1, 1, 7, dtype=np.float32)


class Brush(msgspec.Struct, frozen=True):
    """One layer: width in pixels at 1920×1080, length in widths, how far colours may stray.

    Strokes are laid where the canvas is `error` or more away from the picture.
    """

    width: float
    length: float
    error: float
    stray: float


OIL = (
    Brush(64, 4.0, 0.0, 0.030),
    Brush(34, 4.5, 0.012, 0.028),
    Brush(17, 5.0, 0.030, 0.024),
    Brush(8.5, 5.0, 0.045, 0.018),
    Brush(4.4, 5.0, 0.065, 0.012),
)
IMPRESSIONIST = (
    Brush(60, 3.0, 0.0, 0.05),
    Brush(32, 2.8, 0.0, 0.06),
    Brush(22, 2.6, 0.025, 0.055),
    Brush(13, 2.6, 0.06, 0.045),
    Brush(8, 2.6, 0.11, 0.03),
)


class _Strokes(msgspec.Struct, frozen=True):
    """Many strokes at once: centre, direction, half length, half width, bend, colour."""

    at: FloatArray
    along: FloatArray
    half_length: FloatArray
    half_width: FloatArray
    bend: FloatArray
    colour: FloatArray


def brushed(rgb: FloatArray, brushes: tuple[Brush, ...], seed: int, thick: float) -> FloatArray:
    """Returns the picture (height, width, 3) painted anew with these brushes, `thick` paint lit.

    Layering after Hertzmann, "Painterly Rendering with Curved Brush Strokes", 1998.
    """
    rng = np.random.default_rng(seed)
    size = (rgb.shape[0], rgb.shape[1])
    scale = unit(size)
    bristles = mottle((256, 1024), seed, 110, 2, 16.0)
    canvas = soft(rgb, 30 * scale) * 0.7 + 0.15
    height = np.zeros(size, np.float32)
    x, y = tangents(tone(rgb), max(1.5, 5 * scale), seed)
    for brush in brushes:
        width = max(1.6, brush.width * scale)
        seen = soft(rgb, width * 0.28) if width > 2.5 else rgb
        strokes = _placed(canvas, seen, (x, y), (width, brush), rng)
        if len(strokes.at):
            _lay(canvas, height, strokes, bristles)
    relief = cv2.GaussianBlur(height, (0, 0), max(0.5, 0.7 * scale))
    slope = cv2.Sobel(relief, cv2.CV_32F, 1, 0) * 0.6 + cv2.Sobel(relief, cv2.CV_32F, 0, 1) * 0.8
    light = np.clip(1 - thick * slope, 0.6, 1.5)
    shine = np.clip(light - 1.16, 0, 0.3) * 0.55
    return np.clip(canvas * light[..., None] + shine[..., None], 0, 1)


def _placed(
    canvas: FloatArray,
    seen: FloatArray,
    flow: tuple[FloatArray, FloatArray],
    kind: tuple[float, Brush],
    rng: np.random.Generator,
) -> _Strokes:
    """Choose where strokes are wanted, along which way and in which colour."""
    width, brush = kind
    height, breadth = seen.shape[:2]
    pitch = width * (0.95 if brush.error == 0 else 0.8)
    rows, columns = max(1, round(height / pitch)), max(1, round(breadth / pitch))
    # Signed differences are averaged: the paint's own texture is no error.
    cells = cv2.resize(canvas - seen, (columns, rows), interpolation=cv2.INTER_AREA)
    cells = np.abs(cells).reshape(rows, columns, 3).max(2)
    row, column = np.nonzero(cells >= brush.error)
    order = rng.permutation(len(row))[:_STROKES_MAX]
    at = np.stack([column[order], row[order]], 1) + rng.random((len(order), 2))
    at = (at * (breadth / columns, height / rows)).astype(np.float32)
    pixel_y = at[:, 1].astype(np.int32).clip(0, height - 1)
    pixel_x = at[:, 0].astype(np.int32).clip(0, breadth - 1)
    way = np.stack([flow[0][pixel_y, pixel_x], flow[1][pixel_y, pixel_x]], 1)
    turned = rng.normal(0, 0.16, len(order)).astype(np.float32)
    cos, sin = np.cos(turned), np.sin(turned)
    way = np.stack([way[:, 0] * cos - way[:, 1] * sin, way[:, 0] * sin + way[:, 1] * cos], 1)
    half = width * brush.length / 2 * rng.uniform(0.65, 1.2, len(order)).astype(np.float32)
    ahead = (at + way * half[:, None] * 0.8).astype(np.int32)
    ahead_y, ahead_x = ahead[:, 1].clip(0, height - 1), ahead[:, 0].clip(0, breadth - 1)
    next_x, next_y = flow[0][ahead_y, ahead_x], flow[1][ahead_y, ahead_x]
    cross = way[:, 0] * next_y - way[:, 1] * next_x
    cross *= np.sign(way[:, 0] * next_x + way[:, 1] * next_y)
    shift = rng.normal(0, 1, (len(order), 1)) * 0.7 + rng.normal(0, 1, (len(order), 3)) * 0.75
    colour = np.clip(seen[pixel_y, pixel_x] + shift * brush.stray, 0, 1).astype(np.float32)
    return _Strokes(
        at,
        way,
        half,
        (width / 2 * rng.uniform(0.75, 1.1, len(order))).astype(np.float32),
        (np.clip(cross, -0.6, 0.6) * 0.45).astype(np.float32),
        colour,
    )


def _lay(canvas: FloatArray, height: FloatArray, strokes: _Strokes, bristles: FloatArray) -> None:
    """Draw which stroke owns each pixel, then shade all pixels at once by their place in it."""
    owner = np.zeros(height.shape, np.float32)
    side = np.stack([-strokes.along[:, 1], strokes.along[:, 0]], 1)
    belly = np.sqrt(np.clip(1.04 - _OUTLINE**2, 0, 1)) ** 0.5
    u = _OUTLINE[None] * strokes.half_length[:, None]
    arch = strokes.bend[:, None] * _OUTLINE[None] ** 2 * strokes.half_length[:, None]
    outline = []
    for sign in (1, -1):
        v = sign * belly[None] * strokes.half_width[:, None] + arch
        edge = strokes.at[:, None] + u[..., None] * strokes.along[:, None]
        outline.append(edge + v[..., None] * side[:, None])
    outline[1] = outline[1][:, ::-1]
    shapes = np.round(np.concatenate(outline, 1) * 16 - 8).astype(np.int32)
    for number, shape in enumerate(shapes, 1):
        cv2.fillPoly(owner, [shape], number, shift=4)
    place = np.flatnonzero(owner)
    k = owner.reshape(-1)[place].astype(np.int32) - 1
    breadth = height.shape[1]
    row = place // breadth
    way, at, half = strokes.along[k], strokes.at[k], strokes.half_width[k]
    dx = (place - row * breadth).astype(np.float32) - at[:, 0]
    dy = row.astype(np.float32) - at[:, 1]
    half_length = strokes.half_length[k]
    u = (dx * way[:, 0] + dy * way[:, 1]) / half_length
    v = (dy * way[:, 0] - dx * way[:, 1] - strokes.bend[k] * u * u * half_length) / half
    hairs = np.float32(13 * 0.6) * (half / half.max() + 1)
    hair_row = ((v + 1) * hairs).astype(np.int32) + k * 37 & 255
    hair_column = (u * 90).astype(np.int32) + k * 101 & 1023
    hair = bristles.reshape(-1)[hair_row * bristles.shape[1] + hair_column]
    v = np.abs(v)
    worn = np.clip((0.86 - np.abs(u) + (hair - 0.5) * 1.3) * 6, 0, 1)  # ends run dry
    worn *= np.clip((1.0 - v + (hair - 0.5) * 0.5) * 5, 0, 1)
    paint = strokes.colour[k]
    paint *= (0.93 + 0.14 * hair)[:, None]
    flat = canvas.reshape(-1, 3)
    under = flat[place]
    paint -= under
    paint *= (worn * 0.95)[:, None]
    flat[place] = under + paint
    ridge = (0.35 + 0.65 * hair) * (1 - v * v * v) * np.sqrt(half) * 0.4
    thick = height.reshape(-1)
    below = thick[place]
    thick[place] = below + (ridge - 0.75 * below) * worn
