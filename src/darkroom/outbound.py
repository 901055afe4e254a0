"""The one door to addresses that callers name: public ones only, bounded in size and time."""

from __future__ import annotations

import importlib.metadata
import ipaddress
import re
import socket
import ssl
import urllib.parse
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
import httpcore
import httpx

from darkroom.errors import BadInput, ConfigInvalid, InputRefused

URL_CHARACTERS_MAX = 2048
REDIRECTS_MAX = 5
CONNECTIONS_MAX = 64
ADDRESSES_TRIED_MAX = 6
CONNECT_SECONDS_MAX = 10.0
UNDECLARED = "application/octet-stream"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# From a host name and a port to the addresses (text) of that name, in the order to try them.
Resolve = Callable[[str, int], Awaitable[list[str]]]

# Written out, not asked of `ipaddress.is_global`, whose answers change between Python releases.
# https://www.iana.org/assignments/iana-ipv4-special-registry
_NOT_PUBLIC_V4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
            *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24"),
            *("192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
            *("224.0.0.0/4", "240.0.0.0/4"),
            "168.63.129.16/32",  # looks public, but inside Azure it is the host's own agent
        ),
    )
)
# https://www.iana.org/assignments/iana-ipv6-special-registry: only 2000::/3 is given out, and in it
# are Teredo and its kin (2001::/23), documentation (two), and 6to4 (2002::/16, which wraps IPv4).
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

_AUTHORITY = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s\[\]:@%\\/?#]+)(?::(?P<port>[0-9]{1,5}))?"
)
_UNCLEAN = re.compile(r"[\s\\\x00-\x1f\x7f]")
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*")
# A last label that browsers and C libraries read as a number makes the whole host an IPv4 address:
# https://url.spec.whatwg.org/#ends-in-a-number-checker
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
# RFC 6761, RFC 6762, RFC 8375 and the ICANN board's resolution of 2024-07-29 on .internal.
_LOCAL_SUFFIXES = (".localhost", ".localdomain", ".local", ".internal", ".home.arpa")

_FAILURES = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    ssl.SSLError,
)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch wrote: the address it ended at, its declared media type, its size."""

    url: str
    media_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Allowed:
    """The private addresses and names that may be named all the same; a port of None is any."""

    networks: tuple[tuple[Network, int | None], ...]
    names: frozenset[tuple[str, int | None]]

    def has_name(self, name: str, port: int) -> bool:
        return (name, port) in self.names or (name, None) in self.names

    def has_address(self, address: Address, port: int) -> bool:
        return any(only in (None, port) and address in network for network, only in self.networks)


class Outbound:
    """Fetches from addresses that callers name; one per process, used as `async with`.

    `allow` lists the addresses, networks, hosts and host:port pairs that may be named although
    they are private (DARKROOM_OUTBOUND_ALLOW); ConfigInvalid is raised for an entry that is none
    of these. `resolve` turns a host name into addresses; the system's resolver by default.
    """

    def __init__(
        self,
        allow: Iterable[str] = (),
        *,
        http_allowed: bool = True,
        resolve: Resolve | None = None,
    ) -> None:
        self._allowed = _parse_allowed(allow)
        self._http_allowed = http_allowed
        self._resolve = resolve or _resolve
        self._pool: httpcore.AsyncConnectionPool | None = None

    async def __aenter__(self) -> Self:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=CONNECTIONS_MAX,
            max_keepalive_connections=8,
            keepalive_expiry=5.0,
            network_backend=_CheckedNetwork(self._allowed, self._resolve),
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
            self._parse(url)
        except InputRefused as refusal:
            raise InputRefused(refusal.message, field=field) from None

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
                fetched = await self._follow(self._parse(url), place)
        except TimeoutError:
            raise BadInput(
                f"The input address took longer than the {seconds_max:g} seconds that it may take."
            ) from None
        finally:
            place.discard_unless_done()
        return fetched

    async def _follow(self, url: httpx.URL, place: _Place) -> Fetched:
        for _ in range(REDIRECTS_MAX + 1):
            try:
                ended = await self._get(url, place)
            except _FAILURES as error:
                reason = str(error) or type(error).__name__
                raise BadInput(f"The input at {url.host} could not be fetched: {reason}") from error
            if isinstance(ended, Fetched):
                return ended
            url = self._parse(ended)
        raise BadInput(f"The input address redirects more than {REDIRECTS_MAX} times.")

    async def _get(self, url: httpx.URL, place: _Place) -> Fetched | str:
        """Returns what was written, or the address that the answer redirects to."""
        assert self._pool is not None, "Outbound is used as `async with Outbound(…)`"
        target = httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        headers: dict[str | bytes, str | bytes] = {
            "Host": url.netloc,
            "User-Agent": self._agent,
            "Accept": ", ".join(sorted(place.accept or ())) or "*/*",
            "Accept-Encoding": "identity",
        }
        async with self._pool.stream("GET", target, headers=headers) as response:
            answer = httpx.Headers(response.headers)
            if response.status in (301, 302, 303, 307, 308) and "location" in answer:
                return _joined(url, answer["location"])
            media_type = place.refuse_early(url.host, response.status, answer)
            size_bytes = await place.write(url.host, response.aiter_stream())
            return Fetched(str(url), media_type, size_bytes)

    def _parse(self, text: str) -> httpx.URL:
        """Returns the address, checked as far as its text goes; the connection is checked again."""
        if len(text) > URL_CHARACTERS_MAX:
            raise _refused(f"it is longer than {URL_CHARACTERS_MAX} characters")
        scheme, separator, rest = text.partition("://")
        schemes = ("http", "https") if self._http_allowed else ("https",)
        if not separator or scheme.lower() not in schemes:
            raise _refused(f"it must begin with {' or '.join(f'{one}://' for one in schemes)}")
        # Read strictly before httpx reads it kindly: no user, no escapes, no odd brackets or ports.
        authority = _AUTHORITY.fullmatch(re.split(r"[/?#]", rest, maxsplit=1)[0])
        if authority is None or _UNCLEAN.search(text):
            raise _refused("its host is missing or malformed, or it carries a user name or a space")
        try:
            url = httpx.URL(text)
        except (httpx.InvalidURL, UnicodeError):
            raise _refused("it is malformed") from None
        port = int(authority["port"] or {"http": 80, "https": 443}[url.scheme])
        if not 1 <= port <= 65535:
            raise _refused("its port is not between 1 and 65535")
        self._check_host(url.raw_host.decode("ascii"), port, typed=authority["host"])
        return url

    def _check_host(self, host: str, port: int, *, typed: str) -> None:
        if ":" in host or _NUMERIC.fullmatch(host):
            try:
                address = ipaddress.ip_address(host)
            except ValueError:
                raise _refused("its host is a number, not a plain IP address") from None
            if address.version == 4 and host != typed:
                raise _refused("its host is an IP address in disguise")
            _check_public(address, port, self._allowed)
        elif not _NAME.fullmatch(host):
            raise _refused("its host is not a host name")
        elif not self._allowed.has_name(host, port) and (
            "." not in host or host.endswith(_LOCAL_SUFFIXES)
        ):
            raise _refused(f"{host} is a local name")


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


class _CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Resolves a name once, checks every address, and connects to an address that it checked.

    The name is not asked for again, so an answer that changes between check and connection cannot
    lead inward. TLS still verifies the original name: httpcore keeps it beside the connection.
    """

    def __init__(self, allowed: _Allowed, resolve: Resolve) -> None:
        self._allowed = allowed
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
        for address in (await self._addresses(host, port))[:ADDRESSES_TRIED_MAX]:
            try:
                return await self._network.connect_tcp(
                    str(address), port, CONNECT_SECONDS_MAX, local_address, socket_options
                )
            except (httpcore.NetworkError, httpcore.TimeoutException) as error:
                failure = error
        # The system's text would name the address behind the name: the caller need not learn it.
        raise httpcore.ConnectError("no connection could be made") from failure

    async def _addresses(self, host: str, port: int) -> list[Address]:
        literal = ":" in host or _NUMERIC.fullmatch(host)
        try:
            texts = [host] if literal else await self._resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError("its host name is not known") from error
        found = [ipaddress.ip_address(text) for text in texts]
        if not self._allowed.has_name(host, port):
            for address in found:
                _check_public(address, port, self._allowed)
        return found


async def _resolve(host: str, port: int) -> list[str]:
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for _, _, _, _, address in found]


def _check_public(address: Address, port: int, allowed: _Allowed) -> None:
    """Raises InputRefused unless the address is public or allowed."""
    if not (_is_public(address) or allowed.has_address(address, port)):
        raise _refused("it leads to an address that is not public")


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    if address in _NAT64:
        return _is_public(ipaddress.IPv4Address(address.packed[-4:]))
    return address in _PUBLIC_V6 and not any(address in network for network in _NOT_PUBLIC_V6)


def _parse_allowed(entries: Iterable[str]) -> _Allowed:
    networks: list[tuple[Network, int | None]] = []
    names: set[tuple[str, int | None]] = set()
    for entry in entries:
        try:
            networks.append((ipaddress.ip_network(entry), None))
            continue
        except ValueError:
            parts = _AUTHORITY.fullmatch(entry)
        host = parts["host"].lower() if parts else ""
        port = int(parts["port"]) if parts and parts["port"] else None
        try:
            networks.append((ipaddress.ip_network(host.strip("[]")), port))
        except ValueError:
            if not _NAME.fullmatch(host) or _NUMERIC.fullmatch(host):
                raise ConfigInvalid(
                    f"DARKROOM_OUTBOUND_ALLOW: {entry!r} is not an address (10.0.0.5), a network "
                    "(10.0.0.0/8, with no bits set beyond its length), a host (minio) or a host "
                    "and port (minio:9000). Write no scheme, no path and no wildcard."
                ) from None
            names.add((host, port))
    return _Allowed(tuple(networks), frozenset(names))


def _joined(base: httpx.URL, location: str) -> str:
    try:
        return urllib.parse.urljoin(str(base), location)
    except ValueError:
        raise _refused("it redirects to a malformed address") from None


def _refused(reason: str) -> InputRefused:
    return InputRefused(f"image url error: the input address may not be fetched: {reason}.")
