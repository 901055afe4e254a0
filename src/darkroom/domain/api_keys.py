"""API keys: `sk-` and 48 hex digits, the last eight a checksum; only a hash is kept."""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from darkroom import errors, ids
from darkroom.storage.database import Transaction

WIRES = ("quickstart", "reference")
_FORM = re.compile(r"sk-([0-9a-f]{40})([0-9a-f]{8})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One API key as it is kept: never the key itself."""

    id: str
    account_id: str
    name: str
    mask: str
    wire: str
    requests_per_minute: int | None
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Known:
    """A live key as a call needs it; requests a minute None: as many as it likes."""

    hash: bytes
    id: str
    account_id: str
    wire: str
    requests_per_minute: int | None
    account_requests_per_minute: int | None
    is_suspended: bool


def make() -> str:
    """A fresh key: 160 random bits and their CRC-32, by which a scanner tells it from noise."""
    body = secrets.token_hex(20)
    return f"sk-{body}{zlib.crc32(body.encode()):08x}"


def is_well_formed(key: str) -> bool:
    """Whether the text has a key's form and its checksum fits; costs no look-up."""
    match = _FORM.fullmatch(key)
    return match is not None and f"{zlib.crc32(match[1].encode()):08x}" == match[2]


def hash_of(key: str) -> bytes:
    """What is stored of a key: its SHA-256 (a key is random, so a slow hash would add nothing)."""
    return hashlib.sha256(key.encode()).digest()


def mask(key: str) -> str:
    """A key as it may be shown: `sk-d77e1...343e`."""
    return f"{key[:8]}...{key[-4:]}"


async def create(
    tx: Transaction, account_id: str, *, name: str = "default", wire: str = "quickstart"
) -> tuple[str, ApiKey]:
    """Create a key; the first of the pair is the key itself, to be shown this one time."""
    if wire not in WIRES:
        raise errors.BadParameter(f'"{wire}" is no wire: {" or ".join(WIRES)}.', field="wire")
    if not 0 < len(name) <= 100:
        raise errors.BadParameter("A key's name has 1 to 100 characters.", field="name")
    key = make()
    row = await tx.one(
        ApiKey,
        "api_keys.insert",
        id=ids.new("key"),
        account_id=account_id,
        name=name,
        hash=hash_of(key),
        mask=mask(key),
        wire=wire,
    )
    return key, row


async def find(tx: Transaction, keys: Collection[str]) -> dict[str, Known]:
    """The live ones among keys, by their texts."""
    key_of = {hash_of(key): key for key in keys}
    rows = await tx.all(Known, "api_keys.find", hashes=list(key_of))
    return {key_of[row.hash]: row for row in rows}


async def list_for(tx: Transaction, account_id: str) -> list[ApiKey]:
    """An account's keys, revoked ones included, newest first."""
    return await tx.all(ApiKey, "api_keys.list", account_id=account_id)


async def limit(tx: Transaction, named: str, requests_per_minute: int) -> list[ApiKey]:
    """Set the requests a minute of the live keys with this id or mask; 0: as many as they like."""
    return await tx.all(
        ApiKey, "api_keys.limit", named=named, requests_per_minute=requests_per_minute
    )


async def revoke(tx: Transaction, named: str) -> list[ApiKey]:
    """End the live keys with this id or mask, for ever."""
    return await tx.all(ApiKey, "api_keys.revoke", named=named)


async def touch(tx: Transaction, used: Mapping[str, datetime]) -> None:
    """Record when keys were last used, many at once."""
    await tx.run("api_keys.touch", ids=list(used), ats=list(used.values()))
