"""Likeness: 64 bits of a picture that stay nearly the same when it is re-encoded or resized.

The picture is made grey and 32 by 32; each bit tells whether one of its 64 slowest waves but the
mean (DCT-II, in the order of a zigzag) is stronger than their median: the "pHash" of C. Zauner,
Implementation and Benchmarking of Perceptual Image Hash Functions, 2010. Two likenesses are
compared by how many bits differ.
"""

from __future__ import annotations

import math
import operator
import statistics
import warnings
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageOps

from darkroom import cleaning

# A picture half of whose waves are nearer to their median than this is flat: its bits are noise.
_FLAT = 2.0
_SIDE = 32
_LENGTHS = 11
_WAVES = sorted(
    ((across, down) for across in range(_LENGTHS) for down in range(_LENGTHS) if across + down),
    key=lambda wave: (sum(wave), wave),
)[:64]
_COSINES = [
    [math.cos(math.pi * wave * (2 * at + 1) / (2 * _SIDE)) for at in range(_SIDE)]
    for wave in range(_LENGTHS)
]


def measure(path: Path, media_type: str) -> int | None:
    """The likeness of a picture in a file; None for a broken, too large or flat one. Blocks."""
    with cleaning.TURNS, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path, formats=(cleaning.FORMATS[media_type],)) as picture:
                if picture.width * picture.height > cleaning.PIXELS_MAX:
                    return None
                return of(picture)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            return None
        except (OSError, SyntaxError, ValueError):
            return None


def of(picture: Image.Image) -> int | None:
    """The likeness of a picture; None for one that is flat.

    The 64 bits are those of a whole number from -2⁶³ on, as databases keep them. What is
    transparent counts as white.
    """
    return _bits(_small(picture))


def distance(one: int, other: int) -> int:
    """How many of the 64 bits differ."""
    return ((one ^ other) & 2**64 - 1).bit_count()


def _small(picture: Image.Image) -> list[bytes]:
    """Its grey levels as 32 rows of 32, upright."""
    # A JPEG is decoded at an eighth of its size or more, which is enough here.
    picture.draft("L", (_SIDE * 4, _SIDE * 4))
    upright = ImageOps.exif_transpose(picture)
    if upright.has_transparency_data:
        clear = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    small = upright.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    levels = small.tobytes()
    return [levels[at : at + _SIDE] for at in range(0, len(levels), _SIDE)]


def _bits(rows: list[bytes]) -> int | None:
    across = [[_product(row, wave) for row in rows] for wave in _COSINES]
    strengths = [_product(across[x], _COSINES[y]) / _SIDE for x, y in _WAVES]
    middle = statistics.median(strengths)
    if statistics.median(abs(one - middle) for one in strengths) < _FLAT:
        return None
    bits = sum(1 << at for at, one in enumerate(strengths) if one > middle)
    return bits - (bits >> 63 << 64)


def _product(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(map(operator.mul, one, other))
