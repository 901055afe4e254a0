"""The wire: the envelope around every answer, and how a body is read."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from darkroom import config, errors
from darkroom.domain import spellings
from darkroom.domain.kinds.kind import spoken

Body = TypeVar("Body", bound=msgspec.Struct)

# Refusals that keep their HTTP status in the reference spelling; the others are 200 with a code.
_ALWAYS_HTTP = {401, 403, 405, 413, 429}
_HEADERS = [(b"cache-control", b"no-store"), (b"content-type", b"application/json")]
_MISSING = re.compile(r"missing required field `(\w+)`")
# An escaped NUL, which PostgreSQL cannot keep; an escaped backslash before "u0000" is none.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_UNKNOWN = re.compile(r"^Invalid enum value '?(.*?)'?$")
_PATH = re.compile(r" - at `\$\.?([^`]*)`$")


class Json(Response):
    """An encoded answer, its headers as they leave."""

    def __init__(self, body: bytes, status: int, headers: Mapping[str, str]) -> None:
        self.body = body
        self.status_code = status
        self.background = None
        self.raw_headers = [
            *_HEADERS,
            (b"content-length", b"%d" % len(body)),
            *((name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()),
        ]


def success(
    data: Any, request_id: str, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The envelope of an answer that went well."""
    return Json(spellings.encode(spellings.envelope(data, request_id)), status, headers or {})


def refusal(
    refused: errors.Refusal,
    wire: str,
    request_id: str,
    more: Mapping[str, Any] | None = None,
    status: int | None = None,
) -> Response:
    """The envelope of a refusal, with its proper HTTP status or, in the reference spelling, 200.

    To clients of another wire it says `more`, under that one's `status`.
    """
    body: dict[str, Any] = {
        "status": refused.code,
        "desc": refused.message,
        "message": refused.message,
        "data": None,
        "success": False,
        "request_id": request_id,
        **(more or {}),
    }
    if refused.field:
        body["field"] = refused.field
    headers: dict[str, str] = {}
    if refused.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if refused.allow:
        headers["Allow"] = ", ".join(refused.allow)
    if refused.retry_after_seconds is not None:
        headers["Retry-After"] = str(refused.retry_after_seconds)
    business = wire == "reference" and refused.status < 500
    if status is None:
        status = 200 if business and refused.status not in _ALWAYS_HTTP else refused.status
    return Json(spellings.encode(body), status, headers)


async def read_json(request: Request) -> dict[str, Any]:
    """Decode a JSON body, an object; a field that is null counts as left out."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise errors.UnsupportedMedia(
            f'The body is "{media_type or "of no type"}": send JSON with '
            '"Content-Type: application/json".'
        )
    body = await read_bytes(request, config.JSON_BYTES_MAX)
    if b"\\u0000" in body and _NUL.search(body):
        raise errors.BadParameter("The body has a NUL character (\\u0000): leave it out.")
    try:
        fields = msgspec.json.decode(body.removeprefix(codecs.BOM_UTF8))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise errors.BadParameter(f"The body is not valid JSON: {exc}.") from exc
    if not isinstance(fields, dict):
        raise errors.BadParameter("The body must be a JSON object.")
    return {name: value for name, value in fields.items() if value is not None}


def convert(fields: Mapping[str, Any], into: type[Body]) -> Body:
    """Validate the fields of a body."""
    try:
        return msgspec.convert(fields, into)
    except msgspec.ValidationError as exc:
        raise _parameter(str(exc), into) from exc


async def read_bytes(request: Request, bytes_max: int) -> bytes:
    """The whole body, refused as soon as it is known to be larger than `bytes_max`."""
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > bytes_max:
        raise errors.BodyTooLarge(f"The body has {declared} bytes; at most {bytes_max} are taken.")
    chunks, size = [], 0
    has_more = True
    while has_more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > bytes_max:
            raise errors.BodyTooLarge(f"The body is larger than {bytes_max} bytes.")
        chunks.append(chunk)
        has_more = message.get("more_body", False)
    return b"".join(chunks)


def _parameter(text: str, into: type[Any]) -> errors.BadParameter:
    """msgspec's text in the words that clients of this wire know."""
    if missing := _MISSING.search(text):
        return errors.BadParameter(f"{spoken(missing[1])} cannot be empty", field=missing[1])
    found = _PATH.search(text)
    path = found[1] if found else ""
    field = re.split(r"[.\[]", path)[0] or None
    said = _PATH.sub("", text)
    if said.endswith("of length >= 1"):
        return errors.BadParameter(f"{spoken(path)} cannot be empty", field=field)
    if unknown := _UNKNOWN.search(said):
        choices = ", ".join(_choices(into, path))
        instead = f": send {choices}" if choices else ""
        text = f"{spoken(path)} {unknown[1]} is not supported{instead}."
        return errors.BadParameter(text, field=field)
    if "matching regex" in said:
        said = f"not understood. {_about(into, path).get('description', '')}"
    return errors.BadParameter(f"{path}: {said}" if path else said, field=field)


def _about(into: type[Any], name: str) -> Mapping[str, Any]:
    """A field as JSON Schema; nothing for one within another."""
    _, components = msgspec.json.schema_components([into])
    found: Mapping[str, Any] = components[into.__name__]["properties"].get(name, {})
    return found


def _choices(into: type[Any], name: str) -> tuple[str, ...]:
    """What a field may be, of one that may be a few things only."""
    about = _about(into, name)
    ways = (about, *about.get("anyOf", ()))
    return tuple(
        str(choice) for way in ways for choice in way.get("enum", ()) if choice is not None
    )
