"""Erasures: accounts that are deleted with all that they made; their rows stay for the books.

Nobody gets in any more as soon as one has begun, and what waits is canceled and refunded. Once
nothing of the account is under way, the words, files and histories go, a bounded number at a time.
What was paid and what it cost stays, and so do the credits that were left.
"""

from __future__ import annotations

import msgspec

from darkroom import errors
from darkroom.storage.database import Transaction

# Longer than a server remembers a key and a transaction that began with it may take.
_QUIET_SECONDS = 20.0
_PARTS = ("erasures.forget_requests", "erasures.delete_files", "erasures.remove_histories")


class _Account(msgspec.Struct, frozen=True):
    account_id: str


class _Count(msgspec.Struct, frozen=True):
    total: int


async def begin(tx: Transaction, account_id: str) -> None:
    """Delete an account, which must exist; repeating is harmless. An admin's is refused."""
    begun = await tx.first(_Account, "erasures.begin", account_id=account_id)
    if begun is None:
        raise errors.BadParameter(
            "An admin's account cannot be deleted: take its admin rights first."
        )


async def go_on(tx: Transaction, *, rows_max: int) -> bool:
    """Remove some of what the account left whose erasure is open the longest; False: none is."""
    found = await tx.first(_Account, "erasures.next", quiet_seconds=_QUIET_SECONDS)
    if found is None:
        return False
    parts = [
        tx.ask(_Count, part, account_id=found.account_id, rows_max=rows_max) for part in _PARTS
    ]
    removed = [row.total for part in parts for row in await part.all()]
    if not any(removed):
        await tx.run("erasures.finish", account_id=found.account_id)
    return True
