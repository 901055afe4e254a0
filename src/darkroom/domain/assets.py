"""Assets: the rows of files, outputs and uploads alike; the bytes are a file of the same name."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from darkroom import errors, ids
from darkroom.storage.database import Transaction


class Asset(msgspec.Struct, frozen=True):
    """One stored file: its unguessable name, type, size in bytes and, for pictures, in pixels.

    `likeness` is that of a picture that a task made, where it is kept; it is not read back.
    """

    file: str
    media_type: str
    size_bytes: int
    sha256: bytes
    width: int | None = None
    height: int | None = None
    likeness: int | None = None


async def add(
    tx: Transaction, account_id: str, made: Sequence[Asset], *, task_id: str | None
) -> None:
    """Record stored files as the account's: a task's outputs, or uploads."""
    await tx.run(
        "assets.insert",
        account_id=account_id,
        task_id=task_id,
        ids=[ids.new("asset") for _ in made],
        files=[one.file for one in made],
        media_types=[one.media_type for one in made],
        bytes=[one.size_bytes for one in made],
        sha256s=[one.sha256 for one in made],
        widths=[one.width for one in made],
        heights=[one.height for one in made],
        likenesses=[one.likeness for one in made],
    )


class _Name(msgspec.Struct, frozen=True):
    file: str


class _Answer(msgspec.Struct, frozen=True):
    is_so: bool


async def of_task(tx: Transaction, account_id: str, task_id: str) -> list[Asset]:
    """The files that a task of the account made, in order, without deleted ones."""
    return await tx.all(Asset, "assets.of_task", account_id=account_id, task_id=task_id)


async def find(tx: Transaction, account_id: str, file: str) -> Asset | None:
    """One file of the account by its name; None for another account's and a deleted one."""
    return await tx.first(Asset, "assets.find", account_id=account_id, file=file)


class _Deleted(msgspec.Struct, frozen=True):
    task_id: str


class _Count(msgspec.Struct, frozen=True):
    total: int


async def delete(tx: Transaction, account_id: str, file: str) -> str | None:
    """Mark one file of the account as deleted, a result or an upload; repeating is refused.

    Answers the id of the task that made it, if one did. Raises `FileNotFound` for another account's
    file, `FileDeleted` for one that is gone already.
    """
    row = await tx.first(_Deleted, "assets.delete", account_id=account_id, file=file)
    if row is None:
        raise errors.FileDeleted() if await is_deleted(tx, file) else errors.FileNotFound()
    return row.task_id or None


async def expire(tx: Transaction, *, days: int, rows_max: int) -> int:
    """Mark files as deleted that are older than so many days; answers how many."""
    return (await tx.one(_Count, "assets.expire", days=days, rows_max=rows_max)).total


async def is_deleted(tx: Transaction, file: str) -> bool:
    """Whether there was a file of that name, which its owner has deleted."""
    return (await tx.one(_Answer, "assets.deleted", file=file)).is_so


async def leftover(tx: Transaction, *, files_max: int) -> list[str]:
    """Names of deleted files whose bytes may still be there."""
    return [row.file for row in await tx.all(_Name, "assets.leftover", files_max=files_max)]


async def mark_removed(tx: Transaction, files: Sequence[str]) -> None:
    """Record that the bytes of deleted files are gone."""
    await tx.run("assets.removed", files=list(files))
