"""The line to an upstream: requests with its key, bounded in time and size, refusals as errors."""

from __future__ import annotations

import email.utils
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec

from darkroom import errors
from darkroom.engine.backends.contract import Errand
from darkroom.engine.backends.remote.options import Options

# An answer may hold a picture in base64.
ANSWER_BYTES_MAX = 96 * 2**20
RESULT_BYTES_MAX = 2**30
_CONNECT_SECONDS_MAX = 10.0
_SEND_SECONDS_MAX = 60.0
_RETRY_AFTER_SECONDS_MAX = 300.0
_TEXT_CHARS_MAX = 300
# A gateway's word for "no answer came": the request may have got through all the same.
_LOST = frozenset({502, 504, 520, 522, 524})
# Faults that come before anything has left.
_UNSENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
# Where upstreams put the sentence that says what is wrong.
_SENTENCES = ("message", "detail", "error", "desc", "title", "msg", "errors", "name")


Shape = TypeVar("Shape")
# From a refusal's status and body to what it means, or None.
Explain = Callable[[int, Any], errors.TaskError | None]


class Lost(Exception):
    """The request may have reached the upstream, but no answer came."""


class Line:
    """One task's requests to the upstream of this name.

    `headers` go with each of them, `explain` says what a refusal means where its status does not.
    """

    def __init__(
        self,
        name: str,
        options: Options,
        errand: Errand,
        *,
        address: str,
        headers: Mapping[str, str],
        explain: Explain,
    ) -> None:
        self.options = options
        self.errand = errand
        self.address = address.rstrip("/")
        self._name = name
        self._headers = dict(headers)
        self._explain = explain

    async def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        seconds_max: float = _SEND_SECONDS_MAX,
        **content: Any,
    ) -> Any:
        """The answer's body, decoded if it is JSON, else its bytes; `path` may be a whole address.

        `content` is `json`, `data`, `files` or `params`, as httpx takes them.
        Raises `Lost` where no answer came to what may have been taken, and a `TaskError` where the
        upstream refused: nothing was taken then.
        """
        request = self.errand.http.build_request(
            method,
            self.whole(path),
            headers=self._headers | dict(headers or {}),
            timeout=httpx.Timeout(seconds_max, connect=_CONNECT_SECONDS_MAX),
            **content,
        )
        status, answer_headers, body = await self._answer(request)
        if status < 300:
            return _decoded(body)
        if status in _LOST and method != "GET":
            raise Lost
        raise self._refusal(status, answer_headers, _decoded(body))

    async def download(self, address: str, path: Path) -> None:
        """Write a result of the upstream's own into a file; raises as `send` does."""
        request = self.errand.http.build_request(
            "GET",
            self.whole(address),
            headers=self._headers,
            timeout=httpx.Timeout(_SEND_SECONDS_MAX, connect=_CONNECT_SECONDS_MAX),
        )
        status, answer_headers, body = await self._answer(request, into=path)
        if status in (301, 302, 303, 307, 308) and "location" in answer_headers:
            target = str(request.url.join(answer_headers["location"]))
            await self.errand.fetch(target, path.name, bytes_max=RESULT_BYTES_MAX)
        elif status >= 300:
            raise self._refusal(status, answer_headers, _decoded(body))

    def whole(self, path: str) -> str:
        """The whole address of a path below the upstream's."""
        return path if "://" in path else f"{self.address}/{path.lstrip('/')}"

    def is_own(self, address: str) -> bool:
        """Whether an address is the upstream's own, where its key may go."""
        own, other = httpx.URL(self.address), httpx.URL(self.whole(address))
        return (own.scheme, own.host, own.port) == (other.scheme, other.host, other.port)

    async def _answer(
        self, request: httpx.Request, into: Path | None = None
    ) -> tuple[int, httpx.Headers, bytes]:
        """Status, headers and body; of a good answer into the file, if one is named."""
        try:
            response = await self.errand.http.send(request, stream=True)
            try:
                body = await _body(response, into if response.status_code < 300 else None)
            finally:
                await response.aclose()
        except _UNSENT as exc:
            raise errors.Hindered(f"{self._name} cannot be reached.") from exc
        except httpx.HTTPError as exc:
            raise Lost from exc
        return response.status_code, response.headers, body

    def _refusal(self, status: int, headers: httpx.Headers, body: Any) -> errors.TaskError:
        explained = self._explain(status, body)
        if explained is not None:
            if isinstance(explained, errors.Hindered) and (seconds := _retry_after(headers)):
                explained.retry_after_seconds = seconds
            return explained
        name, said = self._name, sentence(body) or f"HTTP {status}"
        if status in (401, 403):
            return errors.Hindered(f"{name} refuses this server's key: {said}")
        if status in (400, 413, 415, 422):
            return errors.BadInput(f"{name} refuses the request: {said}")
        return errors.Hindered(f"{name}: {said}", retry_after_seconds=_retry_after(headers))


async def _body(response: httpx.Response, into: Path | None) -> bytes:
    size, parts = 0, []
    bytes_max = RESULT_BYTES_MAX if into else ANSWER_BYTES_MAX
    with (into or Path("/dev/null")).open("wb") as stream:
        async for part in response.aiter_bytes():
            size += len(part)
            if size > bytes_max:
                if into is None:
                    raise Lost
                raise errors.BackendFailed(f"The upstream answered more than {bytes_max} bytes.")
            if into:
                stream.write(part)
            else:
                parts.append(part)
    return b"".join(parts)


def read(answer: Any, shape: type[Shape]) -> Shape:
    """An answer in the shape that it should have; any other is as good as none: raises `Lost`."""
    try:
        return msgspec.convert(answer, shape, strict=False)
    except msgspec.ValidationError as exc:
        raise Lost from exc


def _decoded(body: bytes) -> Any:
    """The body as JSON says it, else as it is."""
    try:
        return json.loads(body)
    except ValueError:
        return body


def sentence(body: Any) -> str:
    """What an answer says is wrong, wherever it says it; empty where it does not."""
    for _ in range(4):
        if isinstance(body, list) and body:
            body = body[0]
        elif isinstance(body, dict):
            body = next((body[name] for name in _SENTENCES if body.get(name)), "")
    return body.strip()[:_TEXT_CHARS_MAX] if isinstance(body, str) else ""


def _retry_after(headers: httpx.Headers) -> float:
    """Seconds, from a number or from a date, by the upstream's own clock (RFC 9110, 10.2.3)."""
    said = headers.get("retry-after", "")
    if said.isdigit():
        return min(float(said), _RETRY_AFTER_SECONDS_MAX)
    try:
        until, now = (email.utils.parsedate_to_datetime(one) for one in (said, headers["date"]))
    except (ValueError, KeyError):
        return 0.0
    return min(max((until - now).total_seconds(), 0.0), _RETRY_AFTER_SECONDS_MAX)
