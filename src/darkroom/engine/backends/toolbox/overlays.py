"""What is laid over a clip: lines of text that stand still for a while, marks that never move."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.footage import FloatArray, Footage, Progress

Mask = npt.NDArray[np.uint8]
SAMPLES_MAX = 48
_HEIGHT = 360  # what is searched is shrunk to so many rows
_LETTERS_MIN = 4
_LETTERS_MAX = 500


class Box(msgspec.Struct, frozen=True):
    """A part of the frame: left, top, right and bottom as parts of width and height, 0 to 1."""

    left: float
    top: float
    right: float
    bottom: float

    def pixels(self, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Left, top, right and bottom in whole pixels of a frame (height, width), not empty."""
        height, width = shape[:2]
        left, top = int(self.left * width), int(self.top * height)
        right, bottom = int(np.ceil(self.right * width)), int(np.ceil(self.bottom * height))
        left, top = min(left, width - 1), min(top, height - 1)
        return left, top, max(left + 1, min(right, width)), max(top + 1, min(bottom, height))

    def grown(self, x: float, y: float) -> Box:
        """The box with a margin, as parts of width and height, within the frame."""
        return Box(
            max(0.0, self.left - x),
            max(0.0, self.top - y),
            min(1.0, self.right + x),
            min(1.0, self.bottom + y),
        )


def strokes(pixels: Pixels, height: int) -> Mask:
    """Bright thin strokes, 255 or 0: what letters are made of, with or without a dark outline.

    `height` is that of the whole frame, of which the pixels may be a part.
    """
    bright = np.asarray(pixels.max(axis=2))
    reach = max(5, round(height / 22)) | 1
    hat = cv2.morphologyEx(bright, cv2.MORPH_TOPHAT, np.ones((reach, reach), np.uint8))
    return np.asarray(((hat > 60) & (bright > 150)) * np.uint8(255), np.uint8)


def lines(pixels: Pixels, marks: Mask, height: int) -> list[tuple[int, int, int, int]]:
    """Lines of text in a frame: left, top, right, bottom of each in pixels.

    Strokes that hang together are letters when they are of a letter's size; letters are a line when
    they are of one height, one colour, side by side, and at least four. `height` is that of the
    whole frame.
    """
    count, _, stats, _ = cv2.connectedComponentsWithStats(marks, connectivity=8)
    boxes = np.asarray(stats[1:count], np.int32)
    tall, wide, area = boxes[:, 3], boxes[:, 2], boxes[:, 4]
    filled = area / np.maximum(wide * tall, 1)
    good = (tall > 0.018 * height) & (tall < 0.10 * height) & (wide < 3.5 * tall)
    good &= (filled > 0.15) & (filled < 0.95)
    letters = boxes[good][:_LETTERS_MAX]
    letters = letters[np.argsort(letters[:, 0], kind="stable")]
    found = [one for one in _rows(letters) if len(one) >= _LETTERS_MIN]
    return [_around(row) for row in found if _even_coloured(pixels, marks, _around(row))]


def _rows(letters: npt.NDArray[np.int32]) -> list[list[npt.NDArray[np.int32]]]:
    """Letters from left to right gathered into lines."""
    rows: list[list[npt.NDArray[np.int32]]] = []
    for letter in letters:
        apart = [_apart(row[-1], letter) for row in rows]
        if apart and min(apart) < 1:
            rows[int(np.argmin(apart))].append(letter)
        else:
            rows.append([letter])
    return rows


def _apart(before: npt.NDArray[np.int32], letter: npt.NDArray[np.int32]) -> float:
    """How badly a letter follows another: 0 is as in print, 1 and more not at all."""
    at, above, wide, height = (int(one) for one in before[:4])
    left, top, _, tall = (int(one) for one in letter[:4])
    larger = max(tall, height)
    gap = (left - at - wide) / (1.7 * larger)
    foot = abs((top + tall) - (above + height)) / (0.45 * larger)
    return max(gap, 0.0, foot, larger / min(tall, height) / 2.6)


def _around(row: Sequence[npt.NDArray[np.int32]]) -> tuple[int, int, int, int]:
    boxes = np.stack(row)
    right, bottom = (boxes[:, 0] + boxes[:, 2]).max(), (boxes[:, 1] + boxes[:, 3]).max()
    return int(boxes[:, 0].min()), int(boxes[:, 1].min()), int(right), int(bottom)


def _even_coloured(pixels: Pixels, marks: Mask, box: tuple[int, int, int, int]) -> bool:
    """Whether the strokes are of one colour, as type is and windows or foam are not."""
    left, top, right, bottom = box
    inner = cv2.erode(marks[top:bottom, left:right], np.ones((2, 2), np.uint8)) > 0
    if inner.sum() < 12:
        inner = marks[top:bottom, left:right] > 0
    # The edges of thin strokes are of many shades: looked at is the brightest beside each pixel.
    ridges = cv2.dilate(pixels[top:bottom, left:right], np.ones((3, 3), np.uint8))
    colours = ridges[inner].astype(np.float32)
    middle = np.median(colours, axis=0)
    return float(np.median(np.abs(colours - middle).max(axis=1))) < 16


def sampled(clip: Footage, progress: Progress) -> list[tuple[Pixels, Pixels]]:
    """Up to 48 pairs of small frames a few frames apart, from all over a clip."""
    rows = min(_HEIGHT, clip.size[1])
    size = (max(16, round(clip.size[0] * rows / clip.size[1])), rows)
    apart = max(1, round(clip.fps / 8))
    every = max(apart + 1, clip.count // SAMPLES_MAX)
    pairs: list[tuple[Pixels, Pixels]] = []
    first: Pixels | None = None
    for number, pixels in enumerate(clip.frames()):
        at = number % every
        if at in (0, apart):
            small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
            if at == 0:
                first = small
            elif first is not None:
                pairs.append((first, small))
                first = None
        progress((number + 1) / clip.count)
    if first is not None and not pairs:
        pairs.append((first, first))
    return pairs


def standing_lines(pair: tuple[Pixels, Pixels]) -> list[Box]:
    """The lines of text that both frames of a pair have in the same place."""
    height, width = pair[0].shape[:2]
    marks = [strokes(one, height) for one in pair]
    out = []
    for left, top, right, bottom in lines(pair[0], marks[0], height):
        part = np.s_[top:bottom, left:right]
        both = float(np.count_nonzero(marks[0][part] & marks[1][part]))
        either = float(np.count_nonzero(marks[0][part] | marks[1][part]))
        if both > 0.7 * either:
            out.append(Box(left / width, top / height, right / width, bottom / height))
    return out


def subtitles(pairs: Sequence[tuple[Pixels, Pixels]]) -> list[Box]:
    """The bands in the lower part of a clip where lines of text stand again and again."""
    found = [
        [one for one in standing_lines(pair) if (one.top + one.bottom) > 1.1 and _central(one)]
        for pair in pairs
    ]
    votes = np.zeros(200, int)
    for one in found:
        rows = np.zeros(200, bool)
        for box in one:
            rows[int(box.top * 200) : int(np.ceil(box.bottom * 200))] = True
        votes += rows
    enough = votes >= max(1, round(0.06 * len(pairs)))
    if not enough.any() or votes.max() < min(2, len(pairs)):
        return []
    return _bands(enough, [box for one in found for box in one])


def _central(box: Box) -> bool:
    return abs(box.left + box.right - 1) < 0.5


def _bands(rows: npt.NDArray[np.bool_], boxes: Sequence[Box]) -> list[Box]:
    """One box for each run of rows, wide enough for lines longer than those that were seen."""
    borders = np.flatnonzero(np.diff(np.concatenate([[False], rows, [False]]).astype(int)))
    out = []
    for top, bottom in zip(borders[::2] / 200, borders[1::2] / 200, strict=True):
        inside = [one for one in boxes if one.top < bottom and one.bottom > top]
        if inside:
            left = min(*(one.left for one in inside), 0.1)
            right = max(*(one.right for one in inside), 0.9)
            out.append(Box(left, float(top), right, float(bottom)).grown(0.03, 0.02))
    return out


def watermarks(pairs: Sequence[tuple[Pixels, Pixels]]) -> list[tuple[Box, Mask | None]]:
    """Parts near the border whose edges stay the same while the rest of the clip moves.

    Edges that never move keep their gradient's mean (Dekel et al., "On the effectiveness of visible
    watermarks", 2017); where the whole clip stands still, only lines of text in a corner count.
    Each comes with its shape, 255 or 0 in a small frame, where that is known.
    """
    fixed, mean = fixed_edges(pairs)
    if fixed is None:
        corner = [one for pair in pairs for one in standing_lines(pair) if _cornered(one)]
        return [(one, None) for one in _joined(corner, len(pairs) // 2)]
    height, width = fixed.shape
    reach = max(3, round(height * 0.03))
    closed = cv2.dilate(fixed.astype(np.uint8), np.ones((reach, reach * 2), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(closed)
    out: list[tuple[Box, Mask | None]] = []
    for left, top, wide, tall, _ in stats[1:count]:
        part = np.s_[top : top + tall, left : left + wide]
        sides = (left / width, top / height, (left + wide) / width, (top + tall) / height)
        box = Box(*(float(side) for side in sides))
        if (
            fixed[part].sum() > 0.0006 * fixed.size
            and _at_side(box)
            and _many_ways(mean[0][part][fixed[part]], mean[1][part][fixed[part]])
        ):
            out.append((box, shaped(fixed, box)))
    return out


def fixed_edges(
    pairs: Sequence[tuple[Pixels, Pixels]],
) -> tuple[npt.NDArray[np.bool_] | None, tuple[FloatArray, FloatArray]]:
    """Where edges never move, in a small frame, and the mean gradient, x and y.

    None for the first where most of the clip stands still, which then tells nothing.
    """
    mean, size = _gradients([pair[0] for pair in pairs])
    steady = np.hypot(*mean) / (size + 2.0)
    fixed = (steady > 0.85) & (size > 9.0)
    busy = int((size > 9.0).sum())
    moves = len(pairs) >= 3 and fixed.sum() <= 0.35 * max(busy, 1)
    return (fixed if moves else None), mean


def shaped(fixed: npt.NDArray[np.bool_], box: Box) -> Mask | None:
    """What edges that never move enclose within a box, 255 or 0; None where there is too little."""
    left, top, right, bottom = box.pixels(fixed.shape)
    part = np.s_[top:bottom, left:right]
    if fixed[part].sum() < 0.02 * fixed[part].size:
        return None
    shape = np.zeros(fixed.shape, np.uint8)
    shape[part] = _filled(fixed[part])
    return shape


def _many_ways(x: FloatArray, y: FloatArray) -> bool:
    """Whether edges run in more than one direction: along one, a moving scene stays the same."""
    across, down = float(np.square(x).sum()), float(np.square(y).sum())
    return min(across, down) > 0.2 * max(across, down)


def _filled(edges: npt.NDArray[np.bool_]) -> Mask:
    """What the edges enclose, and a little around it."""
    drawn = cv2.morphologyEx(edges.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    outlines, _ = cv2.findContours(drawn, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, outlines, -1, 255, cv2.FILLED)
    return np.asarray(cv2.dilate(drawn, np.ones((3, 3), np.uint8)), np.uint8)


def _gradients(frames: Iterable[Pixels]) -> tuple[tuple[FloatArray, FloatArray], FloatArray]:
    """The mean gradient over the frames, x and y, and the mean of its size."""
    x, y, size = (np.zeros((1, 1), np.float32) for _ in range(3))
    count = 0
    for pixels in frames:
        tone = cv2.GaussianBlur(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), (0, 0), 0.8)
        dx = cv2.Sobel(tone, cv2.CV_32F, 1, 0, scale=0.25)
        dy = cv2.Sobel(tone, cv2.CV_32F, 0, 1, scale=0.25)
        x, y, size = x + dx, y + dy, size + np.hypot(dx, dy)
        count += 1
    number = np.float32(max(count, 1))
    mean = (np.asarray(x / number, np.float32), np.asarray(y / number, np.float32))
    return mean, np.asarray(size / number, np.float32)


def _at_side(box: Box) -> bool:
    """Whether a box is small and lies in a corner, or close to the upper or lower border."""
    corner = (box.right < 0.42 or box.left > 0.58) and (box.bottom < 0.36 or box.top > 0.64)
    return (box.right - box.left) < 0.5 and (corner or box.bottom < 0.2 or box.top > 0.8)


def _cornered(box: Box) -> bool:
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return min(x, 1 - x) < 0.3 and min(y, 1 - y) < 0.2


def _joined(boxes: Sequence[Box], times: int) -> list[Box]:
    """Boxes that lie over each other as one, those that were seen more than `times` times."""
    groups: list[list[Box]] = []
    for box in boxes:
        for group in groups:
            one = group[0]
            if min(one.right, box.right) > max(one.left, box.left) and (
                min(one.bottom, box.bottom) > max(one.top, box.top)
            ):
                group.append(box)
                break
        else:
            groups.append([box])
    return [
        Box(
            min(one.left for one in group),
            min(one.top for one in group),
            max(one.right for one in group),
            max(one.bottom for one in group),
        ).grown(0.01, 0.015)
        for group in groups
        if len(group) > times
    ]
