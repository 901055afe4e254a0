"""Leases: a worker's hold on a task, from its claim to the end that only its attempt may write."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from darkroom import config, errors
from darkroom.domain import assets, lanes, ledger, rates, usage, webhooks
from darkroom.domain.kinds.kind import TOKENS
from darkroom.domain.kinds.table import KINDS
from darkroom.storage.database import Asked, Transaction, jsonb


class Wanted(msgspec.Struct, frozen=True):
    """What a worker can run: its models, and those of them that need no loading now."""

    models: Sequence[str]
    loaded: Collection[str] = ()


class Claim(msgspec.Struct, frozen=True):
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
    crashes: int = 0
    # The backends that could not serve it, since all that can were tried last.
    passed_over: Sequence[str] = ()
    # The backend that an attempt before this one has left a call with.
    goes_on_with: str | None = None
    overtook: bool = False
    # Whether anybody wants to hear more of it than its end.
    is_followed: bool = False
    # Whether its account wants what it makes to be signed and known again.
    has_provenance: bool = True


# What tasks that run in one call may differ in, beside their files: their words and seeds, how many
# results a request asked for, and how it told the size that `width` and `height` have.
_OWN = (
    *("prompt", "negative_prompt", "seed", "image_number", "video_number"),
    *("aspect_ratio", "resolution"),
)


class _Kept(msgspec.Struct, frozen=True):
    id: str
    is_canceled: bool


class _Id(msgspec.Struct, frozen=True):
    id: str


async def claim(
    tx: Transaction, worker_id: str, wanted: Wanted, *, tasks_max: int, lease_seconds: float
) -> list[Claim]:
    """Lease up to `tasks_max` tasks to a worker, in the order of the queue.

    Those of a model that it has loaded come before the others of the first few: a worker that was
    told that it overtook asks for nothing loaded soon, so that nobody is overtaken for ever.
    """
    given = _claiming(worker_id, wanted, tasks_max, lease_seconds)
    return await tx.all(Claim, "tasks.claim", **given)


def ask(
    tx: Transaction, worker_id: str, wanted: Wanted, *, tasks_max: int, lease_seconds: float
) -> Asked[Claim]:
    """Claim as the last of a transaction; what came of it is read when that has committed."""
    given = _claiming(worker_id, wanted, tasks_max, lease_seconds)
    return tx.ask(Claim, "tasks.claim", **given)


def _claiming(
    worker_id: str, wanted: Wanted, tasks_max: int, lease_seconds: float
) -> dict[str, Any]:
    return {
        "worker_id": worker_id,
        "models": list(wanted.models),
        "loaded": list(wanted.loaded),
        "first_max": config.CLAIM_LOOKED_AT_MAX + tasks_max,
        "tasks_max": tasks_max,
        "lease_seconds": lease_seconds,
        "avoid_seconds": config.AVOID_SECONDS,
    }


async def claim_alike(
    tx: Transaction, worker_id: str, lead: Claim, *, tasks_max: int, lease_seconds: float
) -> list[Claim]:
    """Lease up to `tasks_max` more tasks that can run in one call with one just claimed.

    Of the same model, kind and size, with as many files, from the first of the queue and in its
    order; none that was tried before, which runs alone.
    """
    return await tx.all(
        Claim,
        "tasks.claim_alike",
        worker_id=worker_id,
        task_id=lead.id,
        own=list(_OWN),
        first_max=config.ALIKE_LOOKED_AT_MAX,
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
    charged_mill = await _charged(tx, claimed, notes)
    row = await tx.first(
        _Id,
        "tasks.succeed",
        task_id=claimed.id,
        attempt=claimed.attempt,
        served_by=served_by,
        notes=jsonb(notes),
        charged_mill=charged_mill,
    )
    if row is None:
        return False
    await assets.add(tx, claimed.account_id, outputs, task_id=claimed.id)
    await ledger.settle(tx, claimed.id, charged_mill)
    await usage.note_end(tx, claimed.id)
    await lanes.release(tx, claimed.account_id, claimed.id)
    await webhooks.announce(tx, [claimed.id], webhooks.OUTPUT, webhooks.ENDED)
    return True


async def _charged(tx: Transaction, claimed: Claim, notes: Mapping[str, Any]) -> int:
    """What a task costs: its price, or what it used of it at the rate it was submitted at.

    The backend's notes say how many tokens it used; those that it does not tell are free.
    """
    if TOKENS not in KINDS[claimed.kind].units:
        return claimed.price_mill
    used = {
        name: count
        for name in ("input_tokens", "output_tokens")
        if isinstance(count := notes.get(name), int) and count > 0
    }
    rate = await rates.pinned(tx, claimed.id)
    return min(claimed.price_mill, rates.price_mill(rate, rates.Amount(**used)))


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
    await close_free(tx, claimed.account_id, claimed.id)
    return True


async def close_free(tx: Transaction, account_id: str, task_id: str) -> None:
    """What follows every end that costs nothing: refund, count, the lane's next task, webhooks."""
    await ledger.refund(tx, task_id)
    await usage.note_end(tx, task_id)
    await lanes.release(tx, account_id, task_id)
    await webhooks.announce(tx, [task_id], webhooks.ENDED)


async def requeue(
    tx: Transaction, claimed: Claim, *, delay_seconds: float, strikes: int, crashes: int = 0
) -> bool:
    """Give a task back to the queue after a pause; False when the lease was lost.

    Strikes and crashes count against the task; a worker that stops in good order gives none. For
    a moment after the pause it is other workers' alone. Canceled meanwhile, it ends instead.
    """
    return await _requeue(tx, claimed, delay_seconds, strikes=strikes, crashes=crashes)


async def pass_over(tx: Transaction, claimed: Claim, backend: str) -> bool:
    """Give a task back for another backend than this one; False when the lease was lost."""
    return await _requeue(tx, claimed, 0, strikes=0, crashes=0, passed_over=backend)


async def _requeue(
    tx: Transaction,
    claimed: Claim,
    delay_seconds: float,
    *,
    strikes: int,
    crashes: int,
    passed_over: str | None = None,
) -> bool:
    row = await tx.first(
        _Id,
        "tasks.requeue",
        task_id=claimed.id,
        attempt=claimed.attempt,
        delay_seconds=delay_seconds,
        strikes=strikes,
        crashes=crashes,
        passed_over=passed_over,
    )
    if row is None:
        # Canceled, or another's: then the attempt's number fences this end off as well.
        return await fail(tx, claimed, errors.Canceled(), served_by=None)
    await tx.run("tasks.notify")
    return True
