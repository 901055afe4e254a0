"""The one door to addresses that callers name: public ones only, bounded in size and time."""

from __future__ import annotations

import importlib.metadata
import ipaddress
import socket
import ssl
import time
import urllib.parse
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
import httpcore
import httpx
import msgspec

from darkroom.addresses import Address, Addresses, is_literal
from darkroom.errors import (
    AddressRefused,
    BadInput,
    InputRefused,
    NoAnswer,
    Refusal,
    WebhookRefused,
)

REDIRECTS_MAX = 5
CONNECTIONS_MAX = 64
ADDRESSES_TRIED_MAX = 6
CONNECT_SECONDS_MAX = 10.0
ANSWER_BYTES_MAX = 65_536
UNDECLARED = "application/octet-stream"

# From a host name and a port to the addresses (text) of that name, in the order to try them.
Resolve = Callable[[str, int], Awaitable[list[str]]]

_FAILURES = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    ssl.SSLError,
)


class Fetched(msgspec.Struct, frozen=True):
    """What a fetch wrote: the address it ended at, its declared media type, its size."""

    url: str
    media_type: str
    size_bytes: int


class Answered(msgspec.Struct, frozen=True):
    """What a post got back; names in `headers` are found in any case, `body` may be cut off."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


class Outbound:
    """Fetches from and posts to addresses that callers name; used as `async with`.

    `allow` is what `Addresses` takes. With `webhook_http` a webhook may go to any public host over
    plain http, without it only to those of `allow`. `resolve` turns a host name into addresses;
    the system's resolver by default.
    """

    def __init__(
        self,
        allow: Iterable[str] = (),
        *,
        webhook_http: bool = False,
        resolve: Resolve | None = None,
    ) -> None:
        self._addresses = Addresses(allow)
        self._webhook_http = webhook_http
        self._resolve = resolve or _resolve
        self._pool: httpcore.AsyncConnectionPool | None = None

    async def __aenter__(self) -> Self:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=CONNECTIONS_MAX,
            max_keepalive_connections=8,
            keepalive_expiry=5.0,
            network_backend=_CheckedNetwork(self._addresses, self._resolve),
        )
        self._agent = f"Darkroom/{importlib.metadata.version('darkroom')}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.aclose()

    def check_address(self, url: str, *, field: str | None = None) -> None:
        """Raises InputRefused for an address that can be seen to be wrong without asking DNS."""
        try:
            self._addresses.parse(url)
        except AddressRefused as refused:
            raise _refusal(InputRefused, refused, field) from None

    def check_webhook(self, url: str, *, field: str | None = "webhook_url") -> str:
        """Returns its host; raises WebhookRefused if `post` would refuse it without asking DNS."""
        try:
            found = self._addresses.parse(url, http_allowed=self._webhook_http)
            return found.raw_host.decode("ascii")
        except AddressRefused as refused:
            raise _refusal(WebhookRefused, refused, field) from None

    async def fetch(
        self,
        url: str,
        into: Path,
        *,
        bytes_max: int,
        seconds_max: float,
        accept: frozenset[str] | None = None,
    ) -> Fetched:
        """Writes what is at `url` to the file `into` and returns its type and size.

        The file exists only when the fetch succeeded. `seconds_max` bounds everything, redirects
        and name look-ups included. `accept` is the set of media types (lower case, no parameters)
        taken; an undeclared type or application/octet-stream passes, for the decoder to judge.
        Raises InputRefused where an address on the way may not be fetched, BadInput where the
        fetch fails.
        """
        place = _Place(into, bytes_max, accept)
        try:
            with anyio.fail_after(seconds_max):
                fetched = await self._follow(self._addresses.parse(url), place)
        except AddressRefused as refused:
            raise _refusal(InputRefused, refused) from None
        except TimeoutError:
            raise BadInput(
                f"The input address took longer than the {seconds_max:g} seconds that it may take."
            ) from None
        finally:
            place.discard_unless_done()
        return fetched

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        seconds_max: float,
        bytes_max: int = ANSWER_BYTES_MAX,
    ) -> Answered:
        """Sends `body` to a webhook address and returns the answer, whatever its status.

        A redirect is an answer too, and not followed. Of the answer's body `bytes_max` bytes are
        read at most. `seconds_max` bounds everything. Raises NoAnswer.
        """
        began = time.monotonic()
        try:
            with anyio.fail_after(seconds_max):
                target = self._addresses.parse(url, http_allowed=self._webhook_http)
                async with self._sent("POST", target, headers, body) as response:
                    kept = await _at_most(bytes_max, response.aiter_stream())
        except AddressRefused as refused:
            raise NoAnswer("refused", str(refused)) from None
        except TimeoutError:
            raise NoAnswer("timeout", f"no answer within {seconds_max:g} seconds") from None
        except _FAILURES as error:
            raise _no_answer(error) from error
        answer = httpx.Headers(response.headers)
        return Answered(response.status, answer, kept, time.monotonic() - began)

    async def _follow(self, url: httpx.URL, place: _Place) -> Fetched:
        for _ in range(REDIRECTS_MAX + 1):
            try:
                ended = await self._get(url, place)
            except _FAILURES as error:
                reason = str(error) or type(error).__name__
                raise BadInput(f"The input at {url.host} could not be fetched: {reason}") from error
            if isinstance(ended, Fetched):
                return ended
            url = self._addresses.parse(ended)
        raise BadInput(f"The input address redirects more than {REDIRECTS_MAX} times.")

    async def _get(self, url: httpx.URL, place: _Place) -> Fetched | str:
        """Returns what was written, or the address that the answer redirects to."""
        headers = {"Accept": ", ".join(sorted(place.accept or ())) or "*/*"}
        async with self._sent("GET", url, headers) as response:
            answer = httpx.Headers(response.headers)
            if response.status in (301, 302, 303, 307, 308) and "location" in answer:
                return _joined(url, answer["location"])
            media_type = place.refuse_early(url.host, response.status, answer)
            size_bytes = await place.write(url.host, response.aiter_stream())
            return Fetched(str(url), media_type, size_bytes)

    def _sent(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], content: bytes | None = None
    ) -> AbstractAsyncContextManager[httpcore.Response]:
        assert self._pool is not None, "Outbound is used as `async with Outbound(…)`"
        target = httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        sent: list[tuple[str | bytes, str | bytes]] = [
            *headers.items(),
            ("Host", url.netloc),
            ("User-Agent", self._agent),
            ("Accept-Encoding", "identity"),
        ]
        return self._pool.stream(method, target, headers=sent, content=content)


class _Place:
    """The file that one fetch writes, with the bounds that hold for it."""

    def __init__(self, path: Path, bytes_max: int, accept: frozenset[str] | None) -> None:
        self.accept = accept
        self._path = path
        self._bytes_max = bytes_max
        self._done = False

    def refuse_early(self, host: str, status: int, answer: httpx.Headers) -> str:
        """Returns the declared media type, or raises BadInput before a byte of the body is read."""
        if status != 200:
            raise BadInput(f"The input at {host} answered HTTP {status}.")
        declared_type: str = answer.get("content-type", UNDECLARED)
        media_type = declared_type.partition(";")[0].strip().lower()
        if self.accept is not None and media_type not in {*self.accept, UNDECLARED}:
            raise BadInput(
                f"The input at {host} is {media_type[:80]}; it must be one of "
                f"{', '.join(sorted(self.accept))}."
            )
        # An encoding nobody asked for would make the declared size a lie, or a bomb.
        if answer.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
            raise BadInput(f"The input at {host} is compressed although that was not asked for.")
        declared = answer.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._bytes_max:
            raise self._too_large(host)
        return media_type

    async def write(self, host: str, body: AsyncIterable[bytes]) -> int:
        """Writes the body and returns its size in bytes; stops at the first byte too many."""
        size_bytes = 0
        async with await anyio.open_file(self._path, "wb") as file:
            async for chunk in body:
                size_bytes += len(chunk)
                if size_bytes > self._bytes_max:
                    raise self._too_large(host)
                await file.write(chunk)
        if size_bytes == 0:
            raise BadInput(f"The input at {host} is empty.")
        self._done = True
        return size_bytes

    def discard_unless_done(self) -> None:
        if not self._done:
            self._path.unlink(missing_ok=True)

    def _too_large(self, host: str) -> BadInput:
        return BadInput(f"The input at {host} is larger than {self._bytes_max} bytes.")


class _NotConnected(httpcore.ConnectError):
    """No connection, as opposed to one on which TLS failed."""


class _CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Resolves a name once, checks every address, and connects to an address that it checked.

    The name is not asked for again, so an answer that changes between check and connection cannot
    lead inward. TLS still verifies the original name: httpcore keeps it beside the connection.
    """

    def __init__(self, addresses: Addresses, resolve: Resolve) -> None:
        self._addresses = addresses
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: httpcore.NetworkError | httpcore.TimeoutException | None = None
        for address in (await self._found(host, port))[:ADDRESSES_TRIED_MAX]:
            try:
                return await self._network.connect_tcp(
                    str(address), port, CONNECT_SECONDS_MAX, local_address, socket_options
                )
            except (httpcore.NetworkError, httpcore.TimeoutException) as error:
                failure = error
        # The system's text would name the address behind the name: the caller need not learn it.
        raise _NotConnected("no connection could be made") from failure

    async def _found(self, host: str, port: int) -> list[Address]:
        try:
            texts = [host] if is_literal(host) else await self._resolve(host, port)
        except OSError as error:
            raise _NotConnected("its host name is not known") from error
        found = [ipaddress.ip_address(text) for text in texts]
        self._addresses.check_found(host, port, found)
        return found


async def _resolve(host: str, port: int) -> list[str]:
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for _, _, _, _, address in found]


def _joined(base: httpx.URL, location: str) -> str:
    try:
        return urllib.parse.urljoin(str(base), location)
    except ValueError:
        raise AddressRefused("it redirects to a malformed address") from None


async def _at_most(bytes_max: int, body: AsyncIterable[bytes]) -> bytes:
    kept = bytearray()
    async for chunk in body:
        kept += chunk
        if len(kept) >= bytes_max:
            break
    return bytes(kept[:bytes_max])


def _refusal(kind: type[Refusal], refused: AddressRefused, field: str | None = None) -> Refusal:
    """What `kind` says in general, with why."""
    return kind(f"{kind().message.removesuffix('.')}: {refused}.", field=field)


def _no_answer(error: Exception) -> NoAnswer:
    """The library's texts may name an address that its owner keeps to himself: ours do not."""
    if isinstance(error, _NotConnected):
        return NoAnswer("connect", str(error))
    if isinstance(error, httpcore.TimeoutException):
        return NoAnswer("timeout", "the connection took too long")
    if isinstance(error, httpcore.ConnectError | ssl.SSLError):
        why = getattr(error.__context__, "verify_message", "") or "the handshake failed"
        return NoAnswer("tls", f"no secure connection could be made: {why}")
    # What the HTTP parser refused comes from that refusal, a hang-up before an answer from nothing.
    if isinstance(error, httpcore.NetworkError) or error.__context__ is None:
        return NoAnswer("reset", "the connection was closed before the answer was whole")
    return NoAnswer("malformed", "what came back is no whole answer of HTTP")
