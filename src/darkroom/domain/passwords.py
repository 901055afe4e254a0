"""Passwords: argon2id, with the parameters of RFC 9106's second recommendation."""

from __future__ import annotations

import argon2

from darkroom import errors

CHARS_MIN, CHARS_MAX = 10, 200
# 64 MiB, three passes: some fifty milliseconds of a core, so never on the event loop.
_hasher = argon2.PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4)


def check(password: str, *, email: str, field: str = "password") -> None:
    """Refuse a password that is guessed first; raises `BadParameter` of the form's field."""
    if not CHARS_MIN <= len(password) <= CHARS_MAX:
        raise errors.BadParameter(
            f"A password has {CHARS_MIN} to {CHARS_MAX} characters.", field=field
        )
    if len(set(password)) < 5 or password.lower() in (email.lower(), email.partition("@")[0]):
        raise errors.BadParameter(
            "That password would be guessed soon. A few random words make a good one.",
            field=field,
        )


def hash_of(password: str) -> str:
    """What is kept of a password; takes a while on purpose."""
    return _hasher.hash(password)


def fits(kept: str | None, password: str) -> bool:
    """Whether the password is the one kept; takes as long when none is."""
    password = password[:CHARS_MAX]
    if kept is None:
        _hasher.hash(password)
        return False
    try:
        return _hasher.verify(kept, password)
    except argon2.exceptions.VerificationError:
        return False
