"""A picture put into words that paint a picture like it: light, colours, layout, texture."""

from __future__ import annotations

import cv2
import numpy as np

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.cutout import fitted
from darkroom.engine.backends.toolbox.faces import faces
from darkroom.engine.backends.toolbox.layout import Seen, is_night, is_plain, scene
from darkroom.engine.backends.toolbox.salience import Flags, salience, to_lab

_SIDE = 320
_FACE_SURE, _FACE_PART = 0.53, 0.1  # its worth; its width, of the picture's
_STANDS_OUT = 0.4
_GREY = 2.5  # mean chroma in Lab
_COLOURS = (
    # Name, and its hue in degrees around Lab's a and b, for what has colour enough.
    ("pink", 350),
    ("red", 32),
    ("orange", 58),
    ("golden", 80),
    ("yellow", 100),
    ("green", 135),
    ("teal", 190),
    ("blue", 265),
    ("violet", 305),
    ("magenta", 328),
    ("pink", -10),
    ("red", 20),
)


def caption(picture: Pixels) -> str:
    """Returns one or two sentences for RGB uint8 (h, w, 3), fit as a prompt.

    Told from measures alone (colours, light, horizon, texture, faces): it names no objects that it
    could not know.
    """
    small = fitted(picture, _SIDE)
    seen = Seen.of(to_lab(small))
    parts = [f"{_style(seen, small)} of {_subject(seen, small)}", _light(seen)]
    parts += [f"{_palette(seen, np.ones(seen.sky.shape, np.bool_))} tones", _texture(seen)]
    sentence = ", ".join(part for part in parts if part)
    shape = _shape(picture.shape[1] / picture.shape[0])
    return f"{sentence[0].upper()}{sentence[1:]}. {shape} composition, {_layout(seen)}."


def _style(seen: Seen, small: Pixels) -> str:
    """Photo, drawing, pixel art or painting: by how many colours and how hard the edges are."""
    coarse = (small // 16).reshape(-1, 3).astype(np.int32)
    kinds = np.unique(coarse @ np.array([256, 16, 1]), return_counts=True)[1]
    most = np.sort(kinds)[::-1][:6].sum() / kinds.sum()
    flat = float((seen.detail < 0.6).mean())
    if float(seen.chroma.mean()) < _GREY:
        return (
            "a black and white drawing" if most > 0.85 and flat > 0.6 else "a black and white photo"
        )
    if most > 0.8 and flat > 0.72:
        return "a flat illustration"
    return "a photo"


def _subject(seen: Seen, small: Pixels) -> str:
    """What the picture is of: people, a known kind of scene, or something of a colour."""
    # In grey pictures nothing tells skin from anything else.
    grey = float(seen.chroma.mean()) < _GREY
    people = [
        face for face in faces(small) if face.worth > _FACE_SURE and face.width > _FACE_PART * _SIDE
    ]
    if people and not grey:
        return "a person" if len(people) == 1 else f"{len(people)} people"
    place = "" if is_plain(seen) else scene(seen)
    if place:
        return place
    front = salience(small) > _STANDS_OUT
    if not 0.03 < float(front.mean()) < 0.7:
        return "a close view"
    own, back = _palette(seen, front, 1), _palette(seen, ~front, 1)
    if own == back:
        return "a close view"
    back = f"plain {back}" if is_plain(seen) else back
    return f"one {own} thing in front of {'an' if back[0] in 'aeiou' else 'a'} {back} background"


def _light(seen: Seen) -> str:
    """The hour and the light, from the level, the contrast and the warmth of what is bright."""
    level, spread = float(seen.lab[..., 0].mean()), float(seen.lab[..., 0].std())
    bright = seen.lab[..., 0] >= np.percentile(seen.lab[..., 0], 80)
    warm = float(seen.lab[..., 2][bright].mean() + 0.5 * seen.lab[..., 1][bright].mean())
    if is_night(seen):
        return "at night"
    if warm > 34 and seen.horizon > 0.15:
        return "at sunset, warm glowing light"
    if warm > 26:
        return "warm golden light"
    if spread < 12:
        return "soft misty light" if level > 50 else "dim soft light"
    if level > 72:
        return "bright airy light"
    return "dramatic light" if spread > 27 else "natural daylight"


def _palette(seen: Seen, where: Flags, most: int = 3) -> str:
    """The colours, at most so many, that cover most of a part."""
    hue, light, chroma = seen.hue[where], seen.lab[..., 0][where], seen.chroma[where]
    amounts: dict[str, float] = {
        "white": float(((chroma < 9) & (light > 82)).mean()),
        "grey": float(((chroma < 9) & (light <= 82) & (light > 22)).mean()) * 0.6,
        "black": float(((light <= 22) & (chroma < 14)).mean()),
    }
    names = np.array([name for name, _ in _COLOURS])
    turns = np.array([turn % 360 for _, turn in _COLOURS], np.float32)
    apart = np.abs((hue[:, None] - turns + 180) % 360 - 180)
    nearest = names[apart.argmin(axis=1)]
    for name in dict.fromkeys(names.tolist()):
        own: Flags = (nearest == name) & (chroma >= 9)
        dark = own & (light < 50)
        word = {"orange": "brown", "golden": "brown", "yellow": "olive"}.get(name)
        if word and dark.sum() > own.sum() / 2:
            amounts[word] = amounts.get(word, 0.0) + float(own.mean())
        else:
            amounts[name] = amounts.get(name, 0.0) + float(own.mean())
    order = sorted(amounts, key=lambda name: -amounts[name])
    told = [name for name in order[:most] if amounts[name] > 0.08] or order[:1]
    joined = told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
    if most == 1:
        return joined
    mean = float(chroma.mean())
    return f"vivid {joined}" if mean > 34 else f"muted {joined}" if mean < 12 else joined


def _texture(seen: Seen) -> str:
    detail = float(seen.detail.mean())
    if detail > 7:
        return "rich fine detail"
    return "smooth and minimal" if detail < 1.2 else ""


def _shape(ratio: float) -> str:
    return "Wide" if ratio > 1.2 else "Tall" if ratio < 0.83 else "Square"


def _layout(seen: Seen) -> str:
    """Where the weight of the picture lies."""
    if seen.horizon > 0.1:
        place = "high" if seen.horizon < 0.38 else "low" if seen.horizon > 0.62 else "in the middle"
        return f"the horizon {place}"
    small = cv2.blur(seen.detail, (15, 15))
    tall, wide = (one // 4 for one in small.shape)
    middle = float(small[tall:-tall, wide:-wide].mean())
    edge = float(np.concatenate([small[:, : wide // 2], small[:, -(wide // 2) :]], axis=1).mean())
    if middle > 1.6 * edge + 0.3:
        return "the subject in the middle before a calm background"
    return "filled from edge to edge"
