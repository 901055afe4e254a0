"""Previews: what running tasks look like so far, a small picture each, gone when they stop."""

from __future__ import annotations

import msgspec

from darkroom import errors
from darkroom.domain.leases import Claim
from darkroom.storage.database import Transaction


class _Found(msgspec.Struct, frozen=True):
    picture: bytes | None


async def keep(tx: Transaction, claimed: Claim, picture: bytes) -> None:
    """Put a JPEG in the place of the task's last; nothing if the task is no longer the attempt's.

    At most 64 KiB. What ends the task or takes it back removes it in the same commit, and so does
    a cancel.
    """
    await tx.run("previews.keep", task_id=claimed.id, attempt=claimed.attempt, picture=picture)


async def find(tx: Transaction, account_id: str, task_id: str) -> bytes:
    """The JPEG of one of the account's tasks; raises `TaskNotFound`, or `FileNotFound` if none."""
    return _picture(await tx.first(_Found, "previews.find", account_id=account_id, task_id=task_id))


async def inspect(tx: Transaction, task_id: str) -> bytes:
    """The JPEG of anybody's task, for an operator."""
    return _picture(await tx.first(_Found, "previews.inspect", task_id=task_id))


def _picture(found: _Found | None) -> bytes:
    if found is None:
        raise errors.TaskNotFound
    if found.picture is None:
        raise errors.FileNotFound("There is no preview of this task now.")
    return found.picture
