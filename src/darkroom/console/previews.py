"""Previews: small versions of an account's own pictures, made once and kept beside them."""

from __future__ import annotations

import asyncio
import io
import tempfile
from pathlib import Path

from starlette.responses import Response

from darkroom import errors, thumbnails
from darkroom.console.visit import Page, Visit
from darkroom.domain import assets
from darkroom.storage import files

# A picture of more pixels is not opened: it could be made to take all of the memory.
_PIXELS_MAX = 64_000_000
_QUALITY = 80
_KEPT = {"Cache-Control": "private, max-age=31536000, immutable"}
# A big picture takes a core for a good part of a second, and a hundred megabytes.
_scaling = asyncio.Semaphore(2)


async def show(visit: Visit) -> Response:
    """The small version of one picture of the account."""
    name = visit.request.path_params["name"]
    files.check_name(name)
    async with visit.edge.database.statement() as tx:
        asset = await assets.find(tx, visit.account_id, name)
    if asset is None or not asset.media_type.startswith("image/"):
        raise errors.FileNotFound
    small = await visit.edge.files.preview(name)
    if small is None:
        async with _scaling:
            small = await _make(visit.edge.files, name)
    return Response(small, headers=_KEPT, media_type="image/webp")


async def _make(store: files.Files, name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source = await store.fetch(name, Path(folder) / "picture")
        small = await asyncio.to_thread(_scale, source)
    await store.keep_preview(name, small)
    return small


def _scale(source: Path) -> bytes:
    picture = thumbnails.make(source, pixels_max=_PIXELS_MAX)
    if picture is None:
        raise errors.FileNotFound("There is no small version of this file.")
    small = io.BytesIO()
    picture.save(small, "WEBP", quality=_QUALITY)
    return small.getvalue()


PAGES = (Page("GET", "/gallery/previews/{name}", show),)
