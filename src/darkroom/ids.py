"""Ids: prefixed, sortable by time, made without asking anybody."""

from __future__ import annotations

import random
import secrets
import time
from datetime import datetime

# Crockford's base 32 in lower case: no i, l, o, u to misread.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]


def _base32(value: int, pairs: int) -> str:
    return "".join([_PAIRS[value >> shift & 1023] for shift in range(10 * pairs - 10, -1, -10)])


def new(prefix: str) -> str:
    """A fresh id such as `task_01jd…`: 48 bits of milliseconds, then 82 random bits (as a ULID)."""
    # No secret: an id opens nothing to another account. What nobody may guess asks `secrets`.
    value = (time.time_ns() // 1_000_000) << 82 | random.getrandbits(82)
    return f"{prefix}_{_base32(value, 13)}"


def first_at(prefix: str, at: datetime) -> str:
    """What comes before every id that is made from this instant on, by its maker's clock."""
    return f"{prefix}_{_base32(max(0, int(at.timestamp() * 1000)) << 82, 13)}"


def file_name(extension: str) -> str:
    """A fresh name for a file that nobody can guess: 160 random bits."""
    return f"{_base32(secrets.randbits(160), 16)}.{extension}"
