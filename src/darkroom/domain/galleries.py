"""Galleries: an account's tasks as their owner looks through them, and what was asked for one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from darkroom import errors
from darkroom.storage.database import Transaction

# What the statement answers at most: one more than a page, which tells that there is another.
_PAGE_MAX = 24
_PLACE = re.compile(r"(\d{1,18})-(\d{1,4})")
_NEWEST = 2**62


class Shown(msgspec.Struct, frozen=True):
    """One task of a gallery, with the first of its files, if it has made any."""

    id: str
    batch_id: int
    position: int
    status: str
    progress: float
    seed: int
    kind: str
    model: str
    prompt: str | None
    created_at: datetime
    error: str | None
    mill: int
    file: str | None
    media_type: str | None


class Filter(msgspec.Struct, frozen=True):
    """What to show; None means any. `days` back from now; `words` stand in the prompt."""

    kind: str | None = None
    model: str | None = None
    status: str | None = None
    days: int | None = None
    words: str | None = None


class Leaf(msgspec.Struct, frozen=True):
    """A page of a gallery: `next` is where the one after it begins, None on the last.

    `looked_back_to` is set when the look ended before the page was full: there may be more behind.
    """

    shown: Sequence[Shown]
    next: str | None
    looked_back_to: datetime | None = None


class Inquiry(msgspec.Struct, frozen=True):
    """What was asked for a task, by which request and key."""

    input: dict[str, Any]
    request_id: str
    api_key_id: str | None
    webhook_url: str | None
    position: int
    attempt: int
    priority: int
    siblings: int


class _Floor(msgspec.Struct, frozen=True):
    id: int
    created_at: datetime
    is_due: bool


async def leaf(tx: Transaction, account_id: str, wanted: Filter, place: str | None) -> Leaf:
    """One page, newest first, from a place on that an earlier page named as its next."""
    batch, position = _read(place)
    found = await tx.all(
        Shown,
        "galleries.list",
        account_id=account_id,
        from_batch=batch,
        from_position=position,
        kind=wanted.kind,
        model=wanted.model,
        status=wanted.status,
        days=wanted.days,
        words=_containing(wanted.words) if wanted.words else None,
    )
    if len(found) > _PAGE_MAX:
        first = found[_PAGE_MAX]
        return Leaf(found[:_PAGE_MAX], f"{first.batch_id}-{first.position}")
    floor = await tx.first(
        _Floor, "galleries.floor", account_id=account_id, from_batch=batch, days=wanted.days
    )
    if floor is None or not floor.is_due:
        return Leaf(found, None)
    return Leaf(found, f"{floor.id}-0", floor.created_at)


async def find(tx: Transaction, account_id: str, task_id: str) -> Inquiry:
    """What was asked for a task of the account; raises `TaskNotFound`."""
    found = await tx.first(Inquiry, "galleries.find", account_id=account_id, task_id=task_id)
    if found is None:
        raise errors.TaskNotFound
    return found


def address(reference: str, base_url: str) -> str:
    """Where an input of a task lies: a file of ours under the base address, or as it was named."""
    if reference.startswith("file:"):
        return f"{base_url}/uploads/{reference.removeprefix('file:')}"
    return reference


def _read(place: str | None) -> tuple[int, int]:
    match = _PLACE.fullmatch(place or "")
    return (int(match[1]), int(match[2])) if match else (_NEWEST, 0)


def _containing(words: str) -> str:
    """A pattern of LIKE for texts that hold these words as they are."""
    return "%" + re.sub(r"([\\%_])", r"\\\1", words.strip()) + "%"
