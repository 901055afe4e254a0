"""Lines of text in a picture: where they stand, what they say, and what their letters look like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import msgspec
import numpy as np
from msgspec.structs import replace

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.translation import ocr
from darkroom.engine.backends.translation.ocr import Word

# What is read is brought to a size at which usual type is well read, pixels of the longer side.
_SIDE_MIN, _SIDE_MAX, _LARGER_MAX = 2000, 3600, 2.5
_SURE_MIN, _LINE_SURE_MIN, _SHORT_SURE_MIN, _LETTERS_MIN = 40.0, 70.0, 88.0, 2
_STRIP_TALL, _STRIPS_MAX, _COLOURS_APART = 44, 120, 90.0
_SHORT = 5
_SIGNS = cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT
_ENDS = frozenset("!?.…%&)")  # what else looks like a word at a line's end is an edge of something
_ASIDE = 4.0  # heights of what may belong to a line on both sides of what was seen of it
_APART = 1.4  # heights between words, beyond which they are texts of their own


class Box(msgspec.Struct, frozen=True):
    """A part of a picture, pixels."""

    left: int
    top: int
    right: int
    foot: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.foot - self.top

    def shares(self, other: Box) -> float:
        """How much of the smaller of two boxes lies in the other, 0 to 1."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        tall = min(self.foot, other.foot) - max(self.top, other.top)
        smaller = min(self.width * self.height, other.width * other.height)
        return max(wide, 0) * max(tall, 0) / max(smaller, 1)

    def grown(self, by: int) -> Box:
        """The box with a margin, within the picture above and to the left."""
        left, top = max(0, self.left - by), max(0, self.top - by)
        return Box(left, top, self.right + by, self.foot + by)

    def moved(self, right: int, down: int) -> Box:
        """The box elsewhere."""
        return Box(self.left + right, self.top + down, self.right + right, self.foot + down)

    @staticmethod
    def around(boxes: Sequence[Box]) -> Box:
        """The box around several."""
        return Box(
            min(one.left for one in boxes),
            min(one.top for one in boxes),
            max(one.right for one in boxes),
            max(one.foot for one in boxes),
        )


class Line(msgspec.Struct, frozen=True):
    """A line of text: its box, that of its letters without what a misread word adds."""

    parts: tuple[str, ...]
    words: tuple[Box, ...]
    sure: float
    is_light: bool = False  # lighter than its ground

    @property
    def box(self) -> Box:
        return Box.around(self.words)

    @property
    def text(self) -> str:
        """What it says; scripts that set no spaces come one character a word."""
        text = self.parts[0]
        for part in self.parts[1:]:
            is_close = _is_east_asian(text[-1]) and _is_east_asian(part[0])
            text += part if is_close else f" {part}"
        return text

    def without(self, count: int) -> Line:
        """The line without its first words."""
        return replace(self, parts=self.parts[count:], words=self.words[count:])

    def shrunk(self, scale: float) -> Line:
        """The line in a picture that was enlarged by the scale."""
        sides = [(one.left, one.top, one.right, one.foot) for one in self.words]
        words = tuple(Box(*(round(side / scale) for side in four)) for four in sides)
        return replace(self, words=words)

    def moved(self, right: int, down: int) -> Line:
        """The line elsewhere."""
        return replace(self, words=tuple(one.moved(right, down) for one in self.words))


def found(picture: Pixels, reads: Sequence[str], folder: Path) -> list[Line]:
    """The lines of text in RGB uint8 (h, w, 3), from the top down.

    Light text and dark text are looked for on pages of their own, on which the ground is white and
    even whatever it was; each place where there may be text is then read once more, by itself.
    """
    height, width = picture.shape[:2]
    scale = min(max(_SIDE_MIN / max(height, width), 1.0), _LARGER_MAX)
    scale = min(scale, _SIDE_MAX / max(height, width))
    size = max(8, round(width * scale)), max(8, round(height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    large = np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)
    pages = [inked(large, sign) for sign in _SIGNS]
    first = ocr.read(pages, reads, folder, layout=ocr.SPARSE, is_even=False)
    every = [gathered(words) for words in first]
    for by_colour in (False, True):
        cut = []
        for page, lines in zip(pages, every, strict=True):
            for row in _rows([word for one in lines for word in one.words])[:_STRIPS_MAX]:
                strip, place = _strip(_coloured(large, page, row) if by_colour else page, row)
                cut.append((lines, strip, place))
        strips = [strip for _, strip, _ in cut]
        read = ocr.read(strips, reads, folder, layout=ocr.ONE_LINE, is_even=True)
        for (lines, _, place), words in zip(cut, read, strict=True):
            lines += gathered([place.whole(one) for one in words])
    lines = [
        replace(line, is_light=sign == cv2.MORPH_TOPHAT)
        for sign, some in zip(_SIGNS, every, strict=True)
        for line in some
    ]
    kept = [one.shrunk(scale) for one in _best(lines) if says_something(one.text)]
    return sorted(kept, key=lambda one: (one.box.top, one.box.left))


def inked(picture: Pixels, sign: int) -> Pixels:
    """What is lighter (or darker) than its ground, in any colour, as black on white."""
    return inked_at(picture, sign, round(max(picture.shape[:2]) / 24) | 1)


def inked_at(picture: Pixels, sign: int, reach: int) -> Pixels:
    """The same for strokes narrower than `reach`, pixels."""
    stands = cv2.morphologyEx(picture, sign, np.ones((reach, reach), np.uint8))
    return np.asarray(255 - stands.max(axis=2), np.uint8)


class _Place(msgspec.Struct, frozen=True):
    """Where a strip was cut from a page, and by how much it was enlarged."""

    left: int
    top: int
    scale: float

    def whole(self, word: Word) -> Word:
        """A word of the strip where it stands on the page."""
        return replace(
            word,
            left=self.left + round(word.left / self.scale),
            right=self.left + round(word.right / self.scale),
            top=self.top + round(word.top / self.scale),
            foot=self.top + round(word.foot / self.scale),
        )


def _rows(boxes: Sequence[Box]) -> list[list[Box]]:
    """Boxes of words as lines: those that are close on one level together."""
    rows: list[list[Box]] = []
    for box in sorted(boxes, key=lambda one: one.left):
        for row in rows:
            other = row[-1]
            low, tall = sorted((box.height, other.height))
            level = min(box.foot, other.foot) - max(box.top, other.top) > 0.6 * low
            if level and tall < 2.5 * low and box.left - other.right < _APART * tall:
                row.append(box)
                break
        else:
            rows.append([box])
    return rows


def _coloured(picture: Pixels, page: Pixels, row: Sequence[Box]) -> Pixels:
    """How far the picture around a row is in colour from its letters, as they are on the page."""
    samples = []
    for box in row:
        part = np.s_[box.top : box.foot, box.left : box.right]
        dark = page[part] <= np.percentile(page[part], 12)
        samples.append(picture[part][dark])
    colour = np.median(np.concatenate(samples), axis=0).astype(np.float32)
    box = Box.around(row)
    far = np.full(page.shape, 255, np.uint8)
    above, aside = box.height, round((_ASIDE + 1) * box.height)
    part = np.s_[
        max(0, box.top - above) : box.foot + above, max(0, box.left - aside) : box.right + aside
    ]
    apart = np.abs(picture[part].astype(np.float32) - colour).max(axis=2)
    far[part] = np.clip(apart * (255 / _COLOURS_APART), 0, 255).astype(np.uint8)
    return far


def _strip(page: Pixels, row: Sequence[Box]) -> tuple[Pixels, _Place]:
    """A line by itself, of a height that is read well, with what may belong to it on both sides."""
    height, width = page.shape
    box = replace(
        Box.around(row),
        top=int(np.percentile([one.top for one in row], 40)),
        foot=int(np.percentile([one.foot for one in row], 60)),
    )
    aside, above = round(_ASIDE * box.height), round(0.3 * box.height)
    left, top = max(0, box.left - aside), max(0, box.top - above)
    part = page[top : min(height, box.foot + above), left : min(width, box.right + aside)]
    scale = _STRIP_TALL / max(1, box.height)
    size = max(8, round(part.shape[1] * scale)), max(8, round(part.shape[0] * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    framed = cv2.copyMakeBorder(
        cv2.resize(part, size, interpolation=way), 8, 8, 8, 8, cv2.BORDER_REPLICATE
    )
    # The darkest is made black.
    low = float(np.percentile(framed, 2))
    even = np.clip((framed - low) * (255 / max(255 - low, 1)), 0, 255).astype(np.uint8)
    return even, _Place(left - round(8 / scale), top - round(8 / scale), scale)


def gathered(words: Sequence[Word]) -> list[Line]:
    """Words as lines, those that are far apart as several."""
    rows: dict[tuple[str, ...], list[Word]] = {}
    for word in words:
        if word.sure >= _SURE_MIN:
            rows.setdefault(word.line, []).append(word)
    lines = []
    for row in rows.values():
        row.sort(key=lambda one: one.left)
        while row and not any(map(str.isalnum, row[-1].text)) and row[-1].text not in _ENDS:
            row.pop()
        while row and not any(map(str.isalnum, row[0].text)):
            row.pop(0)
        if not row:
            continue
        tall = float(np.median([one.foot - one.top for one in row]))
        part = [row[0]]
        for word in row[1:]:
            if word.left - part[-1].right > _APART * tall:
                lines.append(_line(part))
                part = []
            part.append(word)
        lines.append(_line(part))
    return [one for one in lines if one.sure >= _least_sure(one.text)]


def _least_sure(text: str) -> float:
    """What is short is seen in anything."""
    return _LINE_SURE_MIN if sum(map(str.isalnum, text)) > _SHORT else _SHORT_SURE_MIN


def _line(words: Sequence[Word]) -> Line:
    boxes = tuple(Box(one.left, one.top, one.right, one.foot) for one in words)
    count = sum(len(one.text) for one in words)
    return Line(
        tuple(one.text for one in words),
        boxes,
        sum(one.sure * len(one.text) for one in words) / count,
    )


def _is_east_asian(letter: str) -> bool:
    return "\u2e80" <= letter <= "\u9fff" or "\uac00" <= letter <= "\ud7a3" or letter > "\uf900"


def says_something(text: str) -> bool:
    """Whether there are letters to translate: a price or a mark is none."""
    letters = sum(one.isalpha() for one in text)
    has_east_asian = any(_is_east_asian(one) for one in text)
    return (letters >= _LETTERS_MIN or has_east_asian) and letters >= 0.4 * len(
        text.replace(" ", "")
    )


def _best(lines: Sequence[Line]) -> list[Line]:
    """Of lines that lie over each other those that say the most, most surely."""
    kept: list[Line] = []
    for line in sorted(lines, key=lambda one: (_SURE_MIN - one.sure) * len(one.text)):
        if _is_seen_twice(line, lines) and all(line.box.shares(other.box) < 0.3 for other in kept):
            kept.append(line)
    return kept


def _is_seen_twice(line: Line, lines: Sequence[Line]) -> bool:
    """Whether a short text was read alike more than once: letters are, what looks like some not."""
    if sum(map(str.isalnum, line.text)) > _SHORT:
        return True
    return sum(one.text == line.text and one.box.shares(line.box) > 0.5 for one in lines) > 1
