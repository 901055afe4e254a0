"""video-upscaler: a larger clip, with the detail it has and no more noise."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox import footage, tones
from darkroom.engine.backends.toolbox.footage import Cut, Size
from darkroom.engine.backends.toolbox.tones import Plane
from darkroom.errors import BadInput

SHORTER = {"1080p": 1080, "2k": 1440, "4k": 2160}
FOUR_K_SECONDS_MAX = 60.0
# Levels: differences between frames below the first are noise, above the second are motion.
_NOISE, _MOTION = 2.0, 6.0


def enlarge(given: Input, context: Context) -> Iterator[Output]:
    """Yields the clip with the shorter side that `resolution` names, then its cover.

    A clip that is as large already keeps its size. Raises `BadInput` for over 60 seconds in 4k.
    """
    footage.seeded(context.seed)
    clip = footage.opened(given)
    resolution = str(given.fields.get("resolution") or "1080p")
    if resolution == "4k" and clip.seconds > FOUR_K_SECONDS_MAX:
        raise BadInput(
            f"video_url: 4k takes clips of up to {FOUR_K_SECONDS_MAX:g} seconds, and this one has "
            f"{clip.seconds:.1f}; cut it, or ask for 2k."
        )
    size = footage.scaled(clip.size, max(SHORTER[resolution], min(clip.size)))
    grows = size[0] > clip.size[0]
    notes = {"scale": round(size[0] / clip.size[0], 3), "resolution": resolution}
    larger = Enlarger(size).larger if grows else (lambda pixels: pixels)
    cut = Cut.like(clip, size=size if grows else clip.size, notes=notes)
    yield from footage.written((larger(pixels) for pixels in clip.frames()), cut, context)


class Enlarger:
    """Enlarges one clip's frames in their order: calms faint noise, then sharpens without halos."""

    def __init__(self, size: Size) -> None:
        self._size = size
        self._last: Pixels | None = None
        levels = np.arange(256, dtype=np.float32)
        self._kept = np.clip((_MOTION - levels) / (_MOTION - _NOISE), 0, 1) * np.float32(0.5)

    def larger(self, pixels: Pixels) -> Pixels:
        """The frame, RGB uint8 (height, width, 3), in the larger size."""
        luma, red, blue = tones.planes(self._calmed(pixels))
        red, blue = (
            np.asarray(cv2.resize(one, self._size, interpolation=cv2.INTER_CUBIC), np.uint8)
            for one in (red, blue)
        )
        return tones.joined(_sharp(luma, self._size), red, blue)

    def _calmed(self, pixels: Pixels) -> Pixels:
        """Where a frame differs from the last one by no more than noise does, half of each."""
        if self._last is not None:
            far = cv2.cvtColor(cv2.absdiff(pixels, self._last), cv2.COLOR_RGB2GRAY)
            kept = cv2.LUT(cv2.dilate(cv2.blur(far, (3, 3)), np.ones((3, 3))), self._kept)
            pixels = np.asarray(cv2.blendLinear(self._last, pixels, kept, 1 - kept), np.uint8)
        self._last = pixels
        return pixels


def _sharp(luma: Plane, size: Size) -> Plane:
    """Lanczos, corrected to shrink back to the input (Irani and Peleg, 1991), then sharpened.

    What sharpening adds stays between the darkest and the lightest that the input has nearby, so
    that no borders glow.
    """
    source = luma.astype(np.float32)
    small = luma.shape[::-1]
    large = cv2.resize(source, size, interpolation=cv2.INTER_LANCZOS4)
    missing = cv2.subtract(source, cv2.resize(large, small, interpolation=cv2.INTER_AREA))
    large = cv2.add(large, cv2.resize(missing, size, interpolation=cv2.INTER_CUBIC))
    scale = size[0] / small[0]
    soft = cv2.GaussianBlur(large, (0, 0), 0.55 * scale)
    crisp = cv2.addWeighted(large, 1.9, soft, -0.9, 0.0)
    window = np.ones((3, 3), np.uint8)
    lowest = cv2.resize(cv2.erode(luma, window), size, interpolation=cv2.INTER_LINEAR)
    highest = cv2.resize(cv2.dilate(luma, window), size, interpolation=cv2.INTER_LINEAR)
    bounded = cv2.min(cv2.max(crisp.clip(0, 255).astype(np.uint8), lowest), highest)
    return np.asarray(bounded, np.uint8)
