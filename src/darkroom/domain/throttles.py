"""Throttles: how often strangers may try something, counted over all servers."""

from __future__ import annotations

import hashlib

import msgspec

from darkroom import errors
from darkroom.storage.database import Transaction

_MINUTE, _HOUR = 60, 3_600


class Throttle(msgspec.Struct, frozen=True):
    """So many tries at once, which come back within so many seconds (an hour at most)."""

    name: str
    tries: int
    seconds: int


# An address of the network may be a whole office's. What counts against an account alone is loose:
# a stranger must not be able to keep its owner out.
LOG_IN = Throttle("log in at", 10, 10 * _MINUTE)
LOG_IN_TO = Throttle("log in to", 200, _HOUR)
LOG_IN_FROM = Throttle("log in from", 60, 10 * _MINUTE)
LETTER_TO = Throttle("letter to", 5, _HOUR)
LETTER_FROM = Throttle("letter from", 20, _HOUR)
REGISTER_FROM = Throttle("register from", 20, _HOUR)
PROVE = Throttle("prove", 10, 10 * _MINUTE)
CODE = Throttle("code", 20, _HOUR)
ISSUER_FROM = Throttle("issuer from", 60, 10 * _MINUTE)


class _Wait(msgspec.Struct, frozen=True):
    seconds: int


async def pass_through(tx: Transaction, *tries: tuple[Throttle, str]) -> None:
    """Count a try against each pair of a throttle and whom it is about, or against none.

    Raises `RateLimited` when one of them is used up.
    """
    given = {_id(throttle, whom): throttle for throttle, whom in tries}
    sizes = [float(one.tries) for one in given.values()]
    await tx.run("buckets.fill", ids=[*given], per_minutes=sizes)
    wait = await tx.one(
        _Wait,
        "buckets.draw",
        ids=[*given],
        sizes=sizes,
        seconds=[float(one.seconds) for one in given.values()],
    )
    if wait.seconds:
        raise errors.RateLimited(
            f"That was tried too often. Try again in {_said(wait.seconds)}.",
            retry_after_seconds=wait.seconds,
        )


def _id(throttle: Throttle, whom: str) -> str:
    # Hashed, for its length is a stranger's choice.
    whom = hashlib.sha256(whom.lower().encode()).hexdigest()[:32]
    return f"{throttle.name} {whom}"


def _said(seconds: int) -> str:
    if seconds < _MINUTE:
        return f"{seconds} seconds"
    minutes = -(-seconds // _MINUTE)
    return f"{minutes} minutes" if minutes > 1 else "a minute"
