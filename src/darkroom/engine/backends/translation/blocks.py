"""Blocks of text: lines that belong together, how they are set, what their letters look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import cv2
import msgspec
import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.salience import Flags
from darkroom.engine.backends.translation import fonts
from darkroom.engine.backends.translation.languages import LANGUAGES
from darkroom.engine.backends.translation.lines import Box, Line, inked

Align = Literal["left", "center", "right"]
_ICON_LETTERS_MAX = 2
_INK_SHARE = 12  # per cent of a word's pixels that surely are ink
_COLOURS_APART_MAX, _GROUND_APART_MIN = 60.0, 30.0
_SIZE_MEASURED = 200  # pixels, at which a font is compared with what was found


class Block(msgspec.Struct, frozen=True):
    """A text and where it stands: each line's left, top, right and foot, its type, its colour.

    `size` is the type's, pixels; `pitch` from one line to the next.
    """

    text: str
    rows: list[tuple[int, int, int, int]]
    align: Align
    colour: tuple[int, int, int]
    size: float
    pitch: float
    is_bold: bool

    @property
    def box(self) -> Box:
        return Box.around([Box(*row) for row in self.rows])


class _Set(msgspec.Struct, frozen=True):
    """A line with what its letters look like; `box` is that of its ink."""

    line: Line
    box: Box
    colour: tuple[int, int, int]
    size: float
    is_bold: bool


def blocks(picture: Pixels, lines: Sequence[Line]) -> tuple[list[Block], Flags]:
    """The blocks in RGB uint8 (h, w, 3), and bool (h, w) of their letters, to be taken away."""
    marked = np.zeros(picture.shape[:2], np.bool_)
    pages = {light: inked(picture, sign) for light, sign in _SIGNS.items()}
    plain = [_without_icon(picture, pages[line.is_light], line) for line in lines]
    pieces = [_measured(picture, pages, line, marked) for line in plain]
    groups: list[list[_Set]] = []
    for piece in pieces:
        for group in groups:
            if _goes_on(group, piece):
                group.append(piece)
                break
        else:
            groups.append([piece])
    width = picture.shape[1]
    return [_block(group, _alignment(group, groups, width)) for group in groups], marked


_SIGNS = {True: cv2.MORPH_TOPHAT, False: cv2.MORPH_BLACKHAT}


def _measured(picture: Pixels, pages: Mapping[bool, Pixels], line: Line, marked: Flags) -> _Set:
    """What a line's letters look like; they are added to the mask."""
    box, tall = line.box, line.box.height
    grown = max(2, round(0.3 * tall))
    top, left = max(0, box.top - grown), max(0, box.left - grown)
    part = np.s_[top : box.foot + grown, left : box.right + grown]
    ring = np.concatenate([picture[part][: grown // 2 + 1], picture[part][-(grown // 2) - 1 :]])
    ground = np.median(ring.reshape(-1, 3), axis=0)
    colours = [_colour(picture, pages[light], line) for light in (line.is_light, not line.is_light)]
    # What was read between the letters has the ground's colour.
    colour = colours[float(np.abs(colours[0] - ground).max()) < _GROUND_APART_MIN]
    apart = np.abs(picture[part].astype(np.float32) - colour.astype(np.float32)).max(axis=2)
    between = 0.5 * float(np.abs(colour - ground).max())
    ink = apart < min(max(between, _GROUND_APART_MIN / 2), _COLOURS_APART_MAX)
    inner = np.zeros_like(ink)
    inner[box.top - top : box.foot - top, box.left - left : box.right - left] = True
    # What touches the line from outside, such as a frame of its colour, is none of it.
    ink &= _touching(ink, inner)
    rim = 2 * max(3, round(0.14 * tall)) + 1
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (rim, rim))
    wide = cv2.dilate(ink.astype(np.uint8), brush) > 0
    marked[part] |= wide
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if len(rows) and len(columns):
        right, foot = left + int(columns[-1]) + 1, top + int(rows[-1]) + 1
        box = Box(left + int(columns[0]), top + int(rows[0]), right, foot)
    size, is_bold = type_of(line.text, box, float((wide & (apart < between)).sum()))
    red, green, blue = (int(one) for one in colour)
    return _Set(line, box, (red, green, blue), size, is_bold)


def _without_icon(picture: Pixels, page: Pixels, line: Line) -> Line:
    """The line without what was read in an icon before it: one or two letters in another colour."""
    if len(line.parts) < 2 or sum(map(str.isalnum, line.parts[0])) > _ICON_LETTERS_MAX:
        return line
    rest = line.without(1)
    first = _colour(picture, page, replace(line, words=line.words[:1]))
    apart = float(np.abs(first - _colour(picture, page, rest)).max())
    return rest if apart > _COLOURS_APART_MAX else line


def _colour(picture: Pixels, page: Pixels, line: Line) -> npt.NDArray[np.float64]:
    """The colour of what the page shows darkest within the words of a line."""
    samples = []
    height, width = page.shape
    for word in line.words:
        top, left = min(max(0, word.top), height - 1), min(max(0, word.left), width - 1)
        part = np.s_[top : max(word.foot, top + 1), left : max(word.right, left + 1)]
        samples.append(picture[part][page[part] <= np.percentile(page[part], _INK_SHARE)])
    return np.asarray(np.median(np.concatenate(samples), axis=0), np.float64)


def _touching(ink: Flags, inner: Flags) -> Flags:
    """The pieces of the ink that lie in a line for the most part."""
    count, labels = cv2.connectedComponents(ink.astype(np.uint8), connectivity=8)
    whole = np.bincount(labels.ravel(), minlength=count)
    inside = np.bincount(labels[inner].ravel(), minlength=count)
    kept = inside > 0.5 * whole
    kept[0] = False
    return np.asarray(kept[labels], np.bool_)


def type_of(text: str, box: Box, ink: float) -> tuple[float, bool]:
    """The size at which a text is as high in our font as its box, and whether it is rather bold.

    `ink` is how many pixels of the box its letters have.
    """
    found = []
    for is_bold in (False, True):
        face = fonts.face(LANGUAGES["en"], text, is_bold=is_bold)
        if face.lacks(text):
            return box.height / 0.9, False
        font = face.at(_SIZE_MEASURED)
        mask = font.getmask(text)
        tall = mask.getbbox()[3] - mask.getbbox()[1]
        scale = box.height / tall
        share = float(np.asarray(mask, np.uint8).sum()) / 255 * scale * scale
        # As much ink on the same width: other fonts are wider or narrower.
        width = max(1.0, mask.getbbox()[2] - mask.getbbox()[0]) * scale
        found.append((abs(share / width - ink / box.width), _SIZE_MEASURED * scale, is_bold))
    _, size, is_bold = min(found)
    return size, is_bold


def _goes_on(group: Sequence[_Set], piece: _Set) -> bool:
    """Whether a line goes on with the text of those above it: of their type, and right below."""
    last = group[-1]
    alike = max(last.size, piece.size) < 1.25 * min(last.size, piece.size)
    alike &= max(abs(a - b) for a, b in zip(last.colour, piece.colour, strict=True)) < 60
    gap = piece.line.box.top - last.line.box.foot
    if not alike or last.is_bold != piece.is_bold or not -0.4 < gap / piece.size < 1.0:
        return False
    spread = _spread([one.box for one in (*group, piece)])
    if min(spread.values()) > 0.6 * piece.size:
        return False
    text, more = last.line.text, piece.line.text
    if text[-1].isdigit() or more[0].isdigit() or more[0] in "•-–*":
        return False
    # A line that had room for the next word was ended on purpose, unless in the mid of a sentence.
    width = max(one.box.width for one in (*group, piece))
    word = piece.line.words[0].width + 0.25 * piece.size
    had_room = last.box.width + word < 0.97 * width
    return not had_room or (more[0].islower() and text[-1] not in ".!?:;")


def _spread(boxes: Sequence[Box]) -> dict[Align, float]:
    """How far apart the left sides, middles and right sides of boxes are."""
    return {
        "left": float(np.ptp([one.left for one in boxes])),
        "center": float(np.ptp([(one.left + one.right) / 2 for one in boxes])),
        "right": float(np.ptp([one.right for one in boxes])),
    }


def _alignment(group: Sequence[_Set], groups: Sequence[Sequence[_Set]], width: int) -> Align:
    """How a block is set: by its own lines, or, if it is one, by what stands above and below."""
    boxes = [one.box for one in group]
    size = group[0].size
    if len(boxes) == 1:
        if abs(boxes[0].left + boxes[0].right - width) < 0.02 * width:
            return "center"
        others = [Box.around([one.box for one in other]) for other in groups if other is not group]
        near = [
            min(abs(one.top - boxes[0].foot), abs(one.foot - boxes[0].top)) < 3 * size
            for one in others
        ]
        for one, is_near in zip(others, near, strict=True):
            if is_near:
                spread = _spread([*boxes, one])
                least: Align = min(spread, key=lambda side: spread[side])
                if spread[least] < 0.25 * size:
                    return least
        return "left"
    spread = _spread(boxes)
    # Left where they tell little, all of one length.
    spread["left"] -= 0.08 * size
    return min(spread, key=lambda side: spread[side])


def _block(group: Sequence[_Set], align: Align) -> Block:
    size = float(np.median([one.size for one in group]))
    tops = [one.line.box.top for one in group]
    pitch = float(np.median(np.diff(tops))) if len(group) > 1 else 1.25 * size
    colour = np.median([one.colour for one in group], axis=0)
    text = group[0].line.text
    for one in group[1:]:
        is_split = text.endswith("-") and text[-2:-1].islower() and one.line.text[0].islower()
        text = text[:-1] + one.line.text if is_split else f"{text} {one.line.text}"
    rows = [(one.box.left, one.box.top, one.box.right, one.box.foot) for one in group]
    red, green, blue = (int(one) for one in colour)
    return Block(text, rows, align, (red, green, blue), size, pitch, group[0].is_bold)
