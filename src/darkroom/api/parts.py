"""Parts: a file that somebody sends as a part of a multipart body, bounded in size and type."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from darkroom import config, errors, media

_BYTES_MAX = max(config.UPLOAD_BYTES_MAX.values())
_FIELDS_MAX = 10
_FIELD_BYTES_MAX = 4096
# What the multipart lines around the file may take.
_ENVELOPE_BYTES_MAX = 64 * 2**10


async def read(request: Request) -> UploadFile:
    """The part `file` of a multipart body; raises the refusals of an upload."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise errors.UnsupportedMedia('Send the file as multipart/form-data, in a part "file".')
    limit = _BYTES_MAX + _ENVELOPE_BYTES_MAX
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise errors.UploadTooLarge(f"The file is over {_BYTES_MAX} bytes.")
    parser = MultiPartParser(
        request.headers,
        _bounded(request, limit),
        max_files=1,
        max_fields=_FIELDS_MAX,
        max_part_size=_FIELD_BYTES_MAX,
    )
    try:
        form = await parser.parse()
    except MultiPartException as exc:
        raise errors.BadParameter(f"The multipart body is broken: {exc.message}") from exc
    part = form.get("file")
    if not isinstance(part, UploadFile):
        raise errors.BadParameter('file cannot be empty: send a part "file".', field="file")
    return part


async def _bounded(request: Request, bytes_max: int) -> Any:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > bytes_max:
            raise errors.UploadTooLarge(f"The file is over {_BYTES_MAX} bytes.")
        yield chunk


def spool(part: UploadFile, path: Path) -> str:
    """Write a part to a file, and answer its media type; refuses a type or size that is not taken.

    Blocks.
    """
    media_type = media.sniff(part.file.read(media.SNIFF_BYTES))
    if media_type is None:
        spoken = "; ".join(media.SPOKEN.values())
        raise errors.UnsupportedFormat(f"only support {spoken} type", field="file")
    size = part.file.seek(0, os.SEEK_END)
    if size > (bytes_max := config.UPLOAD_BYTES_MAX[media.sort(media_type)]):
        raise errors.UploadTooLarge(
            f"The file is over {bytes_max} bytes, the most for a {media.sort(media_type)}."
        )
    part.file.seek(0)
    with path.open("wb") as target:
        while chunk := part.file.read(2**20):
            target.write(chunk)
    return media_type
