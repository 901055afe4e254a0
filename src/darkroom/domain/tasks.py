"""Tasks: submitted in groups, claimed under a lease, ended once, their money in the same commit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from darkroom import config, errors, ids
from darkroom.domain import assets, idempotency_keys, lanes, ledger, paces, places, webhooks
from darkroom.domain.idempotency_keys import Kept
from darkroom.storage.database import Transaction, jsonb

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


@dataclass(frozen=True, slots=True)
class Submission:
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
    webhook_events: Sequence[str] = ()
    base_url: str | None = None

    @property
    def total_mill(self) -> int:
        return self.price_mill * self.count


@dataclass(frozen=True, slots=True)
class Batch:
    """A submission that became tasks, now or, when it is `replayed`, an earlier time."""

    id: int
    task_ids: tuple[str, ...]
    price_mill: int
    replayed: bool = False


Outcome = Batch | errors.InsufficientCredits | errors.IdempotencyConflict | errors.QueueFull


@dataclass(frozen=True, slots=True)
class Task:
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
    files: list[str]
    place: places.Place | None = None

    @property
    def is_ended(self) -> bool:
        """Whether nothing may follow."""
        return not TRANSITIONS[self.status]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a worker can run: its models, and those of them that need no loading now."""

    models: Sequence[str]
    loaded: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """One task leased to a worker; the attempt number fences every later write."""

    id: str
    attempt: int
    strikes: int
    account_id: str
    seed: int
    price_mill: int
    size: int
    kind: str
    model: str
    input: dict[str, Any]
    overtook: bool = False


@dataclass(frozen=True, slots=True)
class _Numbered:
    id: int
    request_id: str


@dataclass(frozen=True, slots=True)
class _Kept:
    id: str
    is_canceled: bool


@dataclass(frozen=True, slots=True)
class _Id:
    id: str


async def submit(tx: Transaction, submissions: Sequence[Submission]) -> list[Outcome]:
    """Hold the credits and create batches and tasks: an outcome for each, in the order given.

    Submissions that arrive together share the transaction; an account's are accepted in their
    order while its credits last, and one that it cannot pay is refused without touching another.
    A submission whose idempotency key made a batch before, in this group or within the day,
    answers that batch.
    """
    owners = await lanes.lock(tx, {one.account_id for one in submissions})
    # Behind the lock: whoever used one of these keys before has committed.
    kept = await idempotency_keys.find(tx, {name for one in submissions if (name := _name(one))})
    left = {account_id: lane.available_mill for account_id, lane in owners.items()}
    room = {account_id: lane.room for account_id, lane in owners.items()}
    outcomes: list[Outcome] = []
    accepted: list[Submission] = []
    for one in submissions:
        if (name := _name(one)) in kept:
            outcomes.append(_again(one, kept[name]))
            continue
        if one.total_mill > left[one.account_id]:
            outcomes.append(_refusal(one, left[one.account_id]))
            continue
        if one.count > room[one.account_id]:
            outcomes.append(errors.QueueFull(retry_after_seconds=_FULL_SECONDS))
            continue
        left[one.account_id] -= one.total_mill
        room[one.account_id] -= one.count
        accepted.append(one)
        task_ids = tuple(ids.new("task") for _ in range(one.count))
        outcomes.append(Batch(0, task_ids, one.total_mill))
        if name is not None:
            kept[name] = Kept(*name, one.fingerprint, 0, task_ids, one.total_mill)
    return await _create(tx, accepted, outcomes) if accepted else outcomes


def _name(one: Submission) -> tuple[str, str] | None:
    key = one.idempotency_key
    return None if key is None else (one.account_id, key)


def _again(one: Submission, kept: Kept) -> Batch | errors.IdempotencyConflict:
    if one.fingerprint != kept.fingerprint:
        return errors.IdempotencyConflict(field="Idempotency-Key")
    return Batch(kept.batch_id, tuple(kept.task_ids), kept.price_mill, replayed=True)


async def _create(
    tx: Transaction, accepted: Sequence[Submission], outcomes: Sequence[Outcome]
) -> list[Outcome]:
    """Insert what was accepted, with its keys; the outcomes with the numbers of their batches."""
    new = [one for one in outcomes if isinstance(one, Batch) and not one.replayed]
    numbers = await _insert(tx, accepted, new)
    await idempotency_keys.keep(
        tx,
        [
            Kept(*name, one.fingerprint, number, batch.task_ids, batch.price_mill)
            for one, batch, number in zip(accepted, new, numbers, strict=True)
            if (name := _name(one))
        ],
    )
    # What replays a batch of this very group has its tasks, but did not know its number either.
    number_of = {batch.task_ids: number for batch, number in zip(new, numbers, strict=True)}
    return [
        replace(one, id=number_of.get(one.task_ids, one.id)) if isinstance(one, Batch) else one
        for one in outcomes
    ]


def _refusal(one: Submission, left_mill: int) -> errors.InsufficientCredits:
    return errors.InsufficientCredits(
        f"insufficient credits: this costs {ledger.credits_of(one.total_mill)}, the account has "
        f"{ledger.credits_of(left_mill)} available. Buy credits or ask for less."
    )


async def _insert(
    tx: Transaction, submissions: Sequence[Submission], batches: Sequence[Batch]
) -> list[int]:
    rows = [
        (task_id, one, position)
        for one, batch in zip(submissions, batches, strict=True)
        for position, task_id in enumerate(batch.task_ids)
    ]
    await ledger.hold(
        tx, [ledger.Hold(task_id, one.account_id, one.price_mill) for task_id, one, _ in rows]
    )
    await tx.run("tasks.notify")
    numbered = await tx.all(
        _Numbered,
        "tasks.submit",
        # Two JSON texts cost the server's loop far less than fourteen arrays.
        batches=_json([_batch_row(one) for one in submissions]),
        tasks=_json([_task_row(*row) for row in rows]),
        unknown_seconds=paces.UNKNOWN_SECONDS,
    )
    await lanes.deal(tx, {one.account_id for one in submissions if one.priority})
    number_of = {row.request_id: row.id for row in numbered}
    return [number_of[one.request_id] for one in submissions]


def _json(rows: Sequence[Mapping[str, Any]]) -> str:
    return msgspec.json.encode(rows).decode()


def _batch_row(one: Submission) -> dict[str, Any]:
    return {
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
    }


def _task_row(task_id: str, one: Submission, position: int) -> dict[str, Any]:
    return {
        "id": task_id,
        "request_id": one.request_id,
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


async def _placed(tx: Transaction, found: Sequence[Task]) -> list[Task]:
    """The tasks, those that wait with their place; one statement more if there are any."""
    pending = [task.id for task in found if task.status == PENDING]
    if not pending:
        return list(found)
    found_places = await places.find(tx, pending)
    return [replace(task, place=found_places.get(task.id)) for task in found]


async def claim(
    tx: Transaction, worker_id: str, wanted: Wanted, *, tasks_max: int, lease_seconds: float
) -> list[Claim]:
    """Lease up to `tasks_max` tasks to a worker, in the order of the queue.

    Those of a model that it has loaded come before the others of the first few: a worker that was
    told that it overtook asks for nothing loaded soon, so that nobody is overtaken for ever.
    """
    return await tx.all(
        Claim,
        "tasks.claim",
        worker_id=worker_id,
        models=list(wanted.models),
        loaded=list(wanted.loaded),
        first_max=config.CLAIM_LOOKED_AT_MAX + tasks_max,
        tasks_max=tasks_max,
        lease_seconds=lease_seconds,
    )


async def beat(
    tx: Transaction, progress_of: Mapping[tuple[str, int], float], *, lease_seconds: float
) -> dict[str, bool]:
    """Renew the leases of running (task, attempt) pairs; answers whether each is canceled.

    A task that is not in the answer is lost.
    """
    rows = await tx.all(
        _Kept,
        "tasks.beat",
        ids=[task_id for task_id, _ in progress_of],
        attempts=[attempt for _, attempt in progress_of],
        progresses=list(progress_of.values()),
        lease_seconds=lease_seconds,
    )
    return {row.id: row.is_canceled for row in rows}


async def succeed(
    tx: Transaction,
    claimed: Claim,
    outputs: Sequence[assets.Asset],
    *,
    served_by: str,
    notes: Mapping[str, Any],
) -> bool:
    """End a task well: its assets, its state and its money; False when the lease was lost."""
    row = await tx.first(
        _Id,
        "tasks.succeed",
        task_id=claimed.id,
        attempt=claimed.attempt,
        served_by=served_by,
        notes=jsonb(notes),
        charged_mill=claimed.price_mill,
    )
    if row is None:
        return False
    await assets.add(tx, claimed.account_id, outputs, task_id=claimed.id)
    await ledger.settle(tx, claimed.id, claimed.price_mill)
    await lanes.release(tx, claimed.id)
    await webhooks.announce(tx, [claimed.id], webhooks.OUTPUT, webhooks.ENDED)
    return True


async def fail(
    tx: Transaction, claimed: Claim, error: errors.TaskError, *, served_by: str | None
) -> bool:
    """End a task badly and refund it; False when the lease was lost."""
    row = await tx.first(
        _Id,
        "tasks.fail",
        task_id=claimed.id,
        attempt=claimed.attempt,
        served_by=served_by,
        error_code=error.code,
        error=error.message,
    )
    if row is None:
        return False
    await ledger.refund(tx, claimed.id)
    await lanes.release(tx, claimed.id)
    await webhooks.announce(tx, [claimed.id], webhooks.ENDED)
    return True


async def requeue(tx: Transaction, claimed: Claim, *, delay_seconds: float, strikes: int) -> bool:
    """Give a task back to the queue after a pause; False when the lease was lost.

    A strike counts against the task; a worker that stops in good order gives none. A task that was
    canceled meanwhile ends instead.
    """
    row = await tx.first(
        _Id,
        "tasks.requeue",
        task_id=claimed.id,
        attempt=claimed.attempt,
        delay_seconds=delay_seconds,
        strikes=strikes,
    )
    if row is None:
        # Canceled, or another's: then the attempt's number fences this end off as well.
        return await fail(tx, claimed, errors.Canceled(), served_by=None)
    await tx.run("tasks.notify")
    return True
