"""API keys: `sk-` and 48 hex digits, the last eight a checksum; only a hash is kept."""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from darkroom import config, errors, ids
from darkroom.domain import ledger
from darkroom.storage.database import Transaction

WIRES = ("quickstart", "reference")
# Of which a spend limit is; a month is one of the calendar, in UTC.
PERIODS = ("total", "month")
# A host, or all below one.
_HOST = re.compile(r"(?:\*\.)?[a-z0-9_][a-z0-9_.-]{0,252}")
_FORM = re.compile(r"sk-([0-9a-f]{40})([0-9a-f]{8})")


class Rules(msgspec.Struct, frozen=True):
    """What a key may do: requests a minute, credits, models, hosts of a `webhook_url`.

    None and empty mean as much as its account may. The credits in `spend_mill_max` are of a period,
    `month` (of the calendar, UTC) or `total`.
    """

    requests_per_minute: int | None = None
    spend_mill_max: int | None = None
    spend_period: str | None = None
    models: Sequence[str] = ()
    callback_hosts: Sequence[str] = ()


_NO_RULES = Rules()


class ApiKey(msgspec.Struct, frozen=True):
    """One API key as it is kept: never the key itself.

    What `spent_mill` tells, of the period of its limit, is spent by it and by all that share its
    `origin_id`: the keys that it was rotated from and into.
    """

    id: str
    account_id: str
    origin_id: str
    name: str
    mask: str
    wire: str
    requests_per_minute: int | None
    models: list[str]
    callback_hosts: list[str]
    spend_mill_max: int | None
    spend_period: str | None
    spent_mill: int
    created_at: datetime
    expires_at: datetime | None
    is_expired: bool | None
    rotated_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    @property
    def is_live(self) -> bool:
        return self.revoked_at is None and not self.is_expired

    @property
    def rules(self) -> Rules:
        return Rules(
            self.requests_per_minute,
            self.spend_mill_max,
            self.spend_period,
            self.models,
            self.callback_hosts,
        )


class Known(msgspec.Struct, frozen=True):
    """A key as a call needs it; requests a minute None: as many as it likes."""

    hash: bytes
    id: str
    account_id: str
    wire: str
    requests_per_minute: int | None
    account_requests_per_minute: int | None
    models: list[str]
    callback_hosts: list[str]
    is_spend_limited: bool
    is_suspended: bool
    # None: it has not ended.
    expired_at: datetime | None


class _Id(msgspec.Struct, frozen=True):
    id: str


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
    tx: Transaction,
    account_id: str,
    *,
    name: str = "default",
    wire: str = "quickstart",
    rules: Rules = _NO_RULES,
    days: int | None = None,
) -> tuple[str, ApiKey]:
    """Create a key; the first of the pair is the key itself, to be shown this one time.

    It ends after so many days; None: never.
    """
    if wire not in WIRES:
        raise errors.BadParameter(f'"{wire}" is no wire: {" or ".join(WIRES)}.', field="wire")
    _check_days(days)
    key, key_id = make(), ids.new("key")
    await tx.run(
        "api_keys.insert",
        id=key_id,
        account_id=account_id,
        hash=hash_of(key),
        mask=mask(key),
        wire=wire,
        days=days,
        **_checked(name, rules),
    )
    return key, await _get(tx, key_id)


async def find(tx: Transaction, keys: Collection[str]) -> dict[str, Known]:
    """Those among keys that exist and were not revoked, by their texts; some may have expired."""
    key_of = {hash_of(key): key for key in keys}
    rows = await tx.all(Known, "api_keys.find", hashes=list(key_of))
    return {key_of[row.hash]: row for row in rows}


async def list_for(tx: Transaction, account_id: str, *, rows_max: int = 1000) -> list[ApiKey]:
    """An account's keys, revoked ones included, newest first."""
    return await tx.all(ApiKey, "api_keys.list", account_id=account_id, rows_max=rows_max)


async def owned(tx: Transaction, account_id: str, key_id: str) -> ApiKey:
    """One key of the account; another's is not found either."""
    found = await tx.all(ApiKey, "api_keys.get_many", ids=[key_id])
    if not found or found[0].account_id != account_id:
        raise errors.KeyNotFound
    return found[0]


async def named(tx: Transaction, text: str) -> list[ApiKey]:
    """The keys with this id or mask that were not revoked, locked until the transaction ends."""
    found = await tx.all(_Id, "api_keys.named", named=text)
    return await tx.all(ApiKey, "api_keys.get_many", ids=[one.id for one in found])


async def change(tx: Transaction, key: ApiKey, *, name: str, rules: Rules) -> ApiKey:
    """Give a key another name and other rules, and so what it was rotated from and into."""
    await tx.run("api_keys.change", origin_id=key.origin_id, **_checked(name, rules))
    return await _get(tx, key.id)


async def expire(tx: Transaction, key: ApiKey, days: int | None) -> ApiKey:
    """Have a key end so many days from now on; None: never."""
    _check_days(days)
    await tx.run("api_keys.expire", id=key.id, days=days)
    return await _get(tx, key.id)


async def rotate(tx: Transaction, key: ApiKey, *, overlap_hours: int) -> tuple[str, ApiKey]:
    """A key in the place of another, of the same name, rules and length of life; shown once.

    The old one ends so many hours from now on. A key is rotated once.
    """
    if not 0 <= overlap_hours <= config.KEY_OVERLAP_HOURS_MAX:
        raise errors.BadParameter(
            f"The old key goes on for 0 to {config.KEY_OVERLAP_HOURS_MAX} hours.",
            field="overlap_hours",
        )
    made = make()
    row = await tx.first(
        _Id,
        "api_keys.replace",
        old_id=key.id,
        id=ids.new("key"),
        hash=hash_of(made),
        mask=mask(made),
        overlap_hours=overlap_hours,
    )
    if row is None:
        raise errors.BadParameter(
            f"{key.mask} was rotated or revoked before: rotate the key that took its place."
        )
    return made, await _get(tx, row.id)


async def revoke(tx: Transaction, text: str) -> list[ApiKey]:
    """End the keys with this id or mask, for ever."""
    found = [one.id for one in await tx.all(_Id, "api_keys.named", named=text)]
    await tx.run("api_keys.revoke", ids=found)
    return await tx.all(ApiKey, "api_keys.get_many", ids=found)


async def touch(tx: Transaction, used: Mapping[str, datetime]) -> None:
    """Record when keys were last used, many at once."""
    await tx.run("api_keys.touch", ids=list(used), ats=list(used.values()))


async def _get(tx: Transaction, key_id: str) -> ApiKey:
    return await tx.one(ApiKey, "api_keys.get_many", ids=[key_id])


def _checked(name: str, rules: Rules) -> dict[str, Any]:
    """The columns of a name and rules; raises a refusal that names the field."""
    if not 0 < len(name) <= 100 or not name.isprintable():
        raise errors.BadParameter("A key's name has 1 to 100 characters.", field="name")
    if rules.requests_per_minute is not None and not 0 < rules.requests_per_minute < 2**31:
        raise errors.BadParameter(
            "Requests a minute: 1 or more, or none for as many as it likes.",
            field="requests_per_minute",
        )
    if rules.spend_mill_max is not None and not 0 < rules.spend_mill_max <= ledger.GRANT_MILL_MAX:
        raise errors.BadParameter(
            "A spend limit is more than 0 and at most 10 billion credits.", field="spend_limit"
        )
    if rules.spend_mill_max is not None and rules.spend_period not in PERIODS:
        raise errors.BadParameter(
            f"A spend limit is of a period: {' or '.join(PERIODS)}.", field="spend_period"
        )
    hosts = [one.lower() for one in rules.callback_hosts]
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise errors.BadParameter(
                f'"{host}" is no host: write hooks.example.com, or *.example.com for all below it; '
                "no scheme, port or path.",
                field="callback_hosts",
            )
    for field, every in (("models", rules.models), ("callback_hosts", hosts)):
        if len(every) > config.KEY_LISTED_MAX:
            raise errors.BadParameter(f"At most {config.KEY_LISTED_MAX}, please.", field=field)
    return {
        "name": name,
        "requests_per_minute": rules.requests_per_minute,
        "models": list(dict.fromkeys(rules.models)),
        "callback_hosts": list(dict.fromkeys(hosts)),
        "spend_mill_max": rules.spend_mill_max,
        "spend_period": rules.spend_period if rules.spend_mill_max is not None else None,
    }


def _check_days(days: int | None) -> None:
    if days is not None and not 1 <= days <= config.KEY_DAYS_MAX:
        raise errors.BadParameter(
            f"A key ends after 1 to {config.KEY_DAYS_MAX} days, or never.", field="days"
        )
