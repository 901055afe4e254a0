"""Tasks: their states, their submit in groups with its money, and how their owner reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from darkroom import errors, ids
from darkroom.domain import idempotency_keys, lanes, ledger, paces, places, spend_limits
from darkroom.domain.idempotency_keys import Kept
from darkroom.storage.database import Transaction

# What a caller whose queue is full is told to wait.
_FULL_SECONDS = 10

PENDING, PROCESSING, SUCCESS, FAILED = "PENDING", "PROCESSING", "SUCCESS", "FAILED"
# What may follow what; every change is one statement guarded by the state it leaves.
TRANSITIONS = {
    PENDING: (PROCESSING, FAILED),
    PROCESSING: (SUCCESS, FAILED, PENDING),
    SUCCESS: (),
    FAILED: (),
}


class Submission(msgspec.Struct, frozen=True):
    """One accepted request, priced: `count` tasks, task n with seed + n.

    With an idempotency key it is done once; `fingerprint` tells whether it is the same again.
    """

    account_id: str
    api_key_id: str | None
    request_id: str
    kind: str
    model: str
    input: Mapping[str, Any]
    rate_id: int
    price_mill: int
    count: int
    seed: int
    # The size of each task in half octaves, from which its work is estimated.
    size: int = 0
    # Of the account's own waiting tasks, those of a higher priority begin first.
    priority: int = 0
    caller_id: int | None = None
    idempotency_key: str | None = None
    fingerprint: bytes = b""
    # How long the tasks may wait to begin.
    deadline_seconds: int | None = None
    # Who is told of which events, and under which address the caller reached the server.
    webhook_url: str | None = None
    webhook_events: Sequence[str] | None = None
    base_url: str | None = None
    # A task that has ended, with which it goes on.
    continues: str | None = None
    # Whether the key has a spend limit, which is then asked for and counted against.
    is_spend_limited: bool = False

    @property
    def total_mill(self) -> int:
        return self.price_mill * self.count


class Batch(msgspec.Struct, frozen=True):
    """A submission that became tasks, now or, when it is `replayed`, an earlier time."""

    id: int
    task_ids: tuple[str, ...]
    price_mill: int
    replayed: bool = False


Refused = errors.InsufficientCredits | errors.QueueFull
Outcome = Batch | Refused | errors.IdempotencyConflict


class Task(msgspec.Struct, frozen=True):
    """One task as its owner may see it; amounts in mill, `progress` 0 to 1."""

    id: str
    account_id: str
    batch_id: int
    kind: str
    model: str
    status: str
    attempt: int
    progress: float
    seed: int
    served_by: str | None
    error_code: int | None
    error: str | None
    notes: dict[str, Any] | None
    price_mill: int
    charged_mill: int | None
    caller_id: int | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_asked_at: datetime | None
    deadline_at: datetime | None
    deleted_at: datetime | None
    # The task that it goes on with, under whose id it is known.
    continues: str | None
    # When it was seen last what it looks like so far; None for one of which that is not known.
    preview_at: datetime | None
    files: list[str]
    place: places.Place | None = None

    @property
    def is_ended(self) -> bool:
        """Whether nothing may follow."""
        return not TRANSITIONS[self.status]

    @property
    def preview_ms(self) -> int | None:
        """What tells its preview from the last and the next; None for one that has none."""
        return None if self.preview_at is None else int(self.preview_at.timestamp() * 1000)


class Asked(msgspec.Struct, frozen=True):
    """What a batch was asked to make; `input` has the fields, and the files that they name."""

    id: int
    kind: str
    model: str
    input: dict[str, Any]
    webhook_url: str | None
    created_at: datetime


class _Number(msgspec.Struct, frozen=True):
    id: int


class _Id(msgspec.Struct, frozen=True):
    id: str


async def submit(
    tx: Transaction,
    submissions: Sequence[Submission],
    *,
    locked: Callable[[], None] = lambda: None,
) -> list[Outcome]:
    """Hold the credits and create batches and tasks: an outcome for each, in the order given.

    Submissions that arrive together share the transaction; an account's are accepted in their
    order while its credits last, and one that it cannot pay is refused without touching another.
    A submission whose idempotency key made a batch before, in this group or within the day,
    answers that batch. `locked` is called once no later group can overtake this one.

    What must be known comes in one round trip, and what follows from it goes with the commit.
    """
    locking = lanes.ask(tx, {one.account_id for one in submissions})
    # Behind the lock: whoever used one of these keys before has committed.
    names = {name for one in submissions if (name := _name(one))}
    finding = idempotency_keys.ask(tx, names) if names else None
    limited = {one.api_key_id for one in submissions if one.api_key_id and one.is_spend_limited}
    reading = spend_limits.ask(tx, limited) if limited else None
    numbering = tx.ask(_Number, "tasks.numbers", batches=len(submissions))
    left = _Left(await locking.all())
    locked()
    found = await finding.all() if finding else ()
    kept = {(one.account_id, one.key): one for one in found}
    left.limit(await reading.all() if reading else ())
    outcomes: list[Outcome] = []
    accepted: list[tuple[Submission, Batch]] = []
    for one, number in zip(submissions, await numbering.all(), strict=True):
        if (name := _name(one)) in kept:
            outcomes.append(_again(one, kept[name]))
            continue
        if (refused := left.take(one)) is not None:
            outcomes.append(refused)
            continue
        batch = Batch(number.id, tuple(ids.new("task") for _ in range(one.count)), one.total_mill)
        accepted.append((one, batch))
        outcomes.append(batch)
        if name is not None:
            kept[name] = Kept(*name, one.fingerprint, batch.id, batch.task_ids, batch.price_mill)
    if accepted:
        await _insert(tx, accepted, left)
    return outcomes


class _Left:
    """What is left for the submissions of a group: credits, places in the queue, spend limits."""

    def __init__(self, owners: Sequence[lanes.Lane]) -> None:
        self._mill = {lane.account_id: lane.available_mill for lane in owners}
        self._room = {lane.account_id: lane.room for lane in owners}
        self._limits: dict[str | None, spend_limits.Spending] = {}
        self.spent_mill: dict[str, int] = {}

    def limit(self, limits: Sequence[spend_limits.Spending]) -> None:
        """Have keys spend no more than their limits, which rotated ones share."""
        for one in limits:
            self._limits[one.api_key_id] = one
            self._mill[one.origin_id] = one.left_mill

    def origin_id(self, one: Submission) -> str | None:
        """Against whose limit a submission counts."""
        spending = self._limits.get(one.api_key_id) if self._limits else None
        return spending.origin_id if spending else None

    def take(self, one: Submission) -> Refused | None:
        """Take what a submission needs, or say what stands against it and take nothing."""
        if one.total_mill > self._mill[one.account_id]:
            return _refusal(one, self._mill[one.account_id])
        origin_id = self.origin_id(one)
        if origin_id is not None and one.total_mill > self._mill[origin_id]:
            limit = self._limits[one.api_key_id]
            return spend_limits.refusal(limit, one.total_mill, self._mill[origin_id])
        if one.count > self._room[one.account_id]:
            return errors.QueueFull(retry_after_seconds=_FULL_SECONDS)
        self._mill[one.account_id] -= one.total_mill
        self._room[one.account_id] -= one.count
        if origin_id is not None:
            self._mill[origin_id] -= one.total_mill
            self.spent_mill[origin_id] = self.spent_mill.get(origin_id, 0) + one.total_mill
        return None


def _name(one: Submission) -> tuple[str, str] | None:
    key = one.idempotency_key
    return None if key is None else (one.account_id, key)


def _again(one: Submission, kept: Kept) -> Batch | errors.IdempotencyConflict:
    if one.fingerprint != kept.fingerprint:
        return errors.IdempotencyConflict(field="Idempotency-Key")
    return Batch(kept.batch_id, tuple(kept.task_ids), kept.price_mill, replayed=True)


def _refusal(one: Submission, left_mill: int) -> errors.InsufficientCredits:
    return errors.InsufficientCredits(
        f"insufficient credits: this costs {ledger.credits_of(one.total_mill)}, the account has "
        f"{ledger.credits_of(left_mill)} available. Buy credits or ask for less."
    )


async def _insert(
    tx: Transaction, accepted: Sequence[tuple[Submission, Batch]], left: _Left
) -> None:
    """Insert what was accepted, with its holds and keys; nothing of it is waited for."""
    await ledger.hold(
        tx,
        [
            ledger.Hold(task_id, one.account_id, one.price_mill, left.origin_id(one))
            for one, batch in accepted
            for task_id in batch.task_ids
        ],
    )
    if left.spent_mill:
        await spend_limits.add(tx, left.spent_mill)
    await tx.run(
        "tasks.submit",
        # Two JSON texts cost the server's loop far less than fourteen arrays.
        batches=_json([_batch_row(*one) for one in accepted]),
        tasks=_json([row for one in accepted for row in _task_rows(*one)]),
        unknown_seconds=paces.UNKNOWN_SECONDS,
    )
    await lanes.deal(tx, {one.account_id for one, _ in accepted if one.priority})
    await idempotency_keys.keep(
        tx,
        [
            Kept(*name, one.fingerprint, batch.id, batch.task_ids, batch.price_mill)
            for one, batch in accepted
            if (name := _name(one))
        ],
    )
    await tx.run("tasks.notify")


def _json(rows: Sequence[Mapping[str, Any]]) -> str:
    return msgspec.json.encode(rows).decode()


def _batch_row(one: Submission, batch: Batch) -> dict[str, Any]:
    return {
        "id": batch.id,
        "account_id": one.account_id,
        "api_key_id": one.api_key_id,
        "request_id": one.request_id,
        "kind": one.kind,
        "model": one.model,
        "input": one.input,
        "rate_id": one.rate_id,
        "caller_id": one.caller_id,
        "webhook_url": one.webhook_url,
        "webhook_events": one.webhook_events,
        "base_url": one.base_url,
        "continues": one.continues,
    }


def _task_rows(one: Submission, batch: Batch) -> Iterator[dict[str, Any]]:
    for position, task_id in enumerate(batch.task_ids):
        yield {
            "id": task_id,
            "batch_id": batch.id,
            "position": position,
            "seed": one.seed + position,
            "price": one.price_mill,
            "deadline_seconds": one.deadline_seconds,
            "priority": one.priority,
            "size": one.size,
        }


async def get_many(
    tx: Transaction, asked: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Task]:
    """Tasks by (account id, task id); another account's is not found."""
    found = await tx.all(
        Task,
        "tasks.get_many",
        account_ids=[account_id for account_id, _ in asked],
        task_ids=[task_id for _, task_id in asked],
    )
    return {(task.account_id, task.id): task for task in await _placed(tx, found)}


async def of_batch(tx: Transaction, account_id: str, batch_id: int) -> list[Task]:
    """The tasks of one batch of the account, in order."""
    found = await tx.all(Task, "tasks.list", account_id=account_id, batch_id=batch_id)
    if not found:
        raise errors.BatchNotFound
    return await _placed(tx, found)


async def continuation(tx: Transaction, account_id: str, task_id: str) -> str | None:
    """The id of the last task that goes on with one of the account's."""
    row = await tx.first(_Id, "tasks.continuation", account_id=account_id, task_id=task_id)
    return row.id if row else None


async def asked_of(tx: Transaction, account_id: str, batch_id: int) -> Asked | None:
    """What one batch of the account was asked to make."""
    return await tx.first(Asked, "tasks.batch", account_id=account_id, batch_id=batch_id)


async def _placed(tx: Transaction, found: Sequence[Task]) -> list[Task]:
    """The tasks, those that wait with their place; one statement more if there are any."""
    pending = [task.id for task in found if task.status == PENDING]
    if not pending:
        return list(found)
    found_places = await places.find(tx, pending)
    return [replace(task, place=found_places.get(task.id)) for task in found]
