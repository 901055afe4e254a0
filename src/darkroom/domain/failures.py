"""Failures: which of them end a task, and which send it back to the queue, how often and when."""

from __future__ import annotations

from darkroom import config, errors
from darkroom.domain import leases
from darkroom.storage.database import Transaction


def is_tried_again(claimed: leases.Claim, error: errors.TaskError) -> bool:
    """Whether the task goes back to the queue when this attempt ends so."""
    if error.counts_as == "crash":
        return claimed.crashes + 1 < config.CRASHES_MAX
    return error.counts_as == "strike" and claimed.strikes + 1 < config.STRIKES_MAX


def is_passed_on(claimed: leases.Claim, error: errors.TaskError) -> bool:
    """Whether another backend, where there is one, gets the task after this attempt.

    A strike is a backend's that cannot serve now; a crash may be the moment's, so that it is tried
    once more first.
    """
    if isinstance(error, errors.Hindered):
        return not error.stays
    return error.counts_as == "crash" and not is_tried_again(claimed, error)


async def end(
    tx: Transaction,
    claimed: leases.Claim,
    error: errors.TaskError,
    *,
    served_by: str | None,
    has_other: bool = False,
) -> bool:
    """End an attempt badly: its task waits for another, or is FAILED and refunded.

    False when the lease was lost. Where another backend is left (`has_other`) the next attempt is
    its; each gets one in a round. The pause before another round doubles: 1, 2, 4 seconds, or is
    as long as a service asked for.
    """
    if has_other and served_by and is_passed_on(claimed, error):
        return await leases.pass_over(tx, claimed, served_by)
    if not is_tried_again(claimed, error):
        return await leases.fail(tx, claimed, _final(error), served_by=served_by)
    asked_seconds = error.retry_after_seconds if isinstance(error, errors.Hindered) else 0.0
    return await leases.requeue(
        tx,
        claimed,
        delay_seconds=max(2.0 ** (claimed.strikes + claimed.crashes), asked_seconds),
        strikes=int(error.counts_as == "strike"),
        crashes=int(error.counts_as == "crash"),
    )


def _final(error: errors.TaskError) -> errors.TaskError:
    """The same error, saying where more than one attempt has met it."""
    if error.counts_as is None:
        return error
    tried = config.CRASHES_MAX if error.counts_as == "crash" else config.STRIKES_MAX
    return type(error)(
        f"{error.message} The task was given up after {tried} attempts of this kind."
    )
