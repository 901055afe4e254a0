"""Thumbnails: a picture made small enough to be looked at in passing, its pixels alone."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageOps

SIDE_PIXELS = 512
_FORMATS = ("JPEG", "PNG", "WEBP")


def make(source: Path | BinaryIO, *, pixels_max: int) -> Image.Image | None:
    """The picture upright, of at most 512 pixels a side; None for what cannot be one.

    RGB, or RGBA where some of it can be seen through. One of more than `pixels_max` is not decoded,
    since it could be made to take all of the memory. Blocks.
    """
    try:
        with Image.open(source, formats=_FORMATS) as picture:
            if picture.width * picture.height > pixels_max:
                return None
            # A JPEG is decoded at about the size that is needed.
            picture.draft("RGB", (SIDE_PIXELS, SIDE_PIXELS))
            upright = ImageOps.exif_transpose(picture)
            upright.thumbnail((SIDE_PIXELS, SIDE_PIXELS))
            has_alpha = "A" in upright.getbands() or "transparency" in upright.info
            small = upright.convert("RGBA" if has_alpha else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    # What it said beside its pixels would be saved with it.
    small.info.clear()
    return small
