"""Paging: where a page of a long table begins, as its address says it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Protocol
from urllib.parse import urlencode

from darkroom import errors
from darkroom.console.visit import Visit

_NAME = "before"
_PLACE = re.compile(r"([0-9T:+_-]{19,40})\.(\w{1,64})", re.ASCII)


class Row(Protocol):
    """A row of a table that is read by instant, then id."""

    @property
    def id(self) -> str | int:
        """What tells rows of one instant apart."""

    @property
    def created_at(self) -> datetime:
        """When it was made."""


def read(visit: Visit) -> tuple[datetime, str] | None:
    """The row behind which this page begins; None: the first page."""
    text = visit.request.query_params.get(_NAME, "")
    if not text:
        return None
    refused = errors.BadParameter(f"{_NAME} names no place of this table.", field=_NAME)
    found = _PLACE.fullmatch(text)
    if found is None:
        raise refused
    try:
        return datetime.fromisoformat(found[1].replace("_", ".")), found[2]
    except ValueError as exc:
        raise refused from exc


def after(visit: Visit, last: Row) -> str:
    """The address of the page behind the one that ends with this row, its filters kept."""
    place = f"{last.created_at.isoformat().replace('.', '_')}.{last.id}"
    kept = dict(visit.request.query_params) | {_NAME: place}
    return f"{visit.request.scope['path']}?{urlencode(kept)}"
