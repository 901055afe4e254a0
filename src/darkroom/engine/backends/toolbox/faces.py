"""Faces found by what all share: an oval of skin, dark brows, eyes and mouth in their places."""

from __future__ import annotations

from functools import cache

import cv2
import msgspec
import numpy as np

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.salience import Flags, Floats

_SIDE = 320
_STEP = 1.16  # from one size of face to the next
_SIZES = 17
_PATTERN = (24, 30)  # width and height of the face that is looked for
_LIKE_MIN, _LIKE_GREY_MIN = 0.42, 0.72
_OVAL_MIN = 0.48
_COVERED_MIN = 0.6
_CONTRAST_MIN = 0.11  # of the light in it, natural logarithms: skin alone is flatter


class Face(msgspec.Struct, frozen=True):
    """Where a face lies, from hairline to chin, pixels; `worth` is how sure that is, 0 to 1."""

    left: int
    top: int
    width: int
    height: int
    worth: float

    def covered(self, height: int, width: int) -> Flags:
        """The pixels of a picture (height, width) that its oval covers."""
        middle = (self.left + self.width // 2, self.top + self.height // 2)
        axes = (max(1, round(self.width * 0.4)), max(1, round(self.height * 0.46)))
        drawn = np.zeros((height, width), np.uint8)
        cv2.ellipse(drawn, middle, axes, 0, 0, 360, 1, -1)
        return drawn > 0


def faces(pixels: Pixels) -> list[Face]:
    """Returns the upright frontal faces of RGB uint8 (h, w, 3), the surest first; eight at most.

    A drawn pattern of a face is laid over the picture at several sizes (normalised correlation),
    and one of its oval over the colours that skin has. It finds plain portraits and misses
    profiles and small faces.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    found: list[Face] = []
    for one in range(_SIZES):
        shrink = scale * _STEP**-one
        size = (round(width * shrink), round(height * shrink))
        if size[0] < _PATTERN[0] + 2 or size[1] < _PATTERN[1] + 2:
            break
        small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        found += _at_size(small, shrink)
    found.sort(key=lambda face: -face.worth)
    apart: list[Face] = []
    for face in found:
        if all(_overlap(face, other) < 0.2 for other in apart):
            apart.append(face)
    return apart[:8]


def _at_size(small: Pixels, shrink: float) -> list[Face]:
    """The faces that are as large as the pattern in a picture made smaller by `shrink`."""
    face, oval, inner = _patterns()
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey = np.log(grey + 12)
    skin = skin_likeness(small)
    like = cv2.matchTemplate(grey, face, cv2.TM_CCOEFF_NORMED, mask=inner)
    part = inner / inner.sum()
    mean, square = (cv2.matchTemplate(one, part, cv2.TM_CCORR) for one in (grey, grey * grey))
    contrast = np.sqrt(np.maximum(square - mean**2, 0))
    if float(skin.std()) < 1e-3:
        shape, least = like, _LIKE_GREY_MIN
    else:
        shape, least = cv2.matchTemplate(skin, oval, cv2.TM_CCOEFF_NORMED), _LIKE_MIN
    covered = cv2.matchTemplate(skin, part, cv2.TM_CCORR)
    # On even ground the correlation divides by almost nothing and may answer anything.
    flat = contrast < _CONTRAST_MIN
    like, shape = (np.where(flat, 0, one) for one in (like, shape))
    worth = 0.5 * like + 0.5 * shape
    good = (like > least) & (shape > _OVAL_MIN) & (covered > _COVERED_MIN)
    wide, tall = (round(one / shrink) for one in _PATTERN)
    return [
        Face(round(x / shrink), round(y / shrink), wide, tall, float(worth[y, x]))
        for y, x in np.argwhere(good)
    ]


@cache
def _patterns() -> tuple[Floats, Floats, Floats]:
    """A face's light and shade, the oval of its skin, and the inner part that is compared."""
    wide, tall = _PATTERN
    scale = 8
    face = np.full((tall * scale, wide * scale), 0.62, np.float32)
    oval, inner = np.zeros_like(face), np.zeros_like(face)

    def blot(on: Floats, box: tuple[float, float, float, float], value: float) -> None:
        """An ellipse: middle and half axes as parts of the width and height."""
        middle = (round(box[0] * wide * scale), round(box[1] * tall * scale))
        axes = (round(box[2] * wide * scale), round(box[3] * tall * scale))
        cv2.ellipse(on, middle, axes, 0, 0, 360, value, -1)

    blot(oval, (0.5, 0.52, 0.40, 0.47), 1.0)
    blot(inner, (0.5, 0.46, 0.36, 0.26), 1.0)
    blot(face, (0.5, 0.52, 0.40, 0.47), 0.9)
    blot(face, (0.5, 0.3, 0.26, 0.13), 1.0)
    for side in (0.32, 0.68):
        blot(face, (side, 0.365, 0.13, 0.035), 0.5)
        blot(face, (side, 0.435, 0.11, 0.04), 0.25)
        blot(face, (side, 0.60, 0.12, 0.09), 1.05)
    blot(face, (0.5, 0.52, 0.05, 0.14), 1.1)
    blot(face, (0.5, 0.665, 0.09, 0.025), 0.6)
    blot(face, (0.5, 0.775, 0.16, 0.035), 0.45)
    blot(face, (0.5, 0.87, 0.13, 0.05), 0.95)
    soft = np.asarray(cv2.GaussianBlur(face, (0, 0), scale * 0.8), np.float32)
    return _small(soft), _small(oval), _small(inner)


def _small(picture: Floats) -> Floats:
    return np.asarray(cv2.resize(picture, _PATTERN, interpolation=cv2.INTER_AREA), np.float32)


def skin_likeness(pixels: Pixels) -> Floats:
    """Returns how far RGB uint8 pixels have a colour that skin has, 0..1; 1 in grey pictures."""
    ycc = cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    red, blue = ycc[..., 1] - 128, 128 - ycc[..., 2]
    if float(np.abs(red).mean() + np.abs(blue).mean()) < 2.0:
        return np.ones(pixels.shape[:2], np.float32)
    hue = np.arctan2(red, blue + 1e-3)
    likeness = np.exp(-(((hue - 0.85) / 0.33) ** 2)) * np.clip((red - 7) / 7, 0, 1)
    likeness *= np.clip((62 - red) / 14, 0, 1) * np.clip((ycc[..., 0] - 35) / 30, 0, 1)
    return np.asarray(likeness, np.float32)


def _overlap(one: Face, other: Face) -> float:
    """The shared area of two faces as a part of the smaller one."""
    wide = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    tall = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    least = min(one.width * one.height, other.width * other.height)
    return max(0, wide) * max(0, tall) / least
