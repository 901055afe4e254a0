"""video-extend: a clip that goes on for a few seconds more."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from darkroom.engine.backends import sounds
from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox import footage
from darkroom.engine.backends.toolbox.echoes import continued
from darkroom.engine.backends.toolbox.footage import Cut, Footage, Size
from darkroom.engine.backends.toolbox.looks import Look, look
from darkroom.engine.backends.toolbox.sequel import Course, Sequel

SHORTER = {"360p": 360, "540p": 540, "720p": 720, "1080p": 1080}
_TAIL_SECONDS = 1.9
_TAIL_BYTES_MAX = 200_000_000
_STYLE_SECONDS = 1.0  # in which a style comes in
_GO = (
    r"\b(?:pan|truck|slid|glid|drift|mov|turn|track|tilt|look|fl(?:y|ies)|swing)\w*\b"
    r"[^.,;]{0,30}?\b"
)
_STILL = r"\b(still|static|stands?|stops?|fixed|rests?)\b"
# Where words send the camera: right, down and closer, -1 to 1.
_WORDS = (
    (_GO + r"(right)\b", (1, 0, 0)),
    (_GO + r"(left)\b", (-1, 0, 0)),
    (_GO + r"(up|upwards?|skywards?)\b", (0, -1, 0)),
    (_GO + r"(down|downwards?)\b", (0, 1, 0)),
    (r"\b(zoom(?:s|ing)? in|push(?:es|ing)? in|dolly in|closer|moves? in)\b", (0, 0, 1)),
    (r"\b(zoom(?:s|ing)? out|pull(?:s|ing)? (?:back|out|away)|dolly out)\b", (0, 0, -1)),
    (_GO + r"(forwards?|on|along|into)\b", (0, 0, 0.6)),
)


def extend(given: Input, context: Context) -> Iterator[Output]:
    """Yields the whole clip and `duration` seconds more of it, at `resolution`; then its cover."""
    footage.seeded(context.seed)
    clip = footage.opened(given)
    size = footage.scaled(clip.size, SHORTER[str(given.fields.get("resolution") or "720p")])
    seconds = float(given.fields.get("duration") or 5)
    style = given.fields.get("style")
    added = round(seconds * clip.fps)
    course, words = steered(str(given.fields.get("prompt") or ""), added / clip.fps)
    sound = clip.sound()
    if sound is not None:
        # The sound may end before or after the picture; what is added begins where that ends.
        whole = np.zeros((round(clip.count / clip.fps * sounds.RATE), 2), np.float32)
        whole[: len(sound)] = sound[: len(whole)]
        sound = continued(whole, added / clip.fps, context.seed)
    notes: dict[str, Any] = {
        "seconds_added": round(added / clip.fps, 3),
        "style": style,
        "words_used": words,
    }
    cut = Cut(size, clip.fps, clip.count + added, sound, notes)
    paint = look(str(style), context.seed) if style else None
    watch = footage.Watch(context, 0.0)
    yield from footage.written(_frames(clip, size, course, paint, watch), cut, watch)


def steered(prompt: str, seconds: float) -> tuple[Course, list[str]]:
    """Where a prompt's words send the camera for so many seconds, and the words."""
    ways, words = [(0.0, 0.0, 0.0)], []
    for pattern, way in _WORDS:
        if found := re.search(pattern, prompt, re.IGNORECASE):
            words.append(found[0].lower())
            ways.append(way)
    right, down, closer = (float(np.clip(sum(one), -1, 1)) for one in zip(*ways, strict=True))
    still = re.search(_STILL, prompt, re.IGNORECASE)
    if still:
        words.append(still[0].lower())
    return Course(seconds, right, down, closer, still is not None), words


def _frames(
    clip: Footage, size: Size, course: Course, paint: Look | None, watch: footage.Watch
) -> Iterator[Pixels]:
    frame_bytes = size[0] * size[1] * 3
    kept = min(round(_TAIL_SECONDS * clip.fps) + 1, _TAIL_BYTES_MAX // frame_bytes + 1)
    tail: deque[Pixels] = deque(maxlen=max(2, kept))
    for pixels in clip.frames(size):
        tail.append(pixels)
        yield pixels
    sequel = Sequel(list(tail), clip.fps, course, watch.again)
    for number in range(round(course.seconds * clip.fps)):
        pixels = sequel.frame(number)
        if paint is not None:
            share = min(1.0, (number + 1) / (_STYLE_SECONDS * clip.fps))
            painted = paint(pixels)
            pixels = np.asarray(cv2.addWeighted(painted, share, pixels, 1 - share, 0.0), np.uint8)
        yield pixels
