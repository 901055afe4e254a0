"""video-subtitle-translate, as a stand-in: the subtitles that a model would translate, outlined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2

from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox import footage, overlays
from darkroom.engine.backends.toolbox.footage import Cut, Footage
from darkroom.engine.backends.toolbox.marks import mark
from darkroom.engine.backends.toolbox.overlays import Box

_LOOKED = 0.2  # of the way, while subtitles are looked for
_COLOUR = (255, 214, 64)
_LANGUAGE_MAX = 20


def translate_subtitles(given: Input, context: Context) -> Iterator[Output]:
    """Yields the clip with its subtitles outlined, then its cover; a stand-in, marked as one."""
    footage.seeded(context.seed)
    clip = footage.opened(given)
    language = str(given.fields.get("target_language") or "en")[:_LANGUAGE_MAX]
    pairs = overlays.sampled(clip, footage.part(context, 0, _LOOKED))
    boxes = overlays.subtitles(pairs)
    notes = {
        "stand_in": True,
        "target_language": language,
        "subtitles": "found and outlined" if boxes else "none found",
    }
    text = f"SANDBOX · translation to {language} needs a model"
    frames = (mark(pixels, text) for pixels in _outlined(clip, boxes))
    yield from footage.written(frames, Cut.like(clip, notes=notes), context, _LOOKED)


def _outlined(clip: Footage, boxes: Sequence[Box]) -> Iterator[Pixels]:
    height = clip.size[1]
    thick, margin = max(2, round(height / 240)), max(3, round(height / 60))
    for pixels in clip.frames():
        frame = pixels.copy()
        for box in boxes:
            left, top, right, bottom = box.pixels(pixels.shape)
            part = pixels[top:bottom, left:right]
            for line in overlays.lines(part, overlays.strokes(part, height), height):
                start = (left + line[0] - margin, top + line[1] - margin)
                end = (left + line[2] + margin, top + line[3] + margin)
                cv2.rectangle(frame, start, end, _COLOUR, thick, cv2.LINE_AA)
        yield frame
