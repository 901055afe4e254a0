"""From an aspect ratio and a resolution to whole pixels."""

from __future__ import annotations

import functools
import math
import re

import msgspec

from darkroom import errors

SIDE_MIN = 64
# 4k at any ratio: as many pixels as 4096 x 4096.
PIXELS_MAX = 4096 * 4096
RATIO_MAX = 8.0
# What video means by these resolutions: the shorter side, as of every frame size.
FRAME_LINES = {"2k": "1440p", "4k": "2160p"}
# An aspect ratio and a resolution for who names none.
DEFAULT = ("1:1", "1k")
# Sides are whole multiples of this, as video codecs and neural models want them even.
_MULTIPLE = 8

_RATIO = re.compile(r"(\d{1,3}):(\d{1,3})(?:\((\d{1,2}k)\))?", re.IGNORECASE)
_LINES = re.compile(r"(\d{3,4})p", re.IGNORECASE)
_KILO = re.compile(r"(\d{1,2})k", re.IGNORECASE)
_PIXELS = re.compile(r"(\d{1,5})\s?[x×*]\s?(\d{1,5})", re.IGNORECASE)


class Size(msgspec.Struct, frozen=True):
    """A picture's width and height in pixels."""

    width: int
    height: int

    @property
    def pixels(self) -> int:
        return self.width * self.height


@functools.lru_cache(maxsize=1_000)
def resolve(
    aspect_ratio: str | None, resolution: str | None, usual: tuple[str, str] = DEFAULT
) -> Size:
    """The size that is meant; `usual` are the ratio and the resolution where none is named.

    `1080p` is the length of the shorter side; `2k` means as many pixels as 2048 x 2048 (as the
    upstream models count them), shared out by the ratio; `1280x720` is taken as it is. A ratio may
    carry its resolution, `16:9(2k)`, or be only one, `2k`.
    """
    ratio, carried = _ratio(aspect_ratio or usual[0])
    resolution = resolution or carried or usual[1]
    if match := _PIXELS.fullmatch(resolution):
        size = Size(int(match[1]), int(match[2]))
        if aspect_ratio and size.height and abs(size.width / size.height / ratio - 1) > 0.03:
            raise errors.BadParameter(
                f"resolution {resolution} does not fit aspect ratio {aspect_ratio}: send only one.",
                field="resolution",
            )
    elif match := _LINES.fullmatch(resolution):
        size = _by_shorter_side(int(match[1]), ratio)
    elif match := _KILO.fullmatch(resolution):
        size = _by_area((int(match[1]) * 1024) ** 2, ratio)
    else:
        raise errors.BadParameter(
            f'resolution "{resolution}" is not understood: send such as 1080p, 2k or 1280x720.',
            field="resolution",
        )
    return _bounded(size)


def _ratio(text: str) -> tuple[float, str | None]:
    if _KILO.fullmatch(text):
        return 1.0, text
    match = _RATIO.fullmatch(text)
    if match is None or not int(match[1]) or not int(match[2]):
        raise errors.AspectRatioRefused(
            f"aspect ratio {text} is not supported: send such as 16:9.", field="aspect_ratio"
        )
    ratio = int(match[1]) / int(match[2])
    if not 1 / RATIO_MAX <= ratio <= RATIO_MAX:
        raise errors.AspectRatioRefused(
            f"aspect ratio {text} is not supported: 8:1 to 1:8 are.", field="aspect_ratio"
        )
    return ratio, match[3]


def _whole(length: float) -> int:
    return max(_MULTIPLE, round(length / _MULTIPLE) * _MULTIPLE)


def _by_shorter_side(lines: int, ratio: float) -> Size:
    # The named side is exact (1080p is 1080 high), the other is rounded to whole multiples.
    if ratio >= 1:
        return Size(_whole(lines * ratio), lines)
    return Size(lines, _whole(lines / ratio))


def _by_area(pixels: int, ratio: float) -> Size:
    height = math.sqrt(pixels / ratio)
    return Size(_whole(height * ratio), _whole(height))


def _bounded(size: Size) -> Size:
    sides = (size.width, size.height)
    # Rounding may carry a 4k picture a little over its pixels: one multiple a side is forgiven.
    pixels_max = PIXELS_MAX + _MULTIPLE * (size.width + size.height)
    if (
        min(sides) < SIDE_MIN
        or size.pixels > pixels_max
        or max(sides) > RATIO_MAX * 1.03 * min(sides)
    ):
        raise errors.BadParameter(
            f"{size.width}x{size.height} is out of bounds: sides of {SIDE_MIN} "
            "pixels or more, at most 16.7 megapixels, at most 8:1.",
            field="resolution",
        )
    return size
