"""video-extend: a clip that goes on for a few seconds more."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox import footage
from darkroom.engine.backends.toolbox.echoes import continued
from darkroom.engine.backends.toolbox.footage import Cut, Footage, Size
from darkroom.engine.backends.toolbox.looks import look
from darkroom.engine.backends.toolbox.sequel import Sequel, Steer

SHORTER = {"360p": 360, "540p": 540, "720p": 720, "1080p": 1080}
_TAIL_SECONDS = 1.9
_TAIL_BYTES_MAX = 200_000_000
_STYLE_SECONDS = 1.0  # in which a style comes in
_GO = (
    r"\b(?:pan|truck|slid|glid|drift|mov|turn|track|tilt|look|fl(?:y|ies)|swing)\w*\b"
    r"[^.,;]{0,30}?\b"
)
_WORDS = (
    (_GO + r"(right)\b", Steer(right=1)),
    (_GO + r"(left)\b", Steer(right=-1)),
    (_GO + r"(up|upwards?|skywards?)\b", Steer(down=-1)),
    (_GO + r"(down|downwards?)\b", Steer(down=1)),
    (r"\b(zoom(?:s|ing)? in|push(?:es|ing)? in|dolly in|closer|moves? in)\b", Steer(closer=1)),
    (r"\b(zoom(?:s|ing)? out|pull(?:s|ing)? (?:back|out|away)|dolly out)\b", Steer(closer=-1)),
    (_GO + r"(forwards?|on|along|into)\b", Steer(closer=0.6)),
    (r"\b(still|static|stands?|stops?|fixed|rests?)\b", Steer(still=True)),
)


def extend(given: Input, context: Context) -> Iterator[Output]:
    """Yields the whole clip and `duration` seconds more of it, at `resolution`; then its cover."""
    footage.seeded(context.seed)
    clip = footage.opened(given)
    size = footage.scaled(clip.size, SHORTER[str(given.fields.get("resolution") or "720p")])
    seconds = float(given.fields.get("duration") or 5)
    style = given.fields.get("style")
    steer, words = steered(str(given.fields.get("prompt") or ""))
    added = round(seconds * clip.fps)
    sound = clip.sound()
    if sound is not None:
        # The sound may end before or after the picture; what is added begins where that ends.
        whole = np.zeros((round(clip.count / clip.fps * 48_000), 2), np.float32)
        whole[: len(sound)] = sound[: len(whole)]
        sound = continued(whole, added / clip.fps, context.seed)
    notes: dict[str, Any] = {
        "seconds_added": round(added / clip.fps, 3),
        "style": style,
        "words_used": words,
    }
    cut = Cut(size, clip.fps, clip.count + added, sound, notes)
    paint = look(str(style), context.seed) if style else None
    frames = _frames(clip, size, added, steer, paint)
    yield from footage.written(frames, cut, context)


def steered(prompt: str) -> tuple[Steer, list[str]]:
    """Where a prompt's words send the camera, and the words."""
    right, down, closer, still = 0.0, 0.0, 0.0, False
    words = []
    for pattern, steer in _WORDS:
        if found := re.search(pattern, prompt, re.IGNORECASE):
            words.append(found[0].lower())
            right, down, closer = right + steer.right, down + steer.down, closer + steer.closer
            still = still or steer.still
    right, down, closer = (float(np.clip(one, -1, 1)) for one in (right, down, closer))
    return Steer(right, down, closer, still), words


def _frames(clip: Footage, size: Size, added: int, steer: Steer, paint: Any) -> Iterator[Pixels]:
    frame_bytes = size[0] * size[1] * 3
    kept = min(round(_TAIL_SECONDS * clip.fps) + 1, _TAIL_BYTES_MAX // frame_bytes + 1)
    tail: deque[Pixels] = deque(maxlen=max(2, kept))
    for pixels in clip.frames(size):
        tail.append(pixels)
        yield pixels
    sequel = Sequel(list(tail), clip.fps, added / clip.fps, steer)
    for number in range(added):
        pixels = sequel.frame(number)
        if paint is not None:
            share = min(1.0, (number + 1) / (_STYLE_SECONDS * clip.fps))
            painted = paint(pixels)
            pixels = np.asarray(cv2.addWeighted(painted, share, pixels, 1 - share, 0.0), np.uint8)
        yield pixels
