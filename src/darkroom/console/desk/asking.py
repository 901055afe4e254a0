"""Asking: what an admin's request says, read by every page of the desk in the same way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from urllib.parse import urlencode

from darkroom import errors
from darkroom.api import query
from darkroom.console.visit import Visit
from darkroom.domain import ledger
from darkroom.domain.acts import Actor

ROWS_MAX = 50


def actor(visit: Visit) -> Actor:
    """Who acts, as the act will say."""
    return Actor(visit.signed_in.email, visit.account_id, visit.trace.request_id, visit.ip)


def asked(visit: Visit, name: str) -> str | None:
    """A text of the address's query, None where it is empty."""
    text = visit.request.query_params.get(name, "").strip().replace("\x00", "")
    return text[:200] or None


def number(name: str, text: str | None) -> int | None:
    """A whole number, None where it is empty."""
    if not text:
        return None
    if not re.fullmatch(r"\d{1,9}", text):
        raise errors.BadParameter(f"{text[:40]} is not a whole number.", field=name)
    return int(text)


def instant(name: str, text: str | None) -> datetime | None:
    """An instant, in UTC where it does not say otherwise, None where it is empty."""
    return query.parsed(name, text) if text else None


def amount_mill(name: str, text: str) -> int:
    """An amount of credits as whole mill."""
    try:
        return ledger.mill(Decimal(text.replace(",", "")))
    except (InvalidOperation, errors.BadParameter) as exc:
        raise errors.BadParameter(
            "Write an amount of credits with at most three decimals.", field=name
        ) from exc


def older(visit: Visit, before: str | int | None) -> str:
    """The address of this page from a place on, with what else was asked; none: no address."""
    if before is None:
        return ""
    kept: Mapping[str, str] = dict(visit.request.query_params)
    return f"?{urlencode({**kept, 'before': before})}"


def newest(visit: Visit) -> str:
    """The address of this page from its beginning on, where it is not shown from there."""
    kept = dict(visit.request.query_params)
    return f"?{urlencode(kept)}" if kept.pop("before", None) is not None else ""
