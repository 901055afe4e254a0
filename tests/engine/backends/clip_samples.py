"""Small clips, pictures and sounds for tests, and what a tool made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from contexts import Progress

from darkroom.engine.backends import clips, sounds
from darkroom.engine.backends.contract import Input, Output
from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.clip_tools import CLIP_TOOLS

FPS = 12.0
SIZE = (128, 72)


def scene(width: int = 256, height: int = 144, seed: int = 3) -> Pixels:
    """A landscape of blots with detail of every size."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for cell in (64, 24, 8, 3):
        small = rng.random((max(2, height // cell), max(2, width // cell), 3)).astype(np.float32)
        total += cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC) * cell**0.6
    total = (total - total.min()) / (total.max() - total.min())
    return np.asarray(30 + 150 * total, np.uint8)


def panned(count: int, speed: float = 1.5, size: tuple[int, int] = SIZE) -> list[Pixels]:
    """A camera that goes to the right over the scene, so many pixels a frame."""
    width, height = size
    wide = scene(width * 2 + int(speed * count), height * 2)
    places = np.array([[1, 0, 0], [0, 1, -height / 2]], np.float64)
    out = []
    for number in range(count):
        places[0, 2] = -speed * number
        out.append(np.asarray(cv2.warpAffine(wide, places, size), np.uint8))
    return out


def disc(pixels: Pixels, x: float, y: float, radius: float) -> Pixels:
    """The frame with a red ball."""
    out = pixels.copy()
    cv2.circle(out, (round(x * 16), round(y * 16)), round(radius * 16), (230, 40, 30), -1, 16, 4)
    return out


def hum(seconds: float, level: float = 0.2, pitch: float = 220.0) -> sounds.Samples:
    """A tone, float32 (samples, 2)."""
    at = np.arange(round(seconds * sounds.RATE)) / sounds.RATE
    one = level * np.sin(2 * np.pi * pitch * at)
    return np.stack([one, one], axis=1).astype(np.float32)


def clip(
    path: Path,
    frames: Iterable[Pixels],
    sound: sounds.Samples | None = None,
    fps: float = FPS,
) -> Path:
    """Write frames as an mp4."""
    shown = list(frames)
    size = (shown[0].shape[1], shown[0].shape[0])
    with clips.Writer(path, size, fps=fps, sound=sound) as writer:
        for pixels in shown:
            writer.add(pixels)
    return path


class Made:
    """What a tool made: its outputs, the frames read back, the context it ran in."""

    def __init__(self, outputs: list[Output], context: Progress) -> None:
        self.clip, self.cover = outputs
        self.context = context
        self.notes = self.clip.notes
        self.probed = clips.probe(self.clip.path, seconds_max=1e5)

    def frames(self) -> npt.NDArray[np.uint8]:
        """All frames, uint8 (n, height, width, 3)."""
        return np.stack(list(clips.frames(self.clip.path, fps=self.probed.fps)))


Run = Callable[..., Made]


def run(folder: Path, kind: str, files: dict[str, Any], seed: int = 1, **fields: Any) -> Made:
    """Run a tool to its end; `files` are paths or lists of paths by field."""
    context = Progress(folder, seed)
    lists = {k: v if isinstance(v, list) else [v] for k, v in files.items()}
    given = Input(kind, "TOOLBOX", fields, lists)
    return Made(list(CLIP_TOOLS[kind](given, context)), context)
