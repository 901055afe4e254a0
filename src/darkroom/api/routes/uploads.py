"""Uploads: a file of the caller's becomes an address that any submit can name."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from darkroom import errors
from darkroom.api import inputs, parts
from darkroom.api.call import Call, Route
from darkroom.domain import assets


async def upload(call: Call) -> Any:
    """Store the part `file` of a multipart body and answer its address."""
    _, address = await store(call, "file")
    return {"object_url_list": [address]}


async def store(call: Call, name: str) -> tuple[assets.Asset, str]:
    """Store the part of a multipart body that has this name; answers its row and its address."""
    part = await parts.read(call.request, name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        media_type = await asyncio.to_thread(parts.spool, part, path)
        await inputs.check(path, media_type, name)
        file, size, digest = await call.edge.files.take(path, media_type)
    asset = assets.Asset(file, media_type, size, digest)
    async with call.edge.database.transaction() as tx:
        await assets.add(tx, call.principal.account_id, [asset], task_id=None)
    return asset, f"{call.base_url}/uploads/{file}"


ROUTES = (
    Route(
        "POST",
        "/v1/generation/upload-file",
        upload,
        "Upload a picture, clip or sound; the answer's address can be named as an input.",
        (
            errors.Unauthenticated,
            errors.RateLimited,
            errors.BadParameter,
            errors.UploadTooLarge,
            errors.UnsupportedMedia,
            errors.UnsupportedFormat,
            errors.InputRefused,
        ),
    ),
)
