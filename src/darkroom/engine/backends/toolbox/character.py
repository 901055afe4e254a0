"""video-anime-replace, as a stand-in: a picture's cut-out goes where the clip's subject goes."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import msgspec
import numpy as np

from darkroom.engine.backends import pictures
from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox import footage
from darkroom.engine.backends.toolbox.cutout import matte, outline
from darkroom.engine.backends.toolbox.footage import Cut, FloatArray, Footage, Size
from darkroom.engine.backends.toolbox.marks import mark
from darkroom.engine.backends.toolbox.motion import Camera, Flow, Grey, grey
from darkroom.engine.backends.toolbox.subject import Subject, with_later
from darkroom.errors import BadInput

SHORTER = {"480p": 480, "580p": 580, "720p": 720}
MARK = "SANDBOX · character replacement needs a model"
_EASE = 0.3  # of the way to where the subject is, each frame
_HEIGHT_MIN, _HEIGHT_MAX = 0.34, 0.92  # of the frame's
_MARGIN = 0.07  # of the frame, that a moved picture has around what is seen
_BACK = 0.985  # of a moved picture's shift that stays, each frame


def replace_character(given: Input, context: Context) -> Iterator[Output]:
    """Yields the clip with the picture's subject before its own, or the picture moved as it moves.

    `type` tells which. The cover follows. A stand-in, marked as one.
    """
    footage.seeded(context.seed)
    clip = footage.opened(given)
    paths = given.files.get("image_url", ())
    if not paths:
        raise BadInput("image_url: the tool needs a picture.")
    picture = pictures.read(paths[0], alpha=True)
    moves = str(given.fields.get("type") or "replace") == "move"
    shape = picture.shape[1::-1] if moves else clip.size
    shorter = SHORTER[str(given.fields.get("resolution") or "720p")]
    size = footage.scaled((int(shape[0]), int(shape[1])), shorter)
    frames = _moved(clip, picture, size) if moves else _replaced(clip, picture, size)
    notes = {"stand_in": True, "type": "move" if moves else "replace"}
    cut = Cut.like(clip, size=size, notes=notes)
    yield from footage.written((mark(one, MARK) for one in frames), cut, context)


def _moved(clip: Footage, picture: Pixels, size: Size) -> Iterator[Pixels]:
    """The picture itself, shifted as the clip's camera and what it shows move."""
    width, height = size
    wide = (round(width * (1 + 2 * _MARGIN)), round(height * (1 + 2 * _MARGIN)))
    large = footage.fitted(_on_white(picture), wide)
    middle = np.array([(wide[0] - width) / 2, (wide[1] - height) / 2])
    camera, flow, last = Camera(clip.size), Flow(), None
    at, scale = np.zeros(2), width / clip.size[0]
    for pixels in clip.frames():
        step, tone = camera.step(pixels)[:2, 2], grey(pixels)
        own = np.zeros(2) if last is None else _mean_flow(flow, last, tone, clip.size)
        last = tone
        longest = max(step, own, key=lambda one: float(np.hypot(*one)))
        at = np.clip((at + longest * scale) * _BACK, -middle, middle)
        x, y = at - middle
        shift = np.array([[1, 0, x], [0, 1, y]], np.float64)
        yield np.asarray(cv2.warpAffine(large, shift, size, flags=cv2.INTER_LINEAR), np.uint8)


def _mean_flow(flow: Flow, last: Grey, tone: Grey, size: Size) -> FloatArray:
    """How what moves at all moves, x and y in the frame's pixels."""
    field = flow.between(last, tone)
    far = np.hypot(field[..., 0], field[..., 1])
    weight = np.clip(far - 0.3, 0, None)
    total = (field * weight[..., None]).sum(axis=(0, 1)) / (weight.sum() + 1e-3)
    return np.asarray(
        total * size[0] / tone.shape[1] * min(1.0, float(weight.mean()) * 8), np.float32
    )


def _on_white(picture: Pixels) -> Pixels:
    alpha = picture[..., 3:].astype(np.float32) / 255
    return np.asarray(picture[..., :3] * alpha + 255 * (1 - alpha) + 0.5, np.uint8)


class _Place(msgspec.Struct):
    """Where a cut-out stands: the middle of its foot and its height, as parts of the frame."""

    x: float
    foot: float
    height: float
    lean: float = 0.0

    def follow(self, other: _Place) -> None:
        """Go a part of the way to another place, leaning into the way."""
        gone = (other.x - self.x) * _EASE
        self.lean += (float(np.clip(gone * 900, -7, 7)) - self.lean) * _EASE
        self.x += gone
        self.foot += (other.foot - self.foot) * _EASE
        self.height += (other.height - self.height) * _EASE / 2


def _replaced(clip: Footage, picture: Pixels, size: Size) -> Iterator[Pixels]:
    figure = _figure(picture)
    subject, place = Subject(None, outline), None
    for pixels, later in with_later(clip.frames(size)):
        wanted = _place(subject.outline(pixels, later))
        if place is None:
            place = wanted
        place.follow(wanted)
        yield _stood(pixels, figure, place)


def _figure(picture: Pixels) -> Pixels:
    """The picture's subject, cut out: RGBA without empty borders."""
    if int(picture[..., 3].min()) > 250:
        opacity = matte(np.ascontiguousarray(picture[..., :3]))
        picture = np.dstack([picture[..., :3], (opacity * 255 + 0.5).astype(np.uint8)])
    rows = np.flatnonzero(picture[..., 3].max(axis=1) > 64)
    columns = np.flatnonzero(picture[..., 3].max(axis=0) > 64)
    if not len(rows):
        raise BadInput("image_url: the picture is wholly transparent.")
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _place(found: FloatArray) -> _Place:
    """Where the clip's subject stands; in the middle where nothing stands out."""
    front = found > 0.5
    if not 0.004 < float(front.mean()) < 0.7:
        return _Place(0.5, 0.95, 0.7)
    height, width = front.shape
    across, down = front.sum(axis=0), front.sum(axis=1)
    x = float((across * np.arange(width)).sum() / across.sum())
    rows = np.flatnonzero(down > 0.1 * down.max())
    tall = (rows[-1] - rows[0] + 1) / height * 1.12
    bounded = float(np.clip(tall, _HEIGHT_MIN, _HEIGHT_MAX))
    return _Place(x / width, min(1.0, float(rows[-1] + 1) / height + 0.02), bounded)


def _stood(pixels: Pixels, figure: Pixels, place: _Place) -> Pixels:
    """The frame with the cut-out at its place."""
    height, width = pixels.shape[:2]
    scale = min(place.height * height / figure.shape[0], 0.9 * width / figure.shape[1])
    turn = cv2.getRotationMatrix2D((figure.shape[1] / 2, figure.shape[0]), -place.lean, scale)
    turn[:, 2] += (place.x * width - figure.shape[1] / 2, place.foot * height - figure.shape[0])
    # Much smaller than it is, a picture would flicker: it is shrunk first.
    if scale < 0.6:
        less = (max(2, round(figure.shape[1] * scale)), max(2, round(figure.shape[0] * scale)))
        turn[:, :2] *= figure.shape[0] / less[1]
        figure = np.asarray(cv2.resize(figure, less, interpolation=cv2.INTER_AREA), np.uint8)
    drawn = cv2.warpAffine(figure, turn, (width, height), flags=cv2.INTER_LINEAR)
    share = np.asarray(drawn[..., 3], np.float32) / 255
    front = np.ascontiguousarray(drawn[..., :3])
    return np.asarray(cv2.blendLinear(front, pixels, share, 1 - share), np.uint8)
