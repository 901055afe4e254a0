"""Assets: the rows of files, outputs and uploads alike; the bytes are a file of the same name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from darkroom import ids
from darkroom.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class Asset:
    """One stored file: its unguessable name, type, size in bytes and, for pictures, in pixels."""

    file: str
    media_type: str
    size_bytes: int
    sha256: bytes
    width: int | None = None
    height: int | None = None


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
    )
