"""A given clip as a shot: its frames cut to fill the film's, slowed where it is too short."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from darkroom.engine.backends import clips
from darkroom.engine.backends.pictures import Pixels


class Footage:
    """A shot of a clip, from its beginning, read as it is shown; moments may only go forward."""

    def __init__(self, path: Path, clip: clips.Clip, size: tuple[int, int], seconds: float) -> None:
        """`seconds` is how long it is shown; a shorter clip is slowed to last."""
        scale = max(size[0] / clip.width, size[1] / clip.height)
        self.size = size
        whole = (max(size[0], round(clip.width * scale)), max(size[1], round(clip.height * scale)))
        slowed = max(1.0, seconds / max(clip.seconds, 0.1))
        self._frames: Iterator[Pixels] = clips.frames(path, fps=clips.FPS * slowed, size=whole)
        self._count = 0
        self._last: Pixels | None = None

    def frame(self, seconds: float, share: float) -> Pixels:
        """Returns the clip at a moment of the shot; its last frame when it is over."""
        del share  # its camera moved when it was taken
        while self._last is None or self._count <= round(seconds * clips.FPS):
            fresh = next(self._frames, None)
            if fresh is None:
                break
            self._last, self._count = fresh, self._count + 1
        assert self._last is not None
        left = (self._last.shape[1] - self.size[0]) // 2
        top = (self._last.shape[0] - self.size[1]) // 2
        cut = self._last[top : top + self.size[1], left : left + self.size[0]]
        return np.ascontiguousarray(cut)
