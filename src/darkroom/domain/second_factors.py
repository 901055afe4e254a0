"""Second factors: codes of an app (TOTP, RFC 6238), asked for beside the password, used once."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import datetime

import msgspec
import pyotp

from darkroom import errors
from darkroom.domain import accounts
from darkroom.storage.database import Transaction

RECOVERY_CODES = 10
_SECRET_CHARS = 32
# A code is good for one step more on either side: clocks differ, and people type slowly.
_STEPS_AROUND = 1
_CODE = re.compile(r"\d{6}", re.ASCII)
# Crockford's base 32 in lower case, of which 16 are 80 bits: a fast hash is enough.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_RECOVERY_CHARS, _GROUP_CHARS = 16, 4


class SecondFactor(msgspec.Struct, frozen=True):
    """An account's secret; in force since `confirmed_at`. `step` is the time step of now."""

    account_id: str
    secret: str
    confirmed_at: datetime | None
    last_step: int
    step: int
    codes_left: int


class _Step(msgspec.Struct, frozen=True):
    last_step: int


class _Used(msgspec.Struct, frozen=True):
    hash: bytes


class _Removed(msgspec.Struct, frozen=True):
    account_id: str


async def get(tx: Transaction, account_id: str) -> SecondFactor | None:
    """The account's second factor, in force or still to be confirmed."""
    return await tx.first(SecondFactor, "second_factors.get", account_id=account_id)


async def begin(tx: Transaction, account_id: str) -> None:
    """Make a fresh secret, to be confirmed by a code; one that is in force stays."""
    secret = pyotp.random_base32(_SECRET_CHARS)
    await tx.run("second_factors.begin", account_id=account_id, secret=secret)


def address_of(factor: SecondFactor, *, email: str, server: str) -> str:
    """What the app reads from the picture: an otpauth address with the secret in it."""
    return pyotp.TOTP(factor.secret, name=email, issuer=server).provisioning_uri()


async def confirm(tx: Transaction, account_id: str, code: str) -> list[str]:
    """Put the secret in force by its first code; answers the recovery codes, this one time."""
    await accounts.lock(tx, account_id)
    factor = await get(tx, account_id)
    step = None if factor is None else _step_of(factor, code)
    if factor is None or step is None:
        raise _wrong()
    done = await tx.first(
        _Step, "second_factors.confirm", account_id=account_id, secret=factor.secret, step=step
    )
    if done is None:
        raise errors.BadParameter("The second factor is set up already.", field="code")
    made = [_recovery_code() for _ in range(RECOVERY_CODES)]
    await tx.run("second_factors.add_codes", account_id=account_id, hashes=[*map(_hash, made)])
    return made


async def use(tx: Transaction, account_id: str, code: str) -> None:
    """Use up a code of the app, or a recovery code; raises `BadParameter`."""
    factor = await get(tx, account_id)
    if factor is None or factor.confirmed_at is None:
        return
    step = _step_of(factor, code)
    if step is not None:
        if await tx.first(_Step, "second_factors.use", account_id=account_id, step=step):
            return
    elif await tx.first(_Used, "second_factors.use_code", account_id=account_id, hash=_hash(code)):
        return
    raise _wrong()


async def remove(tx: Transaction, account_id: str) -> bool:
    """Ask for no second factor any more; False where there was none."""
    removed = await tx.first(_Removed, "second_factors.remove", account_id=account_id)
    return removed is not None


def _wrong() -> errors.BadParameter:
    return errors.BadParameter(
        "That code is wrong or was used already. Take the next one that the app shows.",
        field="code",
    )


def _step_of(factor: SecondFactor, code: str) -> int | None:
    """The unused time step whose code this is."""
    code = "".join(code.split())
    if not _CODE.fullmatch(code):
        return None
    app = pyotp.TOTP(factor.secret)
    around = range(factor.step - _STEPS_AROUND, factor.step + _STEPS_AROUND + 1)
    fitting = [step for step in around if hmac.compare_digest(app.generate_otp(step), code)]
    return max(fitting, default=None)


def _recovery_code() -> str:
    text = "".join(secrets.choice(_ALPHABET) for _ in range(_RECOVERY_CHARS))
    return "-".join(text[at : at + _GROUP_CHARS] for at in range(0, len(text), _GROUP_CHARS))


def _hash(code: str) -> bytes:
    return hashlib.sha256(re.sub(r"[\s-]", "", code.lower()).encode()).digest()
