"""Parts: files that somebody sends as parts of a multipart body, bounded in size and type."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from darkroom import config, errors, media

_BYTES_MAX = max(config.UPLOAD_BYTES_MAX.values())
_FIELDS_MAX = 20
_FIELD_BYTES_MAX = 4096
# What the multipart lines around the file may take.
_ENVELOPE_BYTES_MAX = 64 * 2**10


async def read(request: Request, name: str = "file") -> UploadFile:
    """The file in a part of a multipart body; raises the refusals of an upload."""
    form = await read_form(request, files_max=1, bytes_max=_BYTES_MAX)
    part = form.get(name)
    if not isinstance(part, UploadFile):
        raise errors.BadParameter(f'{name} cannot be empty: send a part "{name}".', field=name)
    return part


async def read_form(
    request: Request, *, files_max: int, bytes_max: int, field_bytes_max: int = _FIELD_BYTES_MAX
) -> FormData:
    """The parts of a multipart body, of so many bytes together; raises the refusals of one."""
    if not is_form(request):
        raise errors.UnsupportedMedia('Send the file as multipart/form-data, in a part "file".')
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > bytes_max + _ENVELOPE_BYTES_MAX:
        raise _too_large(bytes_max)
    parser = MultiPartParser(
        request.headers,
        _bounded(request, bytes_max),
        max_files=files_max,
        max_fields=_FIELDS_MAX,
        max_part_size=field_bytes_max,
    )
    try:
        return await parser.parse()
    except MultiPartException as exc:
        raise errors.BadParameter(f"The multipart body is broken: {exc.message}") from exc


def is_form(request: Request) -> bool:
    """Whether a request has a multipart body."""
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


def _too_large(bytes_max: int) -> errors.UploadTooLarge:
    return errors.UploadTooLarge(f"The file is over {bytes_max} bytes.")


async def _bounded(request: Request, bytes_max: int) -> Any:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > bytes_max + _ENVELOPE_BYTES_MAX:
            raise _too_large(bytes_max)
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
