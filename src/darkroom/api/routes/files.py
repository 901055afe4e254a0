"""Files: results and uploads under names that nobody can guess, without a key."""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from darkroom import errors, media
from darkroom.api.call import Call, Route
from darkroom.domain import assets

_SPAN = re.compile(r"(\d*)-(\d*)")
_SPANS = re.compile(r"bytes=\s*(?:\d+-\d*|-\d+)(?:\s*,\s*(?:\d+-\d*|-\d+))*")


async def get_file(call: Call) -> Response:
    """The bytes of one file, whole or the ranges asked for."""
    return await _answer(call, {})


async def get_upload(call: Call) -> Response:
    """The bytes of what somebody brought: a browser that is led there saves it, and shows nothing.

    A page may still show it as a picture.
    """
    return await _answer(call, {"Content-Disposition": "attachment"})


async def _answer(call: Call, disposition: Mapping[str, str]) -> Response:
    name = call.request.path_params["name"]
    if not await call.edge.files.exists(name):
        raise await _missing(call, name)
    # A name never gets other bytes, so the name is the entity tag and may be kept for ever.
    tag = f'"{name.partition(".")[0]}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "public, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Access-Control-Allow-Origin": "*",
        **disposition,
    }
    if _matches(call.request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    _forget_odd_range(call.request)
    media_type = media.MEDIA_TYPES[name.rpartition(".")[2]]
    return FileResponse(call.edge.files.path(name), headers=headers, media_type=media_type)


async def _missing(call: Call, name: str) -> errors.Refusal:
    """Why there is nothing: a deleted file is told from a name that never was."""
    call.edge.files.path(name)
    async with call.edge.database.statement() as tx:
        return errors.FileDeleted() if await assets.is_deleted(tx, name) else errors.FileNotFound()


def _forget_odd_range(request: Request) -> None:
    """A range that makes no sense is ignored (RFC 9110, 14.2), where Starlette answers 400."""
    asked = request.headers.get("range", "")
    spans = _SPANS.fullmatch(asked) and _SPAN.findall(asked)
    if not spans or any(last and int(first or 0) > int(last) for first, last in spans if first):
        headers = [pair for pair in request.scope["headers"] if pair[0] != b"range"]
        request.scope["headers"] = headers


def _matches(asked: str, tag: str) -> bool:
    tags = [one.strip().removeprefix("W/") for one in asked.split(",")]
    return tag in tags or "*" in tags


ROUTES = (
    Route(
        "GET",
        "/files/{name}",
        get_file,
        "The bytes of a file; takes Range and If-None-Match.",
        (errors.FileNotFound, errors.FileDeleted),
        needs_key=False,
    ),
    Route(
        "GET",
        "/uploads/{name}",
        get_upload,
        "The bytes of an upload, to be saved; takes Range and If-None-Match.",
        (errors.FileNotFound, errors.FileDeleted),
        needs_key=False,
    ),
)
