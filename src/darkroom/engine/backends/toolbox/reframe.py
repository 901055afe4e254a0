"""Another shape around what a picture is about: cropped, or widened where a crop would cut it."""

from __future__ import annotations

import math

import cv2
import msgspec
import numpy as np

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.canvas import expand
from darkroom.engine.backends.toolbox.cutout import fitted, outline
from darkroom.engine.backends.toolbox.faces import faces
from darkroom.engine.backends.toolbox.salience import Flags, salience
from darkroom.engine.backends.toolbox.steps import Progress, within

_MARGIN = 0.06  # of the subject's own size, left free around it
_SIDE = 450
_PIXELS_MAX = 4096 * 4096


class Reframed(msgspec.Struct, frozen=True):
    """A picture in another shape, `pixels` RGB uint8, and whether a surround was painted on."""

    pixels: Pixels
    widened: bool


def reframe(picture: Pixels, ratio: tuple[int, int], seed: int, progress: Progress) -> Reframed:
    """Returns RGB uint8 (h, w, 3) cropped to `ratio` (width, height), the subject whole in it.

    Where no window of that shape inside the picture holds the subject, the picture is cut to the
    subject the one way and painted on the other way. A scene without a subject is cropped where
    most stands out.
    """
    high, wide = picture.shape[:2]
    shape = ratio[0] / ratio[1]
    front = outline(picture, within(progress, 0.0, 0.25))
    left, top, right, foot, middle = _subject(picture, front)
    progress(0.3)
    width, height = min(wide, high * shape), min(high, wide / shape)
    needs_width, needs_height = right - left, foot - top
    if needs_width <= width + 1 and needs_height <= height + 1:
        size = max(1, round(width)), max(1, round(height))
        x = _start(middle[0], size[0], (left, right), wide)
        y = _start(middle[1], size[1], (top, foot), high)
        return Reframed(picture[y : y + size[1], x : x + size[0]].copy(), widened=False)
    if needs_width > width:
        cut = min(wide, math.ceil(needs_width)), high
        canvas = cut[0], max(high, round(cut[0] / shape))
    else:
        cut = wide, min(high, math.ceil(needs_height))
        canvas = max(wide, round(cut[1] * shape)), cut[1]
    x = _start(middle[0], cut[0], (left, right), wide)
    y = _start(middle[1], cut[1], (top, foot), high)
    scale = front.shape[1] / wide
    rows = slice(int(y * scale), max(int(y * scale) + 8, round((y + cut[1]) * scale)))
    columns = slice(int(x * scale), max(int(x * scale) + 8, round((x + cut[0]) * scale)))
    part, canvas = _bounded(picture[y : y + cut[1], x : x + cut[0]], canvas)
    free = canvas[0] - part.shape[1], canvas[1] - part.shape[0]
    place = free[0] // 2, round(free[1] * 0.5)
    heard = within(progress, 0.3, 0.9)
    wider = expand(part, canvas, place, seed, heard, front[rows, columns])
    return Reframed(wider, widened=True)


def _subject(
    picture: Pixels, front: Flags
) -> tuple[float, float, float, float, tuple[float, float]]:
    """The left, top, right and foot of what is to be kept, and the middle (x, y) of interest."""
    small = fitted(picture, _SIDE)
    high, wide = picture.shape[:2]
    scale = np.array([wide / small.shape[1], high / small.shape[0]])
    seen = salience(small)
    size = small.shape[1::-1]
    kept = cv2.resize(front.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    for face in faces(small):
        kept |= face.covered(*kept.shape)
    weight = seen * (0.15 + kept) + 1e-6
    across, down = weight.sum(axis=0), weight.sum(axis=1)
    middle = (
        float((across * np.arange(len(across))).sum() / across.sum()) * scale[0],
        float((down * np.arange(len(down))).sum() / down.sum()) * scale[1],
    )
    if _is_scene(kept):
        return middle[0], middle[1], middle[0], middle[1], middle
    rows, columns = (np.flatnonzero(kept.mean(axis=axis) > 0.004) for axis in (1, 0))
    left, right = _roomy(columns[0] * scale[0], (columns[-1] + 1) * scale[0], wide)
    top, foot = _roomy(rows[0] * scale[1], (rows[-1] + 1) * scale[1], high)
    return left, top, right, foot, ((left + right) / 2, (top + foot) / 2)


def _is_scene(kept: Flags) -> bool:
    """Whether what stands out goes from side to side, so that it is no one thing."""
    touched = [kept[:, 0].mean(), kept[:, -1].mean()]
    return bool(min(touched) > 0.03 or kept.mean() > 0.75 or not kept.any())


def _roomy(start: float, end: float, length: int) -> tuple[float, float]:
    """A span with a margin around it, inside the picture."""
    margin = _MARGIN * (end - start)
    return max(0.0, start - margin), min(float(length), end + margin)


def _start(middle: float, window: int, span: tuple[float, float], length: int) -> int:
    """Where a window begins that is centred on a point, holds a span and lies in the picture."""
    start = middle - window / 2
    if span[1] - span[0] <= window:
        start = float(np.clip(start, span[1] - window, span[0]))
    return int(np.clip(round(start), 0, length - window))


def _bounded(part: Pixels, canvas: tuple[int, int]) -> tuple[Pixels, tuple[int, int]]:
    """A picture and its canvas (width, height), made smaller where the canvas is over 16.7 MP."""
    scale = math.sqrt(_PIXELS_MAX / (canvas[0] * canvas[1]))
    if scale >= 1:
        return np.ascontiguousarray(part), canvas
    canvas = int(canvas[0] * scale), int(canvas[1] * scale)
    size = (
        min(canvas[0], round(part.shape[1] * scale)),
        min(canvas[1], round(part.shape[0] * scale)),
    )
    return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8), canvas
