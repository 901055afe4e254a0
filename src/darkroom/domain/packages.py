"""Packages: credits as they are sold, so many for so many dollars."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

import msgspec

from darkroom import errors
from darkroom.domain import ledger

CURRENCY = "usd"
# What Stripe takes for one payment in dollars.
CENTS_MIN = 50
CENTS_MAX = 99_999_999


class Package(msgspec.Struct, frozen=True):
    """Credits for sale; `mill` is all that is bought, the bonus included."""

    key: str
    name: str
    cents: int
    mill: int
    bonus_mill: int


class _Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    usd: Decimal
    credits: Decimal
    bonus: Decimal = Decimal(0)


def parse(text: str, origin: str) -> list[Package]:
    """Packages from a file's text, the cheapest first; `origin` names the file in an error."""
    try:
        written = msgspec.convert(tomllib.loads(text), dict[str, _Written], strict=False)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as exc:
        raise errors.ConfigInvalid(f"{origin} does not list packages: {exc}") from exc
    if not written:
        raise errors.ConfigInvalid(f"{origin} lists no package.")
    try:
        packages = [_package(key, one) for key, one in written.items()]
    except errors.BadParameter as exc:
        raise errors.ConfigInvalid(f"{origin}: {exc}") from exc
    return sorted(packages, key=lambda one: one.cents)


def _package(key: str, written: _Written) -> Package:
    cents = written.usd * 100
    if cents != cents.to_integral_value() or not CENTS_MIN <= cents <= CENTS_MAX:
        raise errors.BadParameter(f"{key}: a price is $0.50 to $999999.99, in whole cents.")
    bought, bonus = ledger.mill(written.credits), ledger.mill(written.bonus)
    if bought <= 0 or bonus < 0 or bought + bonus > ledger.GRANT_MILL_MAX:
        raise errors.BadParameter(f"{key}: it sells more than 0 and at most 10 billion credits.")
    return Package(key, written.name, int(cents), bought + bonus, bonus)


def get(packages: Sequence[Package], key: str) -> Package:
    """The package with this key."""
    for one in packages:
        if one.key == key:
            return one
    raise errors.BadParameter("This package is not sold any more.", field="package")


def worth(packages: Sequence[Package], mill: int) -> Decimal:
    """What an amount of credits is worth in dollars, by the price of the cheapest package."""
    first = packages[0]
    return Decimal(mill) * first.cents / first.mill / 100
