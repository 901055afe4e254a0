"""Ranges: which bytes of a file a request asks for, and the answer that brings them."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from email.utils import formatdate

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from darkroom.storage.files import Files, Stored

_SPAN = re.compile(r"(\d*)-(\d*)")
# No file has a place of more digits.
_ONE = r"(?:\d{1,18}-\d{0,18}|-\d{1,18})"
_SPANS = re.compile(rf"bytes=\s*{_ONE}(?:\s*,\s*{_ONE})*")
# Who asks for more pieces gets the whole file (RFC 9110, 14.2: a server may ignore a Range).
_SPANS_MAX = 100
# From the first byte up to the second.
Span = tuple[int, int]


def answer(
    request: Request, store: Files, name: str, stored: Stored, headers: Mapping[str, str]
) -> Response:
    """The file, whole or in the ranges asked for (RFC 9110, 14); `headers` hold ETag and type."""
    size = stored.size
    headers = {
        **headers,
        "Accept-Ranges": "bytes",
        "Last-Modified": formatdate(stored.stored_at, usegmt=True),
    }
    asked = request.headers.get("range", "")
    if request.headers.get("if-range", headers["ETag"]) not in (
        headers["ETag"],
        headers["Last-Modified"],
    ):
        asked = ""
    spans = find_spans(asked, size)
    if spans is None:
        return _send(request, store.read(name, 0, size), 200, headers, size)
    if not spans:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
    if len(spans) == 1:
        [(start, stop)] = spans
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        return _send(request, store.read(name, start, stop), 206, headers, stop - start)
    boundary = secrets.token_hex(13)
    parts = [
        (
            f"--{boundary}\r\nContent-Type: {headers['Content-Type']}\r\n"
            f"Content-Range: bytes {start}-{stop - 1}/{size}\r\n\r\n".encode(),
            (start, stop),
        )
        for start, stop in spans
    ]
    end = f"--{boundary}--".encode()
    length = len(end) + sum(len(head) + stop - start + 2 for head, (start, stop) in parts)
    headers["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
    return _send(request, _join(store, name, parts, end), 206, headers, length)


def find_spans(asked: str, size: int) -> list[Span] | None:
    """The bytes that a Range header asks for, in order and apart; empty: there are none of them.

    None: the whole file, since the header is missing or makes no sense (RFC 9110, 14.2).
    """
    pairs = _SPAN.findall(asked.removeprefix("bytes=")) if _SPANS.fullmatch(asked) else []
    if not 0 < len(pairs) <= _SPANS_MAX:
        return None
    spans: list[Span] = []
    for first, last in pairs:
        if first and last and int(first) > int(last):
            return None
        start = int(first) if first else max(size - int(last), 0)
        stop = min(int(last) + 1, size) if first and last else size
        if start < stop:
            spans.append((start, stop))
    apart: list[Span] = []
    for start, stop in sorted(spans):
        if apart and start <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(stop, apart[-1][1]))
        else:
            apart.append((start, stop))
    return apart


async def _join(
    store: Files, name: str, parts: Sequence[tuple[bytes, Span]], end: bytes
) -> AsyncIterator[bytes]:
    """The body of a multipart/byteranges answer."""
    for head, (start, stop) in parts:
        yield head
        async for piece in store.read(name, start, stop):
            yield piece
        yield b"\r\n"
    yield end


def _send(
    request: Request,
    pieces: AsyncIterator[bytes],
    status: int,
    headers: Mapping[str, str],
    length: int,
) -> Response:
    headers = {**headers, "Content-Length": str(length)}
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return StreamingResponse(pieces, status, headers)
