"""Origins: which task made a file, by what the file says, by its bytes, or by how it looks."""

from __future__ import annotations

from datetime import datetime

import msgspec

from darkroom.storage.database import Transaction

# So many bits may differ between a picture and its copy. Of 111 pictures the copies at 60 % of the
# size by JPEG of quality 70 differed in 6 at the most, but for one (8); two of the same motif in 10
# at the least, others in 14 and mostly in 32.
# The statement finds no more than 7.
DISTANCE_MAX = 7
# Files of the same bytes, or alike in one band, among which the caller's own is looked for.
_LOOKED_AT_MAX = 1_000
_BAND_BITS = 16


class Origin(msgspec.Struct, frozen=True):
    """The task that made a file; its id None for whoever does not own it.

    `source` is the digital source type that its backend noted; `distance` counts the bits in which
    the likenesses differ.
    """

    task_id: str | None
    model: str
    kind: str
    made_at: datetime | None
    source: str | None
    distance: int


async def of_task(tx: Transaction, account_id: str, task_id: str) -> Origin | None:
    """The origin that a signed file names."""
    return await tx.first(Origin, "origins.of_task", account_id=account_id, task_id=task_id)


async def of_bytes(tx: Transaction, account_id: str, sha256: bytes) -> Origin | None:
    """The origin of a file with these bytes, if a task made it."""
    return await tx.first(
        Origin,
        "origins.of_bytes",
        account_id=account_id,
        sha256=sha256,
        looked_at_max=_LOOKED_AT_MAX,
    )


async def of_likeness(tx: Transaction, account_id: str, measured: int) -> Origin | None:
    """The origin of the picture that looks most like one of this likeness, if any does."""
    return await tx.first(
        Origin,
        "origins.of_likeness",
        account_id=account_id,
        likeness=measured,
        distance_max=DISTANCE_MAX,
        looked_at_max=_LOOKED_AT_MAX,
        **bands(measured),
    )


def bands(measured: int) -> dict[str, list[int]]:
    """What to look up of a likeness: each band as it is, and with each of its bits turned."""
    return {f"band_{at}": _neighbours(measured >> _BAND_BITS * at) for at in range(4)}


def _neighbours(bits: int) -> list[int]:
    band = bits & (1 << _BAND_BITS) - 1
    return [band, *(band ^ 1 << at for at in range(_BAND_BITS))]
