"""video-merge: clips one after the other, of one size, one rate and one loudness."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np

from darkroom.engine.backends import sounds
from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.sounds import Samples
from darkroom.engine.backends.toolbox import footage, loudness
from darkroom.engine.backends.toolbox.footage import Cut, Footage, Size
from darkroom.errors import BadInput

SECONDS_MAX = 600.0
CLIPS_MIN = 2
_CROSSFADE = round(0.03 * sounds.RATE)
_HEARD = 0.05  # of the way, while the sounds are read
_SAME_SHAPE = 0.02


def merge(given: Input, context: Context) -> Iterator[Output]:
    """Yields the clips as one, then its cover; raises `BadInput` for over 600 seconds together."""
    footage.seeded(context.seed)
    paths = given.files.get("video_urls", ())
    if len(paths) < CLIPS_MIN:
        raise BadInput("video_urls: give at least two clips to join.")
    parts = [footage.probed(path) for path in paths]
    total = sum(one.seconds for one in parts)
    if total > SECONDS_MAX:
        raise BadInput(
            f"video_urls: the clips are {total:.1f} seconds long together; "
            f"{SECONDS_MAX:g} are the most."
        )
    size, fps = _canvas(parts), max(one.fps for one in parts)
    counts = [max(1, round(one.seconds * fps)) for one in parts]
    sound, notes = _sound(parts, counts, fps, footage.part(context, 0, _HEARD))
    notes |= {"clips": len(parts), "starts": _starts(counts, fps)}
    cut = Cut(size, fps, sum(counts), sound, notes)
    yield from footage.written(_frames(parts, counts, size, fps), cut, context, _HEARD)


def _canvas(parts: Sequence[Footage]) -> Size:
    """The size of the largest clip among those that are, for most of the time, as wide or tall."""
    wide: Counter[bool] = Counter()
    for one in parts:
        wide[one.size[0] >= one.size[1]] += one.count
    is_wide = wide[True] >= wide[False]
    fit = [one.size for one in parts if (one.size[0] >= one.size[1]) == is_wide]
    return max(fit, key=lambda size: (size[0] * size[1], size))


def _starts(counts: Sequence[int], fps: float) -> list[float]:
    ends = np.cumsum([0, *counts[:-1]]) / fps
    return [round(float(one), 3) for one in ends]


def _frames(
    parts: Sequence[Footage], counts: Sequence[int], size: Size, fps: float
) -> Iterator[Pixels]:
    for one, count in zip(parts, counts, strict=True):
        again = Footage(one.path, one.size, fps, count, one.seconds, one.has_sound)
        for pixels in again.frames():
            yield framed(pixels, size)


def framed(pixels: Pixels, size: Size) -> Pixels:
    """A frame in (width, height): as large as it goes, before itself, enlarged, blurred and dim."""
    height, width = pixels.shape[:2]
    if abs(width * size[1] / (height * size[0]) - 1) < _SAME_SHAPE:
        return footage.fitted(pixels, size)
    within = min(size[0] / width, size[1] / height)
    inner = (min(size[0], round(width * within)), min(size[1], round(height * within)))
    out = _backdrop(pixels, size)
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    out[top : top + inner[1], left : left + inner[0]] = footage.fitted(pixels, inner)
    return out


def _backdrop(pixels: Pixels, size: Size) -> Pixels:
    height, width = pixels.shape[:2]
    cover = max(size[0] / width, size[1] / height)
    across, down = min(width, round(size[0] / cover)), min(height, round(size[1] / cover))
    left, top = (width - across) // 2, (height - down) // 2
    middle = pixels[top : top + down, left : left + across]
    small_size = (max(8, size[0] // 16), max(8, size[1] // 16))
    small = cv2.resize(middle, small_size, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), max(1.0, min(small_size) * 0.09))
    dim = cv2.convertScaleAbs(soft, alpha=0.62)
    return np.asarray(cv2.resize(dim, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _sound(
    parts: Sequence[Footage], counts: Sequence[int], fps: float, tell: footage.Progress
) -> tuple[Samples | None, dict[str, Any]]:
    """All sounds in a row, each where its pictures are, equally loud; None where there are none."""
    given = []
    for number, one in enumerate(parts):
        given.append(one.sound())
        tell(0.5 * (number + 1) / len(parts))
    gains, target = loudness.gains(given, lambda done: tell(0.5 + 0.5 * done))
    if all(one is None for one in given):
        return None, {}
    ends = np.round(np.cumsum(counts) / fps * sounds.RATE).astype(int)
    out = np.zeros((int(ends[-1]), 2), np.float32)
    for part, gain, start, end in zip(given, gains, [0, *ends[:-1]], ends, strict=True):
        if part is not None:
            _lay(out, part * np.float32(10 ** (gain / 20)), int(start), int(end))
    notes: dict[str, Any] = {
        "loudness": "BS.1770 (K weighting, gated)",
        "loudness_lufs": None if target is None else round(target, 1),
        "gains_db": [round(one, 1) for one in gains],
        "clips_without_sound": sum(one is None for one in given),
    }
    return out, notes


def _lay(out: Samples, part: Samples, start: int, end: int) -> None:
    """Lay a sound from `start` to `end`, fading in under the sound before, which fades out.

    What sounds on for the length of the fade is the sound's own last moment, turned round: it goes
    on without a jump.
    """
    part = part[: end - start]
    fade = min(_CROSSFADE, len(part) // 2)
    if not fade:
        return
    rise = np.sin(np.linspace(0, np.pi / 2, fade, dtype=np.float32))[:, None]
    part = np.concatenate([part, part[-fade:][::-1] * rise[::-1]])
    if start:
        part[:fade] *= rise
    stop = min(start + len(part), len(out))
    out[start:stop] += part[: stop - start]
