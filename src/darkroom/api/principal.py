"""Who is calling: from an API key to its account, without a look-up for a key seen a moment ago."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers

from darkroom import config, errors
from darkroom.api.together import Together
from darkroom.domain import api_keys
from darkroom.domain.buckets import Limit
from darkroom.storage.database import Database


@dataclass(frozen=True, slots=True)
class Principal:
    """The account and key behind a request, its spelling, and the request limits it is under."""

    account_id: str
    api_key_id: str
    wire: str
    limits: tuple[Limit, ...] = ()


class Principals:
    """Finds principals by key and remembers each for `KEY_SECONDS_MAX`, found or not.

    The memory is short enough that a revoked key stops working within a second on every process
    without any message between them.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._look_ups = Together(self._look_up, items_max=config.READS_TOGETHER_MAX)
        self._known: OrderedDict[str, tuple[float, asyncio.Task[Principal | None]]] = OrderedDict()

    async def find(self, headers: Headers) -> Principal:
        """The principal of a request's key; raises `Unauthenticated`."""
        key = _key(headers)
        if key is None:
            raise errors.Unauthenticated(
                "Authentication failed: no API key. "
                'Send it as "Authorization: Bearer sk-…"; `darkroom key create` makes one.'
            )
        if key not in self._known and not api_keys.is_well_formed(key):
            raise errors.Unauthenticated(
                "Authentication failed: Invalid API Key. A key is sk- and 48 hex digits; "
                "this one is not, or has a typing error."
            )
        principal = await self._remembered(key)
        if principal is None:
            raise errors.Unauthenticated(
                "Authentication failed: Invalid API Key. It is unknown here or was revoked."
            )
        return principal

    async def _remembered(self, key: str) -> Principal | None:
        now = time.monotonic()
        known = self._known.get(key)
        if known is None or known[0] <= now or _failed(known[1]):
            # The clock starts before the look-up, and requests that arrive together share it.
            known = (now + config.KEY_SECONDS_MAX, asyncio.create_task(self._look_ups.ask(key)))
            self._known[key] = known
            self._known.move_to_end(key)
            if len(self._known) > config.KEYS_CACHED_MAX:
                self._known.popitem(last=False)
        # Shielded: one caller that goes away must not cancel the look-up of the others.
        return known[1].result() if known[1].done() else await asyncio.shield(known[1])

    async def _look_up(self, keys: Sequence[str]) -> Sequence[Principal | None]:
        async with self._database.statement() as tx:
            found = await api_keys.find(tx, keys)
        rows = (found.get(key) for key in keys)
        return [_principal(row) if row else None for row in rows]


def _principal(row: api_keys.Known) -> Principal:
    return Principal(row.account_id, row.id, row.wire, _limits(row))


def _limits(key: api_keys.Known) -> tuple[Limit, ...]:
    # The key's comes first: what it refuses is not taken from the account.
    every = (
        ("key", key.id, key.requests_per_minute),
        ("account", key.account_id, key.account_requests_per_minute),
    )
    return tuple(Limit(name, one, count) for name, one, count in every if count is not None)


def _failed(look_up: asyncio.Task[Principal | None]) -> bool:
    return look_up.done() and (look_up.cancelled() or look_up.exception() is not None)


def _key(headers: Headers) -> str | None:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return headers.get("x-api-key")
