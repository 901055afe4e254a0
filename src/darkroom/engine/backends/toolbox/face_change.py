"""video-face-change, as a stand-in: the picture's face laid over the clip's like a paper mask."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from darkroom.engine.backends import pictures
from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox import footage
from darkroom.engine.backends.toolbox.faces import faces
from darkroom.engine.backends.toolbox.footage import Cut, FloatArray, Footage
from darkroom.engine.backends.toolbox.marks import mark
from darkroom.errors import BadInput

MARK = "SANDBOX · face swap needs a model"
_LOOKED = 0.15  # of the way, while a first face is looked for
_LOOKS = 6
_EVERY_SECONDS = 0.5
_EASE = 0.25
_LIGHT = 0.7  # of the clip's light that the mask takes on
_TRACK_SIDE = 480
_ALIKE_MIN = 0.5

Oval = FloatArray
"""A face's oval: the middle's x and y, its width and its height, in pixels."""


def change_face(given: Input, context: Context) -> Iterator[Output]:
    """Yields the clip with the picture's face over its own, then its cover.

    Faces are looked for; where none is found, what stands in the middle is taken for one. A
    stand-in, marked as one.
    """
    footage.seeded(context.seed)
    clip = footage.opened(given)
    paths = given.files.get("image_url", ())
    if not paths:
        raise BadInput("image_url: the tool needs a picture.")
    picture = pictures.read(paths[0])
    given_face = _face(picture)
    first = _first(clip, footage.part(context, 0, _LOOKED))
    notes = {
        "stand_in": True,
        "face_in_clip": "found" if first is not None else "none found: the middle is covered",
        "face_in_picture": "found" if given_face is not None else "none found: the middle is used",
    }
    mask = _cut_out(picture, _central(picture) if given_face is None else given_face)
    frames = (mark(one, MARK) for one in _masked(clip, mask, first))
    yield from footage.written(frames, Cut.like(clip, notes=notes), context, _LOOKED)


def _face(pixels: Pixels) -> Oval | None:
    """The surest face in a frame."""
    found = faces(pixels)
    if not found:
        return None
    one = found[0]
    middle = (one.left + one.width / 2, one.top + one.height / 2)
    return np.array([*middle, one.width, one.height], np.float32)


def _central(pixels: Pixels) -> Oval:
    """Where a face would be in a portrait."""
    height, width = pixels.shape[:2]
    tall = 0.46 * min(height, width * 1.25)
    return np.array([width / 2, 0.42 * height, tall * 0.78, tall], np.float32)


def _first(clip: Footage, tell: footage.Progress) -> Oval | None:
    """The first face that a few frames of the clip show."""
    every, found = max(1, clip.count // _LOOKS), None
    for number, pixels in enumerate(clip.frames()):
        if found is None and number % every == 0:
            found = _face(pixels)
        tell((number + 1) / clip.count)
    return found


def _cut_out(picture: Pixels, oval: Oval) -> Pixels:
    """The face's oval out of the picture, RGBA, soft at its edge."""
    x, y, wide, tall = (float(one) for one in oval)
    size = (max(8, min(512, round(wide))), max(8, min(640, round(tall))))
    scale = np.array([[wide / size[0], 0, x - wide / 2], [0, tall / size[1], y - tall / 2]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    face = cv2.warpAffine(picture, scale, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    across = (np.arange(size[0], dtype=np.float32) + 0.5) / size[0] * 2 - 1
    down = (np.arange(size[1], dtype=np.float32)[:, None] + 0.5) / size[1] * 2 - 1
    far = np.sqrt((across / 0.86) ** 2 + (down / 0.96) ** 2)
    alpha = np.clip((1 - far) / 0.16, 0, 1) * 255
    return np.dstack([face, alpha.astype(np.uint8)])


def _masked(clip: Footage, mask: Pixels, first: Oval | None) -> Iterator[Pixels]:
    """The frames with the mask where the face is: looked for now and then, carried in between."""
    every = max(1, round(_EVERY_SECONDS * clip.fps))
    track: _Track | None = None
    at = wanted = first
    for number, pixels in enumerate(clip.frames()):
        if at is None or wanted is None:
            at = wanted = _central(pixels)
        found = _face(pixels) if first is not None and number % every == 0 else None
        if found is not None:
            wanted, track = found, None
        if track is None:
            track = _Track(pixels, wanted)
        else:
            shift = track.shift(pixels)
            wanted, at = wanted + shift, at + shift
        at = np.asarray(at + (wanted - at) * np.float32(_EASE), np.float32)
        yield _laid(pixels, mask, at)


class _Track:
    """What a face looks like in small, found again from frame to frame near where it was."""

    def __init__(self, pixels: Pixels, oval: Oval) -> None:
        self._scale = min(1.0, _TRACK_SIDE / max(pixels.shape[:2]))
        small = self._small(pixels)
        x, y, wide, tall = (float(one) * self._scale for one in oval)
        left, top = max(0, round(x - wide / 2)), max(0, round(y - tall / 2))
        right, bottom = max(left + 4, round(x + wide / 2)), max(top + 4, round(y + tall / 2))
        part = small[top:bottom, left:right]
        self._part = part if min(part.shape[:2]) >= 4 else small[:4, :4]
        self._at = (left, top)

    def _small(self, pixels: Pixels) -> Pixels:
        size = (round(pixels.shape[1] * self._scale), round(pixels.shape[0] * self._scale))
        return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)

    def shift(self, pixels: Pixels) -> Oval:
        """How far the face went since the last frame, x and y; nothing where it is not seen."""
        small = self._small(pixels)
        tall, wide = self._part.shape[:2]
        reach = max(3, tall // 3)
        left, top = max(0, self._at[0] - reach), max(0, self._at[1] - reach)
        around = small[top : self._at[1] + tall + reach, left : self._at[0] + wide + reach]
        if around.shape[0] < tall or around.shape[1] < wide:
            return np.zeros(4, np.float32)
        likeness = cv2.matchTemplate(around, self._part, cv2.TM_CCOEFF_NORMED)
        _, best, _, place = cv2.minMaxLoc(likeness)
        if best < _ALIKE_MIN:
            return np.zeros(4, np.float32)
        found = (left + place[0], top + place[1])
        gone = np.array([found[0] - self._at[0], found[1] - self._at[1]]) / self._scale
        self._at = found
        return np.array([*gone, 0, 0], np.float32)


def _laid(pixels: Pixels, mask: Pixels, oval: Oval) -> Pixels:
    """The frame with the mask laid over an oval, in the light that the frame has there."""
    height, width = pixels.shape[:2]
    x, y, wide, tall = (float(one) for one in oval)
    wide, tall = wide * 1.08, tall * 1.08
    place = np.array(
        [[wide / mask.shape[1], 0, x - wide / 2], [0, tall / mask.shape[0], y - tall / 2]]
    )
    drawn = cv2.warpAffine(mask, place, (width, height), flags=cv2.INTER_AREA)
    share = np.asarray(drawn[..., 3], np.float32) / 255
    inside = share > 0.5
    front = np.ascontiguousarray(drawn[..., :3]).astype(np.float32)
    if inside.any():
        there = pixels[inside].mean(axis=0)
        own = front[inside].mean(axis=0)
        front += ((there - own) * _LIGHT).astype(np.float32)
    face = np.clip(front, 0, 255).astype(np.uint8)
    return np.asarray(cv2.blendLinear(face, pixels, share, 1 - share), np.uint8)
