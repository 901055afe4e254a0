"""video-subtitle-erase and video-watermark-remove: what is laid over a clip taken out of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox import backfill, footage, motion, overlays
from darkroom.engine.backends.toolbox.footage import Cut, Footage, Size
from darkroom.engine.backends.toolbox.overlays import Box, Mask

Masks = Callable[[Pixels], Mask]
_SIDES = ("lt_x", "lt_y", "rb_x", "rb_y")
_LOOKED = 0.15  # of the way, where the clip is searched first


def erase_subtitles(given: Input, context: Context) -> Iterator[Output]:
    """Yields the clip without its subtitles, those in `rect_vo_list` or those found; its cover.

    In a rectangle only letters are painted over, frame by frame; all of it where none are found.
    """
    clip, boxes = _started(given, context)
    pairs = overlays.sampled(clip, footage.part(context, 0, _LOOKED))
    if boxes:
        seen = [line for pair in pairs for line in overlays.standing_lines(pair)]
        whole = [one for one in boxes if not any(_within(line, one) for line in seen)]
        lettered, how = [one for one in boxes if one not in whole], "given"
    else:
        lettered, whole, how = overlays.subtitles(pairs), [], "found"
    plain = _painted(clip.size, whole)

    def masks(pixels: Pixels) -> Mask:
        mask = plain.copy()
        for box in lettered:
            _add_letters(mask, pixels, box.pixels(pixels.shape))
        return mask

    yield from _erased(clip, masks, lettered + whole, how, context)


def remove_watermark(given: Input, context: Context) -> Iterator[Output]:
    """Yields the clip without its watermark, in `rect_vo_list` or found by itself; its cover.

    In a rectangle only what stands still is painted over; all of it where the whole clip does.
    """
    clip, boxes = _started(given, context)
    pairs = overlays.sampled(clip, footage.part(context, 0, _LOOKED))
    if boxes:
        fixed, _ = overlays.fixed_edges(pairs)
        shapes = [None if fixed is None else overlays.shaped(fixed, one) for one in boxes]
        found, how = list(zip(boxes, shapes, strict=True)), "given"
    else:
        found, how = overlays.watermarks(pairs), "found"
    shape = _painted(clip.size, [])
    for box, small in found:
        shape |= _painted(clip.size, [box]) if small is None else _enlarged(small, clip.size)
    yield from _erased(clip, lambda _: shape, [box for box, _ in found], how, context)


def _started(given: Input, context: Context) -> tuple[Footage, list[Box]]:
    footage.seeded(context.seed)
    return footage.opened(given), [_box(one) for one in given.fields.get("rect_vo_list") or ()]


def _box(one: Any) -> Box:
    """A rectangle as it was sent, a mapping or a struct, as a box."""
    if isinstance(one, Mapping):
        return Box(*(float(one[name]) for name in _SIDES))
    return Box(*(float(getattr(one, name)) for name in _SIDES))


def _told(box: Box) -> dict[str, float]:
    sides = zip(_SIDES, (box.left, box.top, box.right, box.bottom), strict=True)
    return {name: round(float(value), 4) for name, value in sides}


def _within(line: Box, box: Box) -> bool:
    x, y = (line.left + line.right) / 2, (line.top + line.bottom) / 2
    return box.left < x < box.right and box.top < y < box.bottom


def _painted(size: Size, boxes: Sequence[Box]) -> Mask:
    mask = np.zeros(size[::-1], np.uint8)
    for box in boxes:
        left, top, right, bottom = box.pixels(mask.shape)
        mask[top:bottom, left:right] = 255
    return mask


def _enlarged(small: Mask, size: Size) -> Mask:
    large = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
    reach = max(3, round(min(size) / 180)) | 1
    return np.asarray(cv2.dilate((large > 60) * np.uint8(255), np.ones((reach, reach))), np.uint8)


def _add_letters(mask: Mask, pixels: Pixels, place: tuple[int, int, int, int]) -> None:
    """Add the letters within a place to the mask, with their outlines and shadows."""
    left, top, right, bottom = place
    part, height = pixels[top:bottom, left:right], pixels.shape[0]
    marks = overlays.strokes(part, height)
    keep = np.zeros_like(marks)
    for x, y, x_end, y_end in overlays.lines(part, marks, height):
        margin = round((y_end - y) * 0.6)
        rows = slice(max(0, y - margin), y_end + margin)
        window = (rows, slice(max(0, x - 5 * margin), x_end + 5 * margin))
        keep[window] = marks[window]
    reach = 2 * max(2, round(height * 0.009)) + 1
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    mask[top:bottom, left:right] |= np.asarray(cv2.dilate(keep, brush), np.uint8)


def _erased(
    clip: Footage, masks: Masks, boxes: Sequence[Box], how: str, context: Context
) -> Iterator[Output]:
    notes = {
        "rectangles": how if boxes else "none found",
        "rect_vo_list": [_told(box) for box in boxes],
    }
    watch = footage.Watch(context, _LOOKED)
    frames = cleaned(clip, masks, boxes, watch) if boxes else clip.frames()
    yield from footage.written(frames, Cut.like(clip, notes=notes), watch, _LOOKED)


def cleaned(
    clip: Footage, masks: Masks, boxes: Sequence[Box], watch: footage.Watch
) -> Iterator[Pixels]:
    """The frames without what the masks hide within boxes; some wait, so that more is known."""
    places = [box.pixels(clip.size[::-1]) for box in boxes]
    regions = [
        backfill.Region(one, watch.seed, watch.again) for one in backfill.regions(places, clip.size)
    ]
    camera, waiting = motion.Camera(clip.size, places), deque[Pixels]()
    ahead = backfill.ahead(clip.size)

    def next_filled() -> Pixels:
        frame = waiting.popleft().copy()
        for region in regions:
            region.fill(frame)
        return frame

    for pixels in clip.frames():
        mask, step = masks(pixels), camera.step(pixels)
        for region in regions:
            region.show(pixels, mask, step)
        waiting.append(pixels)
        watch.again()
        if len(waiting) > ahead:
            yield next_filled()
    while waiting:
        yield next_filled()
