"""Cleaning: a picture that somebody brought, without what it says of them."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from darkroom import errors

PIXELS_MAX = 50_000_000
# What is told beside the pixels and says nothing of anybody.
_PLAIN = {
    *("jfif", "jfif_version", "jfif_unit", "jfif_density", "adobe", "adobe_transform"),
    *("progressive", "progression", "icc_profile", "dpi", "gamma", "srgb", "chromaticity"),
    *("transparency", "interlace", "aspect", "loop", "background", "timestamp", "duration"),
}
FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
# Decoding a large picture takes a core and up to 200 MB for a moment.
TURNS = threading.BoundedSemaphore(2)


def clean(path: Path, media_type: str, field: str) -> None:
    """Decode a picture, and write it anew if it says more than its pixels and their colours.

    Place, time, camera, thumbnails and words (EXIF, XMP, IPTC, comments) are gone then, and it is
    upright. Blocks; raises `InputRefused` for one that is broken, cut off or over 50 megapixels.
    """
    with TURNS:
        try:
            _rewrite(path, media_type)
        except errors.InputRefused as refused:
            raise errors.InputRefused(refused.message, field=field) from refused
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
            raise errors.InputRefused(_too_large(), field=field) from exc
        except (OSError, SyntaxError, ValueError) as exc:
            raise errors.InputRefused(
                "image url error: the picture is broken or cut off: it cannot be decoded.",
                field=field,
            ) from exc


def _rewrite(path: Path, media_type: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=(FORMATS[media_type],)) as picture:
            if picture.width * picture.height > PIXELS_MAX:
                raise errors.InputRefused(_too_large())
            picture.load()
            if picture.info.keys() <= _PLAIN:
                return
            given: dict[str, Any] = {"icc_profile": picture.info.get("icc_profile")}
            turned = ImageOps.exif_transpose(picture)
            turned.info.clear()
            if media_type == "image/jpeg":
                # The tables of the original, where the pixels are as they were.
                is_same = turned.size == picture.size and picture.getexif().get(274, 1) == 1
                given |= {"quality": "keep" if is_same else 95}
                turned.format = "JPEG"
            elif media_type == "image/webp":
                given |= {"quality": 95, "method": 2}
            else:
                given |= {"compress_level": 3}
            if given["icc_profile"] is None:
                del given["icc_profile"]
            turned.save(path, FORMATS[media_type], **given)


def _too_large() -> str:
    return f"image url error: the picture has over {PIXELS_MAX // 1_000_000} megapixels."
