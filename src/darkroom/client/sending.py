"""What both colours send: the address, the key, the time limits, and requests made of steps."""

from __future__ import annotations

import ipaddress
import os
from importlib import metadata
from typing import Any
from urllib.parse import urlsplit

import httpx

from darkroom.client import errors
from darkroom.client.flows import Save, Send

BASE_URL_DEFAULT = "http://127.0.0.1:8080"
CONNECT_SECONDS_MAX = 5.0
# For sending one chunk of an upload over a slow line.
WRITE_SECONDS_MAX = 60.0
CHUNK_BYTES = 2**16


def settings(base_url: str | None, api_key: str | None, timeout_seconds: float) -> dict[str, Any]:
    """The arguments of the httpx client, from the caller's or from the environment."""
    address = base_url or os.environ.get("DARKROOM_BASE_URL") or BASE_URL_DEFAULT
    address = address.rstrip("/")
    host = _host(address)
    key = os.environ.get("DARKROOM_API_KEY") if api_key is None else api_key
    headers = {"User-Agent": f"darkroom/{metadata.version('darkroom')}"}
    if key:
        if not (key.isascii() and key.isprintable()):
            raise errors.DarkroomError("The API key has characters that no key has: copy it anew.")
        headers["Authorization"] = f"Bearer {key.strip()}"
    return {
        "base_url": address,
        "headers": headers,
        "timeout": _limits(timeout_seconds),
        # This machine is never reached by way of a proxy, whatever HTTP_PROXY says.
        "mounts": {f"all://{host}": None} if _is_loopback(host) else {},
    }


def _host(address: str) -> str:
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise errors.DarkroomError(
            f'"{address}" is no address of a server: write such as {BASE_URL_DEFAULT}.'
        )
    return f"[{host}]" if ":" in host else host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _limits(timeout_seconds: float) -> httpx.Timeout:
    return httpx.Timeout(
        timeout_seconds,
        connect=min(CONNECT_SECONDS_MAX, timeout_seconds),
        write=max(WRITE_SECONDS_MAX, timeout_seconds),
    )


def request(http: httpx.Client | httpx.AsyncClient, step: Send | Save) -> httpx.Request:
    """The request of a step; results open without a key, and no other host gets to see it."""
    if isinstance(step, Save):
        made = http.build_request("GET", step.url)
        made.headers.pop("Authorization", None)
        return made
    operation = step.operation
    given: dict[str, Any] = {}
    if step.timeout_seconds is not None and http.timeout.read is not None:
        given["timeout"] = _limits(min(step.timeout_seconds, http.timeout.read))
    headers = {}
    if operation.idempotency_key is not None:
        headers["Idempotency-Key"] = operation.idempotency_key
    if operation.wait_seconds is not None:
        headers["Prefer"] = f"wait={operation.wait_seconds}"
        if http.timeout.read is not None:
            given["timeout"] = _limits(http.timeout.read + operation.wait_seconds)
    return http.build_request(
        operation.method,
        operation.path,
        json=operation.json,
        params=dict(operation.params) or None,
        files=operation.files,
        headers=headers,
        **given,
    )
