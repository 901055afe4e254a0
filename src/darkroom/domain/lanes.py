"""Lanes: each account's way into the queue, so that nobody's thousand tasks hold up another's one.

An account's tasks are admitted to the queue up to its `running_max`, the others are parked until
one of these has ended. A queued task has a start tag, its place in seconds of work: start-time fair
queueing (P. Goyal, H. M. Vin, H. Cheng: Start-time Fair Queuing, 1996) over accounts by weight. Who
comes back after a pause starts at the present of the workers of its model, which is the highest tag
that one of them has claimed: before everything that still waits, and never paid for having been
away.

The order of locks is account, lane, task; a task's row is never waited for behind an account's.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from darkroom import config
from darkroom.storage.database import Asked, Transaction


class Lane(msgspec.Struct, frozen=True):
    """What a submit must know of an account, while it is locked."""

    account_id: str
    available_mill: int
    admitted: int
    parked: int
    running_max: int
    waiting_max: int
    parked_in_all: int

    @property
    def room(self) -> int:
        """How many more tasks it may submit: those admitted at once, and those that may wait."""
        queue = min(self.waiting_max - self.parked, config.WAITING_MAX - self.parked_in_all)
        return max(0, self.running_max - self.admitted) + max(0, queue)


class _Short(msgspec.Struct, frozen=True):
    account_id: str


def ask(tx: Transaction, account_ids: Collection[str]) -> Asked[Lane]:
    """Lock the named accounts and their lanes, always in the same order, and ask for the lanes."""
    return tx.ask(Lane, "lanes.lock_many", account_ids=list(account_ids))


async def lock(tx: Transaction, account_ids: Collection[str]) -> dict[str, Lane]:
    """The lanes of the named accounts, locked with these."""
    return {lane.account_id: lane for lane in await ask(tx, account_ids).all()}


async def release(tx: Transaction, account_id: str, task_id: str) -> None:
    """Take an ended task out of its lane and admit the next; its money is closed before this."""
    await tx.run("lanes.leave", task_id=task_id)
    await tx.run("lanes.admit", account_id=account_id)


async def fill(tx: Transaction, account_id: str) -> None:
    """Admit what is parked in a lane as far as there is room."""
    await lock(tx, [account_id])
    await tx.run("lanes.admit", account_id=account_id)


async def find_short(tx: Transaction, *, lanes_max: int) -> list[str]:
    """Accounts whose lane has both room and tasks parked."""
    return [row.account_id for row in await tx.all(_Short, "lanes.short", lanes_max=lanes_max)]


async def deal(tx: Transaction, account_ids: Collection[str]) -> None:
    """Give the places of these locked accounts in the queue to their highest priorities."""
    for account_id in account_ids:
        await tx.run("lanes.deal", account_id=account_id)
