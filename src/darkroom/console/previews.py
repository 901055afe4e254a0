"""Previews: small versions of an account's own pictures, made once and kept beside them."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

from PIL import Image, ImageOps
from starlette.responses import FileResponse, Response

from darkroom import errors
from darkroom.console.visit import Page, Visit
from darkroom.domain import assets

# Twice the width of a picture in the grid, for screens of twice the pixels.
_SIDE_PIXELS = 512
# A picture of more pixels is not opened: it could be made to take all of the memory.
_PIXELS_MAX = 64_000_000
_FORMATS = ("JPEG", "PNG", "WEBP")
_QUALITY = 80
_KEPT = {"Cache-Control": "private, max-age=31536000, immutable"}
# A big picture takes a core for a good part of a second, and a hundred megabytes.
_scaling = asyncio.Semaphore(2)


async def show(visit: Visit) -> Response:
    """The small version of one picture of the account."""
    name = visit.request.path_params["name"]
    files = visit.edge.files
    source, small = files.path(name), files.preview(name)
    async with visit.edge.database.statement() as tx:
        asset = await assets.find(tx, visit.account_id, name)
    if asset is None or not asset.media_type.startswith("image/"):
        raise errors.FileNotFound
    if not await asyncio.to_thread(small.is_file):
        async with _scaling:
            await asyncio.to_thread(_scale, source, small)
    return FileResponse(small, headers=_KEPT, media_type="image/webp")


def _scale(source: Path, target: Path) -> None:
    """Write the small version whole or not at all, and not of a picture that is gone by then."""
    beside = target.with_suffix(f".{secrets.token_hex(4)}.part")
    try:
        with Image.open(source, formats=_FORMATS) as picture:
            if picture.width * picture.height > _PIXELS_MAX:
                raise errors.FileNotFound("This picture is too large for a small version.")
            # A JPEG is decoded at about the size that is needed.
            picture.draft("RGB", (_SIDE_PIXELS, _SIDE_PIXELS))
            upright = ImageOps.exif_transpose(picture)
            upright.thumbnail((_SIDE_PIXELS, _SIDE_PIXELS))
            has_alpha = "A" in upright.getbands() or "transparency" in upright.info
            upright.convert("RGBA" if has_alpha else "RGB").save(beside, "WEBP", quality=_QUALITY)
        beside.rename(target)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as exc:
        raise errors.FileNotFound("There is no small version of this file.") from exc
    finally:
        beside.unlink(missing_ok=True)
    # Who deletes the picture removes it before its preview: one of the two sees the other.
    if not source.exists():
        target.unlink(missing_ok=True)


PAGES = (Page("GET", "/gallery/previews/{name}", show),)
