"""Which addresses callers may name: public ones, read strictly, and those the operator allows."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

import httpx

from darkroom.errors import AddressRefused, ConfigInvalid

URL_CHARACTERS_MAX = 2048

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

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


class Addresses:
    """What the operator allows, and every check of an address against it.

    `allow` lists the addresses, networks, hosts and host:port pairs that may be named although
    they are private (DARKROOM_OUTBOUND_ALLOW); ConfigInvalid is raised for an entry that is none
    of these. A check that fails raises AddressRefused.
    """

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self._networks: list[tuple[Network, int | None]] = []
        self._names: set[tuple[str, int | None]] = set()
        for entry in allow:
            self._allow(entry)

    def parse(self, text: str, *, http_allowed: bool = True) -> httpx.URL:
        """Returns the address, checked as far as its text goes; the connection is checked again.

        Plain http is refused unless `http_allowed` or the operator allows the host as written.
        """
        if len(text) > URL_CHARACTERS_MAX:
            raise AddressRefused(f"it is longer than {URL_CHARACTERS_MAX} characters")
        scheme, separator, rest = text.partition("://")
        if not separator or scheme.lower() not in ("http", "https"):
            raise AddressRefused(f"it must begin with {'http:// or ' * http_allowed}https://")
        # Read strictly before httpx reads it kindly: no user, no escapes, no odd brackets or ports.
        authority = _AUTHORITY.fullmatch(re.split(r"[/?#]", rest, maxsplit=1)[0])
        if authority is None or _UNCLEAN.search(text):
            raise AddressRefused(
                "its host is missing or malformed, or it carries a user name or a space"
            )
        try:
            url = httpx.URL(text)
        except (httpx.InvalidURL, UnicodeError):
            raise AddressRefused("it is malformed") from None
        port = int(authority["port"] or {"http": 80, "https": 443}[url.scheme])
        if not 1 <= port <= 65535:
            raise AddressRefused("its port is not between 1 and 65535")
        host = url.raw_host.decode("ascii")
        self._check_host(host, port, typed=authority["host"])
        if url.scheme == "http" and not (http_allowed or self._is_allowed(host, port)):
            raise AddressRefused("it must begin with https://")
        return url

    def check_found(self, host: str, port: int, found: Iterable[Address]) -> None:
        """Refuses a host with an address that is neither public nor allowed."""
        if not self._has_name(host, port):
            for address in found:
                self._check_public(address, port)

    def _check_host(self, host: str, port: int, *, typed: str) -> None:
        if is_literal(host):
            try:
                address = ipaddress.ip_address(host)
            except ValueError:
                raise AddressRefused("its host is a number, not a plain IP address") from None
            if address.version == 4 and host != typed:
                raise AddressRefused("its host is an IP address in disguise")
            self._check_public(address, port)
        elif not _NAME.fullmatch(host):
            raise AddressRefused("its host is not a host name")
        elif not self._has_name(host, port) and ("." not in host or host.endswith(_LOCAL_SUFFIXES)):
            raise AddressRefused(f"{host} is a local name")

    def _check_public(self, address: Address, port: int) -> None:
        if not (_is_public(address) or self._has_address(address, port)):
            raise AddressRefused("it leads to an address that is not public")

    def _is_allowed(self, host: str, port: int) -> bool:
        """Whether the operator allows a checked host as it is written."""
        if is_literal(host):
            return self._has_address(ipaddress.ip_address(host), port)
        return self._has_name(host, port)

    def _has_name(self, name: str, port: int) -> bool:
        return (name, port) in self._names or (name, None) in self._names

    def _has_address(self, address: Address, port: int) -> bool:
        return any(only in (None, port) and address in network for network, only in self._networks)

    def _allow(self, entry: str) -> None:
        try:
            self._networks.append((ipaddress.ip_network(entry), None))
            return
        except ValueError:
            parts = _AUTHORITY.fullmatch(entry)
        host = parts["host"].lower() if parts else ""
        port = int(parts["port"]) if parts and parts["port"] else None
        try:
            self._networks.append((ipaddress.ip_network(host.strip("[]")), port))
        except ValueError:
            if not _NAME.fullmatch(host) or _NUMERIC.fullmatch(host):
                raise ConfigInvalid(
                    f"DARKROOM_OUTBOUND_ALLOW: {entry!r} is not an address (10.0.0.5), a network "
                    "(10.0.0.0/8, with no bits set beyond its length), a host (minio) or a host "
                    "and port (minio:9000). Write no scheme, no path and no wildcard."
                ) from None
            self._names.add((host, port))


def is_literal(host: str) -> bool:
    """Whether a host is an address, or is read as one, and so is never looked up."""
    return ":" in host or bool(_NUMERIC.fullmatch(host))


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    if address in _NAT64:
        return _is_public(ipaddress.IPv4Address(address.packed[-4:]))
    return address in _PUBLIC_V6 and not any(address in network for network in _NOT_PUBLIC_V6)
