"""Request limits: tokens from buckets that all servers share, taken a few at a time."""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Sequence

import msgspec

from darkroom import config, errors
from darkroom.api.together import Together
from darkroom.domain import buckets
from darkroom.domain.buckets import Limit
from darkroom.storage.database import Database

# A busy caller's tokens are taken for a quarter of a second at once; that much more than its limit
# a server may let through after a pause, and no more.
_TAKES_A_MINUTE = 240


class _Purse(msgspec.Struct):
    """What this server holds of one limit."""

    tokens: int = 0
    # What the shared bucket had left when it was asked last.
    left: float = 0.0
    # How many to take next: more each time, while they are used up at once.
    chunk: int = 1
    asked_at: float = 0.0
    # Until then the bucket is known to be empty, so that refusing costs no statement.
    empty_until: float = 0.0


class Limiter:
    """Admits requests; exact in what it grants over all servers, cheap for who stays below."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._takes = Together(self._take, items_max=config.READS_TOGETHER_MAX)
        self._purses: OrderedDict[Limit, _Purse] = OrderedDict()

    async def admit(self, limits: Sequence[Limit]) -> None:
        """Count one request against each limit; raises `RateLimited` when one is reached."""
        for limit in limits:
            purse = self._purse(limit)
            if _spend(purse):
                continue
            if time.monotonic() < purse.empty_until or not await self._takes.ask(limit):
                raise errors.RateLimited(
                    f"rate limit: this {limit.name} may send {limit.per_minute} requests a minute. "
                    "Try again after the seconds of Retry-After.",
                    retry_after_seconds=math.ceil(purse.empty_until - time.monotonic()) or 1,
                )

    def told(self, limits: Sequence[Limit]) -> dict[str, str]:
        """RateLimit headers (draft-ietf-httpapi-ratelimit-headers-10) of what is known here."""
        policies, lefts = [], []
        for limit in limits:
            purse = self._purse(limit)
            left = purse.tokens + int(purse.left)
            full_seconds = math.ceil((limit.per_minute - left) * 60 / limit.per_minute)
            policies.append(f'"{limit.name}";q={limit.per_minute};w=60')
            lefts.append(f'"{limit.name}";r={left};t={max(0, full_seconds)}')
        return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(lefts)}

    def _purse(self, limit: Limit) -> _Purse:
        purse = self._purses.setdefault(limit, _Purse())
        if len(self._purses) > config.KEYS_CACHED_MAX:
            self._purses.popitem(last=False)
        return purse

    async def _take(self, asked: Sequence[Limit]) -> Sequence[bool]:
        now = time.monotonic()
        wanted = {limit: self._wanted(limit, count, now) for limit, count in Counter(asked).items()}
        async with self._database.transaction() as tx:
            taken = await buckets.take(tx, wanted)
        for limit in wanted:
            purse, one = self._purse(limit), taken[limit.id]
            purse.tokens, purse.left = purse.tokens + one.granted, one.tokens
            missing = 1 - one.tokens if one.granted < wanted[limit] else 0
            purse.empty_until = now + missing * 60 / limit.per_minute
        return [_spend(self._purse(limit)) for limit in asked]

    def _wanted(self, limit: Limit, count: int, now: float) -> int:
        purse = self._purse(limit)
        is_busy = now - purse.asked_at < 1
        purse.chunk = min(2 * purse.chunk, limit.per_minute // _TAKES_A_MINUTE or 1)
        purse.chunk = purse.chunk if is_busy else 1
        purse.asked_at = now
        return max(count, purse.chunk)


def _spend(purse: _Purse) -> bool:
    if purse.tokens == 0:
        return False
    purse.tokens -= 1
    return True
