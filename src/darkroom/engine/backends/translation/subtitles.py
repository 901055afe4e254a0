"""video-subtitle-translate, its first half: a clip's subtitles found, and each read once."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import msgspec
import numpy as np
from msgspec.structs import replace

from darkroom.engine.backends.contract import Context
from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox import footage, overlays
from darkroom.engine.backends.toolbox.footage import Footage
from darkroom.engine.backends.toolbox.overlays import Mask
from darkroom.engine.backends.translation import lines, ocr
from darkroom.engine.backends.translation.blocks import type_of
from darkroom.engine.backends.translation.lines import Box, Line
from darkroom.errors import BadInput

# What is kept of them in the task's folder: when and where, and the masks of their letters.
SHOTS, MASK = "subtitles.json", "letters-{}.png"
_RIM = 0.009  # of a frame's height, around letters, that is erased with them
_FAINT = 0.35  # of what letters stand out by, what is still of one
_SHOTS_MAX = 1000
_STILL = 0.55  # of the contrast of a subtitle, with which it is still shown
_APART_SECONDS = 0.25  # between frames, of which what stands in all is a letter's
_LONGER = 1.4  # times the width that is known of a subtitle, of which too little was seen then
_FRAMES_MORE = 3  # in which a line beside those that are shown is seen, until it is one
_TOGETHER_SECONDS = 0.4  # between two of the same words, which are one that was not seen
_ASIDE = 6.0  # heights of what may belong to a line on both sides of what was seen of it
_TALL = 44.0  # of a line when it is read, pixels
_FOUND, _SEEN = 0.35, 0.8  # of the way: where they are, when they are
_FEET = frozenset("gjpqy,;()")


class Shot(msgspec.Struct, frozen=True):
    """A subtitle: its text's number, its first frame and the one behind its last, its place.

    The box is left, top, right and foot, pixels; `foot` the line that its last line stands on.
    """

    text: int
    start: int
    end: int
    box: tuple[int, int, int, int]
    foot: int


class Kept(msgspec.Struct, frozen=True):
    """What is kept of a clip between finding and setting; the type is the same for all of it.

    `covers` are the old letters: from which frame until which, and the number of their mask, which
    is of the part of the frame where subtitles stand.
    """

    shots: list[Shot]
    covers: list[tuple[int, int, int]]
    region: tuple[int, int, int, int]
    size: float
    is_bold: bool
    colour: tuple[int, int, int]


class _Seen(msgspec.Struct):
    """One subtitle while it is shown: its strokes, and the darkest that each pixel has been.

    Letters are bright and stand still, and what moves behind them is dark at some time.
    """

    start: int
    last: int
    marks: Mask
    darkest: Pixels
    boxes: list[Box]
    contrast: float = 0.0

    def goes_on(self, part: Pixels) -> bool:
        """Whether a frame shows it still: its strokes stand out as much as they did."""
        bright = _standing(part)[..., 0]
        now = self._apart(bright)
        self.contrast = max(self.contrast, now)
        if now < _STILL * self.contrast:
            return False
        # What was taken for a stroke and has moved is none.
        level = float(np.median(bright[self.marks > 0]))
        self.marks[bright < 0.7 * level] = 0
        np.minimum(self.darkest, part, out=self.darkest)
        return bool(self.marks.any())

    def _apart(self, bright: Mask) -> float:
        wide = cv2.dilate(self.marks, np.ones((7, 7), np.uint8))
        rim = (wide > 0) & (cv2.dilate(self.marks, np.ones((3, 3), np.uint8)) == 0)
        if not self.marks.any() or not rim.any():
            return 0.0
        return float(bright[self.marks > 0].mean()) - float(bright[rim].mean())


class _Read(msgspec.Struct, frozen=True):
    """A subtitle that was read, with the sizes and colours of its lines."""

    seen: _Seen
    lines: list[Line]
    types: list[tuple[float, bool]]
    colour: tuple[int, int, int]

    @property
    def text(self) -> str:
        return " ".join(one.text for one in self.lines)


def find(path: Path, reads: Sequence[str], context: Context) -> list[str]:
    """The different texts of a clip's subtitles; when and where is kept in the folder."""
    footage.seeded(context.seed)
    clip = footage.probed(path)
    pairs = overlays.sampled(clip, footage.part(context, 0, _FOUND))
    bands = overlays.subtitles([(_standing(*pair),) * 2 for pair in pairs])
    if not bands:
        return []
    region = Box.around([Box(*one.pixels(clip.size[::-1])) for one in bands])
    read = _read([*_watched(clip, region, context)], clip.size[1], reads, context.folder)
    if not read:
        return []
    texts = list(dict.fromkeys(one.text for one in read))
    types = [one for each in read for one in each.types]
    kept = Kept(
        _joined([_shot(one, texts, region) for one in read], clip.fps),
        [(one.seen.start, one.seen.last + 1, number) for number, one in enumerate(read)],
        (region.left, region.top, region.right, region.foot),
        float(np.median([size for size, _ in types])),
        sum(is_bold for _, is_bold in types) > len(types) / 2,
        Counter(one.colour for one in read).most_common(1)[0][0],
    )
    for number, one in enumerate(read):
        cv2.imwrite(str(context.folder / MASK.format(number)), _letters(one, clip.size[1]))
    (context.folder / SHOTS).write_bytes(msgspec.json.encode(kept))
    return texts


def _letters(read: _Read, height: int) -> Mask:
    """The letters of a subtitle with their rims and shadows, 255 or 0."""
    standing = np.ascontiguousarray(_standing(read.seen.darkest)[..., 0])
    mask = np.zeros_like(standing)
    for line in read.lines:
        box, tall = line.box.grown(round(0.35 * line.box.height)), line.box.height
        part = np.s_[box.top : box.foot, box.left : box.right]
        wide = np.ones((tall | 1, tall | 1), np.uint8)
        stands = cv2.morphologyEx(standing[part], cv2.MORPH_TOPHAT, wide)
        mask[part][stands > _FAINT * float(np.percentile(stands, 97))] = 255
    reach = 2 * max(2, round(_RIM * height)) + 1
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    return np.asarray(cv2.dilate(mask, brush), np.uint8)


def _standing(*frames: Pixels) -> Pixels:
    """What is bright in all frames, in two colours at least, as white letters are and yellow ones.

    It is grey, as RGB uint8 (h, w, 3): what moves behind letters is dark at some time.
    """
    darkest = frames[0]
    for one in frames[1:]:
        darkest = np.asarray(np.minimum(darkest, one), np.uint8)
    low, high = darkest.min(axis=2), darkest.max(axis=2)
    middle = darkest.sum(axis=2, dtype=np.uint16) - low - high
    return np.repeat(middle.astype(np.uint8)[..., None], 3, axis=2)


def _watched(clip: Footage, region: Box, context: Context) -> Iterator[_Seen]:
    """Each subtitle that stands in a part of the frame, from its first frame to its last."""
    tell = footage.part(context, _FOUND, _SEEN)
    height, count, more, ended = clip.size[1], 0, 0, 0
    now: _Seen | None = None
    apart = max(1, round(clip.fps * _APART_SECONDS))
    before: deque[Pixels] = deque(maxlen=apart + 1)
    for number, pixels in enumerate(clip.frames()):
        tell((number + 1) / clip.count)
        part = pixels[region.top : region.foot, region.left : region.right].copy()
        before.append(part)
        if len(before) <= apart:
            continue
        standing = _standing(before[0], before[apart // 2], part)
        marks = overlays.strokes(standing, height)
        boxes = [Box(*one) for one in overlays.lines(standing, marks, height)]
        if now is not None:
            more = more + 1 if _is_more(boxes, now.boxes) else 0
            if more <= _FRAMES_MORE and now.goes_on(part):
                now.last = number
                continue
            yield now
            ended, now = now.last + 1, None
        if boxes:
            count += 1
            if count > _SHOTS_MAX:
                raise BadInput(f"The clip shows more than {_SHOTS_MAX} subtitles.")
            # It stood there when the first of these frames was shown.
            darkest = np.minimum(before[0], part)
            start = max(number - apart, ended)
            now = _Seen(start, number, _within(marks, boxes), darkest, boxes)
            more = 0
    if now is not None:
        yield now


def _is_more(boxes: Sequence[Box], shown: Sequence[Box]) -> bool:
    """Whether lines are seen beside those that are shown, or far longer ones."""
    wide, was = (sum(one.width for one in each) for each in (boxes, shown))
    beside = any(all(one.shares(old) < 0.2 for old in shown) for one in boxes)
    return beside or wide > _LONGER * was


def _within(marks: Mask, boxes: Sequence[Box]) -> Mask:
    kept = np.zeros_like(marks)
    for box in boxes:
        part = np.s_[box.top : box.foot, box.left : box.right]
        kept[part] = marks[part]
    return kept


def _read(seen: Sequence[_Seen], height: int, reads: Sequence[str], folder: Path) -> list[_Read]:
    """What the subtitles say, each read once; what cannot be read is left as it is."""
    pages, places = [], []
    for one in seen:
        standing = _standing(one.darkest)
        rows = overlays.lines(standing, overlays.strokes(standing, height), height)
        boxes = [Box(*row) for row in rows] or one.boxes
        tall = float(np.median([box.height for box in boxes]))
        around = Box.around(boxes)
        pad, aside = round(0.6 * tall), round(_ASIDE * tall)
        left, top = max(0, around.left - aside), max(0, around.top - pad)
        part = standing[top : around.foot + pad, left : around.right + aside]
        stands = 255 - lines.inked_at(part, cv2.MORPH_TOPHAT, round(2.5 * tall) | 1)
        scale = _TALL / max(tall, 1.0)
        size = max(8, round(part.shape[1] * scale)), max(8, round(part.shape[0] * scale))
        large = cv2.resize(stands, size, interpolation=cv2.INTER_CUBIC)
        level = max(float(np.percentile(large, 98)), 1.0)
        pages.append(np.asarray(255 - np.clip(large * (255 / level), 0, 255), np.uint8))
        places.append((left, top, scale))
    found = []
    read = ocr.read(pages, reads, folder, layout=ocr.ONE_BLOCK, is_even=True)
    for one, (left, top, scale), words in zip(seen, places, read, strict=True):
        said = [line for line in lines.gathered(words) if lines.says_something(line.text)]
        said = [line.shrunk(scale).moved(left, top) for line in said]
        if said:
            tall = max(line.box.height for line in said)
            # Above another, or to the left on its level.
            said.sort(key=lambda line: (round(line.box.foot / tall), line.box.left))
            found.append(_measured(one, said))
    return found


def _measured(seen: _Seen, rows: list[Line]) -> _Read:
    types, colours = [], []
    for row in rows:
        box = row.box
        part = np.s_[max(0, box.top) : box.foot, max(0, box.left) : box.right]
        bright = seen.darkest[part].max(axis=2) > 0.6 * float(seen.darkest[part].max())
        types.append(type_of(row.text, box, float(bright.sum())))
        sure = seen.darkest[part][seen.marks[part] > 0]
        if len(sure):
            colours.append(np.percentile(sure, 75, axis=0))
    colour = np.median(colours, axis=0) if colours else np.array((245, 245, 245))
    # Compression moves colours a little: those of one clip are told apart roughly.
    red, green, blue = (min(255, round(float(one) / 16) * 16) for one in colour)
    return _Read(seen, rows, types, (red, green, blue))


def _shot(read: _Read, texts: Sequence[str], region: Box) -> Shot:
    box = Box.around([one.box for one in read.lines]).moved(region.left, region.top)
    last = read.lines[-1]
    below = 0.21 * read.types[-1][0] if _FEET & set(last.text) else 0.0
    foot = region.top + last.box.foot - round(below)
    place = (box.left, box.top, box.right, box.foot)
    seen = read.seen
    return Shot(texts.index(read.text), seen.start, seen.last + 1, place, foot)


def _joined(shots: Sequence[Shot], fps: float) -> list[Shot]:
    """Shots of one text right after each other as one."""
    joined: list[Shot] = []
    for shot in shots:
        last = joined[-1] if joined else None
        if last and last.text == shot.text and shot.start - last.end < _TOGETHER_SECONDS * fps:
            joined[-1] = replace(last, end=shot.end)
        else:
            joined.append(shot)
    return joined
