"""The cover of a piece: a painting of what it is about, with its title set below."""

from __future__ import annotations

import contextlib

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from darkroom.engine.backends.painter.compose import paint
from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.synth.brief import Brief
from darkroom.engine.backends.synth.mixing import Progress
from darkroom.engine.backends.synth.tones import Wave

SIDE = 1024
_PAINTED = 640
_MARGIN = 72
_SCENES = {
    "HAPPY": "sunny meadow with flowers, vibrant", "RELAXED": "calm lake at dawn",
    "WARM": "golden hour field", "ROMANTIC": "sunset over the sea, birds",
    "TOUCHING": "misty valley at sunrise", "SAD": "rain over a lake at dusk",
    "LONELY": "night over a lake, moon", "DEPRESSED": "foggy forest, overcast",
    "TENSE": "thunderstorm over the sea", "EXCITED": "city at night, neon, vibrant",
    "EPIC": "mountains at sunset, dramatic", "MYSTERIOUS": "forest in fog at night, moon",
}  # fmt: skip
_TRACKING = 7


def draw(title: str, description: str, brief: Brief, seed: int, progress: Progress) -> Pixels:
    """Returns the cover as RGB uint8 (1024, 1024, 3)."""
    painting = paint(description, _PAINTED, _PAINTED, seed, progress=lambda at: progress(at * 0.4))
    if painting.scene.subject == "abstract":
        scene = _SCENES[brief.emotion_name]
        painting = paint(
            scene, _PAINTED, _PAINTED, seed, progress=lambda at: progress(0.4 + at * 0.5)
        )
    large = cv2.resize(painting.pixels, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    shaded = np.asarray(large, np.float32) * _shade()[:, None, None]
    picture = Image.fromarray(np.clip(shaded, 0, 255).astype(np.uint8))
    _set(picture, title, f"{brief.genre_name}  ·  {brief.key}  ·  {brief.tempo:.0f} BPM".upper())
    progress(1.0)
    return np.asarray(picture, np.uint8)


def _shade() -> Wave:
    """How light each row stays: darker towards the foot, where the title stands."""
    foot = np.clip((np.linspace(0, 1, SIDE) - 0.5) / 0.5, 0, 1)
    return np.asarray(1 - 0.62 * foot**1.3, np.float32)


def _font(size: float, text: str) -> ImageFont.FreeTypeFont | None:
    """A font that has the text's letters; None where no font of this machine has."""
    names = ["", "DejaVuSans.ttf"] if text.isascii() or _is_latin(text) else []
    names += ["NotoSansCJK-Regular.ttc", "NotoSans-Regular.ttf", "DejaVuSans.ttf"]
    for name in names:
        with contextlib.suppress(OSError):
            font = ImageFont.truetype(name, size) if name else ImageFont.load_default(size)
            if isinstance(font, ImageFont.FreeTypeFont) and _has(font, text):
                return font
    return None


def _is_latin(text: str) -> bool:
    return all(ord(one) < 0x250 for one in text)


def _has(font: ImageFont.FreeTypeFont, text: str) -> bool:
    missing = bytes(font.getmask("\uffff"))
    return all(one.isspace() or bytes(font.getmask(one)) != missing for one in text)


def _set(picture: Image.Image, title: str, facts: str) -> None:
    """Set the title in at most three lines, as large as they fit, over a rule and the facts."""
    drawing = ImageDraw.Draw(picture)
    small = _font(21, facts)
    at = SIDE - _MARGIN
    if small is not None:
        at -= 21
        x = float(_MARGIN)
        for letter in facts:
            drawing.text((x, at), letter, font=small, fill=(235, 232, 224))
            x += small.getlength(letter) + _TRACKING / 2
        at -= 34
    drawing.line([(_MARGIN, at), (_MARGIN + 96, at)], fill=(235, 232, 224), width=3)
    at -= 30
    for size in range(104, 35, -6):
        font = _font(size, title)
        if font is None:
            return
        lines = _broken(title, font)
        if len(lines) <= 3:
            break
    for line in reversed(lines[:3]):
        at -= round(size * 1.08)
        drawing.text((_MARGIN + 2, at + 3), line, font=font, fill=(0, 0, 0))
        drawing.text((_MARGIN, at), line, font=font, fill=(255, 253, 247))


def _broken(title: str, font: ImageFont.FreeTypeFont) -> list[str]:
    """The title in lines that fit, between words, or anywhere where words are not set apart."""
    width = SIDE - 2 * _MARGIN
    lines = [""]
    joint = " " if " " in title else ""
    for word in title.split(" ") if joint else title:
        longer = (lines[-1] + joint + word).strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines if all(font.getlength(line) <= width for line in lines) else [title] * 4
