"""Powers: what an operator may do to accounts, keys and tasks, each written down as an act."""

from __future__ import annotations

from typing import Any

import msgspec

from darkroom import errors
from darkroom.domain import (
    accounts,
    acts,
    api_keys,
    endings,
    erasures,
    inspections,
    ledger,
    suspensions,
    tasks,
    upstream_calls,
)
from darkroom.domain.accounts import Account, Limits
from darkroom.domain.acts import Actor, Deed
from darkroom.domain.api_keys import ApiKey
from darkroom.domain.suspensions import Suspension
from darkroom.domain.upstream_calls import UpstreamCall
from darkroom.storage.database import Transaction


async def create_account(
    tx: Transaction, actor: Actor, email: str, *, is_admin: bool, limits: Limits
) -> Account:
    """Create an account without credits."""
    made = await accounts.create(tx, email, is_admin=is_admin, limits=limits)
    after = {"email": made.email, "is_admin": made.is_admin}
    await acts.record(tx, actor, Deed("account.create", made.id, made.id, after=after))
    return made


async def grant(
    tx: Transaction, actor: Actor, account_id: str, amount_mill: int, note: str
) -> Account:
    """Give an account credits, issued by the system."""
    entry = await ledger.grant(tx, account_id, amount_mill, note)
    after = {"entry": entry.id, "credits": ledger.credits_of(amount_mill), "note": note}
    await acts.record(tx, actor, Deed("account.grant", account_id, account_id, after=after))
    return await accounts.get(tx, account_id)


async def limit(tx: Transaction, actor: Actor, account_id: str, limits: Limits) -> Account:
    """Set limits of an account."""
    before = await _locked(tx, account_id)
    changed = await accounts.limit(tx, account_id, limits)
    deed = Deed("account.limit", account_id, account_id, _limits(before), _limits(changed))
    await acts.record(tx, actor, deed)
    return changed


async def set_provenance(
    tx: Transaction, actor: Actor, account_id: str, *, has_provenance: bool
) -> Account:
    """Have what an account makes signed and known again, or not."""
    before = await _locked(tx, account_id)
    changed = await accounts.set_provenance(tx, account_id, has_provenance=has_provenance)
    deed = Deed(
        "account.provenance",
        account_id,
        account_id,
        {"has_provenance": before.has_provenance},
        {"has_provenance": changed.has_provenance},
    )
    await acts.record(tx, actor, deed)
    return changed


async def set_admin(tx: Transaction, actor: Actor, account_id: str, *, is_admin: bool) -> Account:
    """Give an account the rights of an admin, or take them; the last admin keeps them."""
    # Not locked before: the statement locks all admins, in one order.
    before = await accounts.get(tx, account_id)
    changed = await accounts.set_admin(tx, account_id, is_admin=is_admin)
    await acts.record(
        tx,
        actor,
        Deed(
            "account.admin",
            account_id,
            account_id,
            {"is_admin": before.is_admin},
            {"is_admin": changed.is_admin},
        ),
    )
    return changed


async def suspend(
    tx: Transaction, actor: Actor, account_id: str, reason: str, *, cancel_waiting: bool
) -> Suspension:
    """Suspend an account: what it submitted before is run, or canceled where it still waits."""
    before = await suspensions.get(tx, account_id)
    after = await suspensions.begin(tx, account_id, reason, cancel_waiting=cancel_waiting)
    deed = Deed("account.suspend", account_id, account_id, _suspended(before), _suspended(after))
    await acts.record(tx, actor, deed)
    return after


async def resume(tx: Transaction, actor: Actor, account_id: str) -> Suspension:
    """End the suspension of an account."""
    before = await suspensions.get(tx, account_id)
    after = await suspensions.end(tx, account_id)
    deed = Deed("account.resume", account_id, account_id, _suspended(before), _suspended(after))
    await acts.record(tx, actor, deed)
    return after


async def delete_account(tx: Transaction, actor: Actor, account_id: str) -> None:
    """Delete an account with all that it made; what it paid and what that cost stays."""
    await erasures.begin(tx, account_id)
    await acts.record(tx, actor, Deed("account.delete", account_id, account_id))


async def revoke_key(tx: Transaction, actor: Actor, named: str) -> list[ApiKey]:
    """End the live keys with this id or mask, for ever; answers which."""
    revoked = await api_keys.revoke(tx, named)
    for key in revoked:
        before = {"name": key.name, "mask": key.mask}
        await acts.record(tx, actor, Deed("key.revoke", key.id, key.account_id, before))
    return revoked


async def cancel_task(tx: Transaction, actor: Actor, task_id: str) -> endings.Cancel:
    """End a waiting task for free, or ask the worker of a running one to stop."""
    found = await inspections.open_task(tx, task_id)
    done = await endings.cancel(tx, found.account_id, task_id)
    if done.effect == endings.FINISHED:
        raise errors.BadParameter("This task has ended already.")
    before, after = {"status": found.status}, {"status": done.task.status, "effect": done.effect}
    await acts.record(tx, actor, Deed("task.cancel", task_id, found.account_id, before, after))
    return done


async def retry_task(tx: Transaction, actor: Actor, task_id: str) -> tasks.Batch:
    """Submit a failed task's input again for its account: a new batch of one, at the same price.

    The failed one was refunded, so that the account pays for one result; it must have the credits.
    """
    found = await inspections.open_task(tx, task_id)
    if found.status != tasks.FAILED:
        raise errors.BadParameter("Only a task that failed can be run again.")
    if found.deleted_at is not None:
        raise errors.BadParameter("Its owner has deleted this task.")
    [outcome] = await tasks.submit(tx, [_again(found, actor)])
    if not isinstance(outcome, tasks.Batch):
        raise outcome
    after = {"batch_id": outcome.id, "task_id": outcome.task_ids[0]}
    await acts.record(tx, actor, Deed("task.retry", task_id, found.account_id, after=after))
    return outcome


def _again(found: inspections.Opened, actor: Actor) -> tasks.Submission:
    return tasks.Submission(
        account_id=found.account_id,
        api_key_id=found.api_key_id,
        request_id=actor.request_id or found.request_id,
        kind=found.kind,
        model=found.model,
        input=found.input,
        rate_id=found.rate_id,
        price_mill=found.price_mill,
        count=1,
        seed=found.seed,
        size=found.size,
        priority=found.priority,
        caller_id=found.caller_id,
        webhook_url=found.webhook_url,
        webhook_events=found.webhook_events,
        base_url=found.base_url,
        is_spend_limited=found.is_spend_limited,
    )


async def _locked(tx: Transaction, account_id: str) -> Account:
    await accounts.lock(tx, account_id)
    return await accounts.get(tx, account_id)


def _limits(account: Account) -> dict[str, Any]:
    names = [one.name for one in msgspec.structs.fields(Limits)]
    return {name: getattr(account, name) for name in names}


def _suspended(one: Suspension) -> dict[str, Any]:
    at = None if one.suspended_at is None else one.suspended_at.isoformat()
    return {"suspended_at": at, "reason": one.reason, "cancels_waiting": one.is_emptying}


async def review_call(
    tx: Transaction, actor: Actor, call_id: str, *, is_billed: bool
) -> UpstreamCall:
    """Say of a call to another service that was in doubt whether it was billed."""
    call = await upstream_calls.review(tx, call_id, is_billed=is_billed)
    after = {"call": call.id, "is_billed": is_billed}
    await acts.record(tx, actor, Deed("upstream.review", call.task_id, after=after))
    return call
