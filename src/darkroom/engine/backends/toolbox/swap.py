"""One face laid over another, in its light: a stand-in for what only a model can do well."""

from __future__ import annotations

import cv2
import numpy as np

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.faces import Face, faces
from darkroom.engine.backends.toolbox.salience import Flags, to_lab

_CLONED_SIDE = 700  # the face is blended at this size at most


def swap(picture: Pixels, other: Pixels) -> tuple[Pixels, int]:
    """Returns RGB uint8 `picture` with the face of `other` (RGB uint8) over its surest face, and
    in how many of the two a face was found; where none was, the middle is taken for one.

    The face is fitted to the place, moved to its colours and blended by Poisson's equation (Pérez
    et al., "Poisson Image Editing", 2003); pose, look and light stay those of `other`.
    """
    found = [faces(one)[:1] for one in (picture, other)]
    place, source = (
        one[0] if one else _middle(given)
        for one, given in zip(found, (picture, other), strict=True)
    )
    pasted = _fitted(other, source, place)
    top, left = max(0, place.top - place.height), max(0, place.left - place.width)
    foot = min(picture.shape[0], place.top + 2 * place.height)
    right = min(picture.shape[1], place.left + 2 * place.width)
    ground = picture[top:foot, left:right]
    drawn = np.zeros(ground.shape, np.uint8)
    y, x = place.top - top, place.left - left
    drawn[y : y + place.height, x : x + place.width] = pasted
    oval = Face(x, y, place.width, place.height, 1.0).covered(*ground.shape[:2])
    result = picture.copy()
    result[top:foot, left:right] = _cloned(_lit(drawn, ground, oval), ground, oval)
    return result, sum(bool(one) for one in found)


def _middle(picture: Pixels) -> Face:
    """Where a face would be if this were a portrait."""
    height, width = picture.shape[:2]
    tall = max(8, round(min(height * 0.45, width * 0.56)))
    wide = max(6, round(tall * 0.8))
    return Face((width - wide) // 2, max(0, round(height * 0.42) - tall // 2), wide, tall, 0.0)


def _fitted(other: Pixels, source: Face, place: Face) -> Pixels:
    """The box of a face at the size of another's."""
    top, left = max(0, source.top), max(0, source.left)
    part = other[top : source.top + source.height, left : source.left + source.width]
    size = place.width, place.height
    way = cv2.INTER_AREA if part.shape[1] > place.width else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, size, interpolation=way), np.uint8)


def _lit(drawn: Pixels, ground: Pixels, oval: Flags) -> Pixels:
    """The drawn face with the mean and spread of the colours that it covers."""
    own, under = to_lab(drawn), to_lab(ground)
    for channel in range(3):
        mine, theirs = own[..., channel][oval], under[..., channel][oval]
        ratio = float(np.clip(theirs.std() / max(1.0, mine.std()), 0.75, 1.3))
        own[..., channel] = (own[..., channel] - mine.mean()) * ratio + theirs.mean()
    rgb = cv2.cvtColor(own, cv2.COLOR_Lab2RGB)
    return np.asarray(np.clip(rgb * 255 + 0.5, 0, 255), np.uint8)


def _cloned(drawn: Pixels, ground: Pixels, oval: Flags) -> Pixels:
    """The drawn face blended into the ground without a seam, within its oval."""
    scale = min(1.0, _CLONED_SIDE / max(oval.shape))
    size = max(8, round(oval.shape[1] * scale)), max(8, round(oval.shape[0] * scale))
    face, under, inside = (
        np.asarray(cv2.resize(one, size, interpolation=cv2.INTER_AREA), np.uint8)
        for one in (drawn, ground, oval.astype(np.uint8) * np.uint8(255))
    )
    inside = np.where(inside > 127, np.uint8(255), np.uint8(0))
    # The blending needs a rim of ground around the face.
    inside[:2] = inside[-2:] = 0
    inside[:, :2] = inside[:, -2:] = 0
    if not inside.any():
        return ground
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    middle = int(columns[0] + columns[-1]) // 2, int(rows[0] + rows[-1]) // 2
    blended = cv2.seamlessClone(face, under, inside, middle, cv2.NORMAL_CLONE)
    # Only what the blending changed is enlarged: the ground keeps its detail.
    change = blended.astype(np.float32) - under
    large = cv2.resize(change, oval.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(ground + large + 0.5, 0, 255), np.uint8)
