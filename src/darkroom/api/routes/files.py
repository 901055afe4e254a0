"""Files: results and uploads under names that nobody can guess, without a key."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from darkroom import errors, media
from darkroom.api import ranges
from darkroom.api.call import Call, Route
from darkroom.domain import assets
from darkroom.storage import files


async def get_file(call: Call) -> Response:
    """The bytes of one file, whole or the ranges asked for, or the way to them."""
    return await answer(call, call.request.path_params["name"], may_lead_away=True)


async def get_upload(call: Call) -> Response:
    """The bytes of what somebody brought: a browser that is led there saves it, and shows nothing.

    A page may still show it as a picture. A bucket would not say so: it comes from here always.
    """
    name = call.request.path_params["name"]
    return await answer(call, name, {"Content-Disposition": "attachment"})


async def answer(
    call: Call,
    name: str,
    disposition: Mapping[str, str] | None = None,
    *,
    may_lead_away: bool = False,
) -> Response:
    """A file as this request asks for it; raises `FileNotFound` or `FileDeleted`."""
    store = call.edge.files
    stored = await store.find(name)
    if stored is None:
        raise await _missing(call, name)
    # A name never gets other bytes, so the name is the entity tag and may be kept for ever.
    tag = f'"{name.partition(".")[0]}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "public, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Access-Control-Allow-Origin": "*",
        **(disposition or {}),
    }
    if _matches(call.request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    # A presigned address is for GET alone.
    if may_lead_away and call.request.method == "GET" and (address := await store.address(name)):
        led = {"Location": address, "Cache-Control": "no-store", "Access-Control-Allow-Origin": "*"}
        return Response(status_code=307, headers=led)
    headers["Content-Type"] = media.MEDIA_TYPES[name.rpartition(".")[2]]
    return ranges.answer(call.request, store, name, stored, headers)


async def _missing(call: Call, name: str) -> errors.Refusal:
    """Why there is nothing: a deleted file is told from a name that never was."""
    files.check_name(name)
    async with call.edge.database.statement() as tx:
        return errors.FileDeleted() if await assets.is_deleted(tx, name) else errors.FileNotFound()


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
