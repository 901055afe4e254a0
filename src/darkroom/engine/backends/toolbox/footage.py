"""A clip remade frame by frame: what comes in, what goes out, its sound and its cover."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from darkroom.engine.backends import clips, pictures, sounds
from darkroom.engine.backends.contract import Context, Input, Output, Preview
from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.sounds import Samples
from darkroom.errors import BadInput

FloatArray = npt.NDArray[np.float32]
Size = tuple[int, int]
Progress = Callable[[float], None]
FPS_MAX = 60.0
SIDE_MIN = 16
SIDE_MAX = 5120
_COVER_AT = 0.35


class Footage(msgspec.Struct, frozen=True):
    """An input clip: its even size (width, height) in pixels, its rate, and how many frames."""

    path: Path
    size: Size
    fps: float
    count: int
    seconds: float
    has_sound: bool

    def frames(self, size: Size | None = None) -> Iterator[Pixels]:
        """The frames as RGB uint8 (height, width, 3), exactly `count`, in `size` if it is given.

        What a file promises and does not hold is made up by its last frame.
        """
        last, number = None, 0
        for pixels in clips.frames(self.path, fps=self.fps):
            if number == self.count:
                return
            last, number = fitted(evened(pixels), size or self.size), number + 1
            yield last
        if last is None:
            raise BadInput("The input clip has no frames.")
        for _ in range(number, self.count):
            yield last

    def sound(self) -> Samples | None:
        """The clip's own sound, float32 (samples, 2) at 48 kHz; None if it has none."""
        return sounds.read(self.path) if self.has_sound else None


def opened(given: Input, name: str = "video_url") -> Footage:
    """The input clip of this field; raises `BadInput` where there is none that can be used."""
    paths = given.files.get(name, ())
    if not paths:
        raise BadInput(f"{name}: the tool needs a clip.")
    return probed(paths[0])


def probed(path: Path) -> Footage:
    """What a clip is; raises `BadInput` for one that is broken, too small or too long."""
    clip = clips.probe(path)
    if min(clip.width, clip.height) < SIDE_MIN:
        raise BadInput(f"The input clip must have at least {SIDE_MIN} pixels on each side.")
    fps = min(clip.fps, FPS_MAX)
    size = (clip.width // 2 * 2, clip.height // 2 * 2)
    count = max(1, round(clip.seconds * fps))
    return Footage(path, size, fps, count, clip.seconds, clip.has_sound)


def seeded(seed: int) -> None:
    """One task, one core, and the same draws for the same seed."""
    cv2.setNumThreads(1)
    cv2.setRNGSeed(seed & 0x7FFFFFFF)


def evened(pixels: Pixels) -> Pixels:
    """The frame without an odd last row or column: what codecs with halved colour can hold."""
    height, width = pixels.shape[:2]
    return pixels[: height // 2 * 2, : width // 2 * 2]


def fitted(pixels: Pixels, size: Size) -> Pixels:
    """The frame in (width, height): averaged when it shrinks, by Lanczos when it grows."""
    height, width = pixels.shape[:2]
    if (width, height) == size:
        return pixels
    way = cv2.INTER_AREA if size[0] * size[1] < width * height else cv2.INTER_LANCZOS4
    return np.asarray(cv2.resize(pixels, size, interpolation=way), np.uint8)


def scaled(size: Size, shorter: int) -> Size:
    """The even size (width, height) of the same shape whose shorter side has so many pixels.

    The longer one has at most `SIDE_MAX`: very wide clips come out smaller.
    """
    scale = min(shorter / min(size), SIDE_MAX / max(size))
    width, height = (max(SIDE_MIN, round(side * scale / 2) * 2) for side in size)
    return width, height


def part(context: Context, start: float, end: float) -> Progress:
    """Tells the context a part of the way: 0 is `start` and 1 is `end`."""
    return lambda done: context.progress(start + (end - start) * min(max(done, 0.0), 1.0))


class Watch:
    """A context that can tell once more what it told last, amid a long piece of work."""

    def __init__(self, context: Context, last: float) -> None:
        """`last` is what was told already."""
        self.folder, self.seed, self.preview = context.folder, context.seed, context.preview
        self._context, self._last = context, last

    def progress(self, fraction: float) -> None:
        """Tell how much is done; raises `Canceled` when the task should stop here."""
        self._last = fraction
        self._context.progress(fraction)

    def again(self, _: float = 0.0) -> None:
        """Tell the same again, whatever a part of the work says of itself."""
        self._context.progress(self._last)


class Cut(msgspec.Struct, frozen=True):
    """A clip to be written: so many frames of a size and rate, beside a sound, and its notes."""

    size: Size
    fps: float
    count: int
    sound: Samples | None = None
    notes: Mapping[str, Any] = msgspec.field(default_factory=dict)
    alpha: bool = False

    @classmethod
    def like(cls, footage: Footage, **more: Any) -> Cut:
        """One as the input: its size, rate, length and sound, unless something else is given."""
        same: dict[str, Any] = {
            "size": footage.size,
            "fps": footage.fps,
            "count": footage.count,
        }
        if "sound" not in more:
            same["sound"] = footage.sound()
        return cls(**(same | more))


def written(
    frames: Iterator[Pixels], cut: Cut, context: Context, start: float = 0.0
) -> Iterator[Output]:
    """Write the frames as they come; yields the clip, then its cover.

    Progress is told by frames, from `start` to 1. Frames are uint8 (height, width, 3), or 4 with
    alpha.
    """
    path = context.folder / ("clip.webm" if cut.alpha else "clip.mp4")
    tell = part(context, start, 1.0)
    cover: Pixels | None = None
    writer = clips.Writer(path, cut.size, fps=cut.fps, sound=cut.sound, alpha=cut.alpha)
    with writer:
        for number, pixels in enumerate(frames):
            if cover is None or number <= cut.count * _COVER_AT:
                cover = pixels
            writer.add(pixels)
            context.preview(functools.partial(_preview, pixels))
            tell((number + 1) / cut.count)
    assert cover is not None
    told = {
        "duration_seconds": round(writer.seconds, 3),
        "fps": round(cut.fps, 3),
        "has_sound": cut.sound is not None,
        "digital_source_type": pictures.EDITED,
    }
    yield Output(path, writer.media_type, *cut.size, {**told, **cut.notes})
    shown = over_checks(cover) if cut.alpha else cover
    yield pictures.write_cover(np.ascontiguousarray(shown), context.folder / "cover.jpg")


def _preview(pixels: Pixels) -> Preview:
    return pictures.preview(pixels if pixels.shape[2] == 3 else over_checks(pixels))


def over_checks(pixels: Pixels) -> Pixels:
    """RGBA uint8 over the grey checks that stand for what is transparent: RGB."""
    height, width = pixels.shape[:2]
    cell = max(4, min(height, width) // 30)
    rows, columns = np.arange(height)[:, None] // cell, np.arange(width) // cell
    checks = np.where((rows + columns) % 2 == 0, 236, 204).astype(np.float32)[..., None]
    alpha = pixels[..., 3:].astype(np.float32) / 255
    return np.asarray(pixels[..., :3] * alpha + checks * (1 - alpha) + 0.5, np.uint8)
