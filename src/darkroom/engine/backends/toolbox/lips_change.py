"""video-lips-change, as a stand-in: the clip beside another sound, as long as that."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from darkroom.engine.backends import sounds
from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox import footage
from darkroom.engine.backends.toolbox.footage import Cut, Footage
from darkroom.engine.backends.toolbox.marks import mark
from darkroom.errors import BadInput

MARK = "SANDBOX · lip sync needs a model"
_SWUNG_SECONDS = 3.0
_SWUNG_BYTES_MAX = 128_000_000


def change_lips(given: Input, context: Context) -> Iterator[Output]:
    """Yields the clip with the sound given, cut or lengthened to it, then its cover.

    A longer sound has the clip's last seconds play to and fro. A stand-in, marked as one.
    """
    footage.seeded(context.seed)
    clip = footage.opened(given)
    paths = given.files.get("audio_url", ())
    if not paths:
        raise BadInput("audio_url: the tool needs a sound.")
    sound = sounds.read(paths[0])
    count = max(1, round(len(sound) / sounds.RATE * clip.fps))
    notes = {"stand_in": True, "sound": "given", "clip": _fitted(clip, count)}
    cut = Cut.like(clip, count=count, sound=sound, notes=notes)
    yield from footage.written((mark(one, MARK) for one in _frames(clip, count)), cut, context)


def _fitted(clip: Footage, count: int) -> str:
    if count == clip.count:
        return "whole"
    return "cut" if count < clip.count else "lengthened by playing its end to and fro"


def _frames(clip: Footage, count: int) -> Iterator[Pixels]:
    """So many frames: the clip, then its end backward and forward as long as it takes."""
    fit = _SWUNG_BYTES_MAX // (clip.size[0] * clip.size[1] * 3)
    last: deque[Pixels] = deque(maxlen=max(2, min(fit, round(_SWUNG_SECONDS * clip.fps))))
    made = 0
    for pixels in clip.frames():
        if made == count:
            return
        last.append(pixels)
        yield pixels
        made += 1
    swing = [*range(len(last) - 2, -1, -1), *range(1, len(last))] or [0]
    for number in range(count - made):
        yield last[swing[number % len(swing)]]
