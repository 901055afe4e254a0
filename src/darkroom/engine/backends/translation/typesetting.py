"""Typesetting: a translation where the text was, in its size and colour, made to fit."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cv2
import msgspec
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.translation import fonts
from darkroom.engine.backends.translation.blocks import Block
from darkroom.engine.backends.translation.languages import Language
from darkroom.engine.backends.translation.lines import Box

_SHRINK, _SIZE_MIN = 0.96, 7
_WIDER_MAX, _HIGHER_MAX = 2.2, 1.6  # than the original, where the ground is free
_STEP, _STRAIGHT = 20, 0.7  # levels between neighbouring pixels; how much of a side is an edge
_FAINT = 70.0  # levels between text and ground, below which it gets an outline
# What does not begin a line, and does not end one, where scripts set no spaces.
_NOT_FIRST, _NOT_LAST = frozenset("、。，．！？；：」』）】》…ー々ゝっッ"), frozenset("「『（【《")


class Setting(msgspec.Struct, frozen=True):
    """Lines of text at a size, with the distance from one to the next, pixels."""

    lines: tuple[str, ...]
    face: fonts.Face
    size: int
    pitch: float

    @property
    def font(self) -> ImageFont.FreeTypeFont:
        return self.face.at(self.size)

    @property
    def height(self) -> float:
        """From the first line's capitals to the last line's foot."""
        return (len(self.lines) - 1) * self.pitch + self.capital

    @property
    def capital(self) -> float:
        """The height of a capital."""
        return _capital(self.face, self.size)


@functools.lru_cache(maxsize=256)
def _capital(face: fonts.Face, size: int) -> float:
    return -float(face.at(size).getbbox("H", anchor="ls")[1])


def set_texts(
    picture: Pixels, blocks: Sequence[Block], texts: Sequence[str], language: Language
) -> Pixels:
    """RGB uint8 (h, w, 3), from which the old text is gone, with a new one for each block."""
    canvas = Image.fromarray(picture)
    draw = ImageDraw.Draw(canvas)
    steps = _steps(picture)
    for block, text in zip(blocks, texts, strict=True):
        others = [one.box for one in blocks if one is not block]
        _draw(draw, picture, block, _Room.around(block, steps, others), (text, language))
    return np.asarray(canvas)


class _Room(msgspec.Struct, frozen=True):
    """The free ground around a block, pixels: how far text may go to each side, and down."""

    left: int
    right: int
    foot: int

    def is_even_around(self, box: Box, size: float) -> bool:
        """Whether a box stands in the middle of a narrow frame."""
        left, right = box.left - self.left, self.right - box.right
        return abs(left - right) < 0.5 * size and max(left, right) < 6 * size

    @staticmethod
    def around(block: Block, steps: npt.NDArray[np.bool_], others: Sequence[Box]) -> _Room:
        box = block.box
        height, width = steps.shape
        margin = round(0.5 * block.size)
        rows = slice(max(0, box.top), max(box.top + 1, box.foot))
        beside = [one for one in others if one.foot > box.top and one.top < box.foot]
        below = [one for one in others if one.right > box.left and one.left < box.right]
        left = max([0, *(one.right for one in beside if one.right <= box.left)])
        right = min([width, *(one.left for one in beside if one.left >= box.right)])
        foot = min([height, *(one.top for one in below if one.top >= box.foot)])
        # What ends the room is a straight edge, of a button or a column, and no cloud's.
        busy = np.flatnonzero(steps[rows].mean(axis=0) > _STRAIGHT)
        left = max([left, *busy[busy < box.left]])
        right = min([right, *busy[busy > box.right]])
        lower = np.flatnonzero(steps[:, max(0, box.left) : box.right].mean(axis=1) > _STRAIGHT)
        foot = min([foot, *lower[lower > box.foot]])
        return _Room(
            min(box.left, int(left) + margin),
            max(box.right, int(right) - margin),
            max(box.foot, int(foot) - margin),
        )


def _steps(picture: Pixels) -> npt.NDArray[np.bool_]:
    """Where something begins: an edge of a button, a line, a thing in a photo."""
    size = np.ones((3, 3), np.uint8)
    apart = cv2.morphologyEx(picture, cv2.MORPH_GRADIENT, size).max(axis=2)
    return np.asarray(apart > _STEP, np.bool_)


def fitted(
    text: str, face: fonts.Face, size: float, pitch: float, within: tuple[float, float]
) -> Setting:
    """A text at this size, or the largest below it, that fits a width and a height, pixels."""
    width, height = within
    now = max(float(_SIZE_MIN), size)
    while True:
        at = max(_SIZE_MIN, round(now))
        font = face.at(at)
        lines = wrapped(text, font, width)
        setting = Setting(tuple(lines), face, at, pitch * at / max(size, 1.0))
        fits = max(font.getlength(one) for one in lines) <= width and setting.height <= height
        if fits or at <= _SIZE_MIN:
            return setting
        now *= _SHRINK


def wrapped(text: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """The text as lines of a width, pixels; a word that is wider has one of its own."""
    lines: list[str] = [""]
    for word in _words(text):
        longer = lines[-1] + word
        if lines[-1] and font.getlength(longer.rstrip()) > width:
            lines[-1] = lines[-1].rstrip()
            longer = word.lstrip()
            lines.append("")
        lines[-1] = longer
    return [one.strip() for one in lines]


def balanced(text: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """The text as as few lines of a width as it takes, about alike in length."""
    lines = wrapped(text, font, width)
    low, high = 0.0, width
    for _ in range(8):
        middle = (low + high) / 2
        narrower = wrapped(text, font, middle)
        if len(narrower) > len(lines) or max(map(font.getlength, narrower)) > middle:
            low = middle
        else:
            high, lines = middle, narrower
    return lines


def _words(text: str) -> list[str]:
    """The parts between which a line may end, each with the space behind it."""
    parts: list[str] = []
    for letter in text:
        if not parts:
            parts.append(letter)
            continue
        last = parts[-1][-1]
        is_free = _is_ideographic(last) or _is_ideographic(letter)
        is_free &= letter not in _NOT_FIRST and last not in _NOT_LAST
        if (last.isspace() or is_free) and not letter.isspace():
            parts.append(letter)
        else:
            parts[-1] += letter
    return parts


def _is_ideographic(letter: str) -> bool:
    return "\u3040" <= letter <= "\u30ff" or "\u3400" <= letter <= "\u9fff"


def _draw(
    draw: ImageDraw.ImageDraw,
    ground: Pixels,
    block: Block,
    room: _Room,
    said: tuple[str, Language],
) -> None:
    language = said[1]
    box, align = block.box, block.align
    if align == "left" and len(block.rows) == 1 and room.is_even_around(box, block.size):
        align = "center"  # of a button
    setting = _setting(block, align, room, said)
    # What became smaller stands in the middle of where it stood, what is one line fewer as well.
    is_middle = align == "center" or len(block.rows) == 1
    top = box.top + max(0.0, box.height - setting.height) / 2 if is_middle else float(box.top)
    if len(block.rows) == 1 and len(setting.lines) == 1:
        # On the line that it stood on: a letter's foot may reach below it, or its accent above.
        old = fonts.face(language, block.text, is_bold=block.is_bold).at(max(1, round(block.size)))
        foot = box.top - old.getbbox(block.text, anchor="ls")[1]
        top = foot - (_capital(setting.face, round(block.size)) + setting.capital) / 2
    anchor, x = {
        "left": ("ls", float(box.left)),
        "center": ("ms", (box.left + box.right) / 2),
        "right": ("rs", float(box.right)),
    }[align]
    if language.is_leftward and align == "left" and len(setting.lines) > 1:
        anchor, x = "rs", float(box.right)
    outline = _outline(ground, block)
    for number, line in enumerate(setting.lines):
        y = top + setting.capital + number * setting.pitch
        draw.text(
            (x, y),
            line,
            font=setting.font,
            fill=block.colour,
            anchor=anchor,
            stroke_width=round(setting.size / 14) if outline else 0,
            stroke_fill=outline,
        )


def _setting(block: Block, align: str, room: _Room, said: tuple[str, Language]) -> Setting:
    """A text in its type at a size that fits its place, and the free ground around it."""
    text, language = said
    box = block.box
    face = fonts.face(language, text, is_bold=block.is_bold)
    if align == "center":
        middle = (box.left + box.right) / 2
        width = 2 * max(box.width / 2, min(middle - room.left, room.right - middle))
    else:
        width = float(box.right - room.left if align == "right" else room.right - box.left)
    # A paragraph keeps its column.
    width = min(width, (_WIDER_MAX if len(block.rows) == 1 or align == "center" else 1) * box.width)
    tall = max(float(box.height), block.pitch * len(block.rows))
    height = max(float(box.height), min(float(room.foot - box.top), _HIGHER_MAX * tall))
    setting = fitted(text, face, block.size, block.pitch, (width, height))
    if align == "center" and len(setting.lines) > 1:
        lines = balanced(text, setting.font, width)
        setting = Setting(tuple(lines), face, setting.size, setting.pitch)
    return setting


def _outline(ground: Pixels, block: Block) -> tuple[int, int, int] | None:
    """The colour of an outline, where letters would be hard to tell from the ground behind them."""
    box = block.box
    part = ground[max(0, box.top) : box.foot, max(0, box.left) : box.right]
    apart = np.abs(part.astype(np.float32) - np.asarray(block.colour, np.float32)).max(axis=2)
    if float(np.percentile(apart, 15)) > _FAINT:
        return None
    light = float(np.dot(block.colour, (0.299, 0.587, 0.114)))
    return (16, 16, 16) if light > 110 else (245, 245, 245)
