"""The desk's accounts: found, made, granted credits, limited, suspended, deleted, made admins'."""

from __future__ import annotations

import re

from starlette.responses import Response

from darkroom import errors
from darkroom.console.desk import asking
from darkroom.console.visit import Page, Visit
from darkroom.domain import accounts, acts, api_keys, inspections, payments, powers, suspensions
from darkroom.domain.accounts import Limits
from darkroom.storage.database import Transaction

_ACTS_SHOWN = 10
_WEIGHTS = (0.01, 100)
_RUNNING = (1, 100_000)
_WAITING = (0, 10_000_000)
_REQUESTS = (0, 10_000_000)


async def search(visit: Visit, problem: errors.Refusal | None = None) -> Response:
    """Accounts, the newest first, or those whose address begins so."""
    fields = await visit.fields() if problem else {}
    async with visit.edge.database.statement() as tx:
        found = await inspections.accounts(
            tx,
            asking.asked(visit, "q") or "",
            before=asking.asked(visit, "before"),
            rows_max=asking.ROWS_MAX,
        )
    more = found[-1].id if len(found) == asking.ROWS_MAX else None
    return visit.page(
        "admin/accounts.html",
        status=422 if problem else 200,
        found=found,
        problem=problem,
        email=fields.get("email", ""),
        newer=asking.newest(visit),
        older=asking.older(visit, more),
    )


async def create(visit: Visit) -> Response:
    """Make an account, with credits where some are named."""
    fields = await visit.fields()
    try:
        amount = asking.amount_mill("credits", fields.get("credits") or "0")
        async with visit.edge.database.transaction() as tx:
            who = asking.actor(visit)
            made = await powers.create_account(
                tx,
                who,
                fields.get("email", "").strip(),
                is_admin=False,
                limits=accounts.first_limits(visit.edge.config),
            )
            if amount:
                await powers.grant(tx, who, made.id, amount, "granted with the account")
    except errors.BadParameter as refused:
        return await search(visit, refused)
    return visit.go(f"/admin/accounts/{made.id}", f"Made the account of {made.email}.")


async def show(visit: Visit, problem: errors.Refusal | None = None) -> Response:
    """One account: its credits, keys, limits, movements, and what was done about it."""
    before = asking.number("before", asking.asked(visit, "before"))
    async with visit.edge.database.transaction() as tx:
        account_id = await _found(tx, visit)
        account = await accounts.get(tx, account_id)
        entries = await inspections.movements(
            tx, account_id, before=before, rows_max=asking.ROWS_MAX
        )
        return visit.page(
            "admin/account.html",
            status=422 if problem else 200,
            account=account,
            suspension=await suspensions.get(tx, account_id),
            owed_mill=await payments.owed(tx, account_id),
            keys=await api_keys.list_for(tx, account_id),
            entries=entries,
            acts=await acts.list_all(tx, acts.Filter(account_id=account_id), rows_max=_ACTS_SHOWN),
            problem=problem,
            fields=await visit.fields() if problem else {},
            newer=asking.newest(visit),
            older=asking.older(visit, entries[-1].id if len(entries) == asking.ROWS_MAX else None),
        )


async def grant(visit: Visit) -> Response:
    """Give an account credits."""
    fields = await visit.fields()
    try:
        amount = asking.amount_mill("credits", fields.get("credits", ""))
        note = fields.get("note", "").strip() or "granted by the operator"
        if len(note) > 200:
            raise errors.BadParameter("A note has at most 200 characters.", field="note")
        async with visit.edge.database.transaction() as tx:
            await powers.grant(tx, asking.actor(visit), await _found(tx, visit), amount, note)
    except errors.BadParameter as refused:
        return await show(visit, _at(refused, "credits"))
    return _back(visit, "The credits are granted.")


async def limit(visit: Visit) -> Response:
    """Set an account's limits."""
    fields = await visit.fields()
    try:
        limits = Limits(
            weight=_weight(fields.get("weight", "")),
            running_max=_within("running_max", fields.get("running_max", ""), _RUNNING),
            waiting_max=_within("waiting_max", fields.get("waiting_max", ""), _WAITING),
            requests_per_minute=_within(
                "requests_per_minute", fields.get("requests_per_minute") or "0", _REQUESTS
            ),
        )
        async with visit.edge.database.transaction() as tx:
            await powers.limit(tx, asking.actor(visit), await _found(tx, visit), limits)
    except errors.BadParameter as refused:
        return await show(visit, refused)
    return _back(visit, "The limits are set.")


def _weight(text: str) -> float:
    if not re.fullmatch(r"\d{1,3}(\.\d{1,6})?", text) or not (
        _WEIGHTS[0] <= float(text) <= _WEIGHTS[1]
    ):
        raise errors.BadParameter("The weight is a number from 0.01 to 100.", field="weight")
    return float(text)


def _within(name: str, text: str, bounds: tuple[int, int]) -> int:
    value = asking.number(name, text)
    if value is None or not bounds[0] <= value <= bounds[1]:
        raise errors.BadParameter(f"A whole number from {bounds[0]} to {bounds[1]:,}.", field=name)
    return value


async def suspend(visit: Visit) -> Response:
    """Suspend an account."""
    fields = await visit.fields()
    try:
        async with visit.edge.database.transaction() as tx:
            await powers.suspend(
                tx,
                asking.actor(visit),
                await _found(tx, visit),
                fields.get("reason", ""),
                cancel_waiting="cancel_waiting" in fields,
            )
    except errors.BadParameter as refused:
        return await show(visit, _at(refused, "reason"))
    return _back(visit, "The account is suspended.")


async def resume(visit: Visit) -> Response:
    """End a suspension."""
    try:
        async with visit.edge.database.transaction() as tx:
            await powers.resume(tx, asking.actor(visit), await _found(tx, visit))
    except errors.BadParameter as refused:
        return await show(visit, refused)
    return _back(visit, "The account may ask again.")


async def delete(visit: Visit) -> Response:
    """Delete an account with all that it made."""
    try:
        async with visit.edge.database.transaction() as tx:
            await powers.delete_account(tx, asking.actor(visit), await _found(tx, visit))
    except errors.BadParameter as refused:
        return await show(visit, refused)
    return _back(visit, "The account is deleted. What it made goes within minutes.")


async def set_admin(visit: Visit) -> Response:
    """Give or take the rights of an admin."""
    is_admin = (await visit.fields()).get("is_admin") == "yes"
    async with visit.edge.database.transaction() as tx:
        await powers.set_admin(tx, asking.actor(visit), await _found(tx, visit), is_admin=is_admin)
    said = "is an admin's now" if is_admin else "is no admin's any more"
    return _back(visit, f"The account {said}.")


async def revoke_key(visit: Visit) -> Response:
    """End one of an account's keys."""
    key_id = visit.request.path_params["key_id"]
    async with visit.edge.database.transaction() as tx:
        keys = await api_keys.list_for(tx, await _found(tx, visit))
        if key_id not in {key.id for key in keys}:
            raise errors.PageNotFound
        revoked = await powers.revoke_key(tx, asking.actor(visit), key_id)
    return _back(visit, "The key is revoked." if revoked else "The key was revoked before.")


async def _found(tx: Transaction, visit: Visit) -> str:
    """The id of the account that the address names, which must exist."""
    account_id: str = visit.request.path_params["account_id"]
    if not await inspections.exists(tx, account_id):
        raise errors.PageNotFound
    return account_id


def _back(visit: Visit, said: str) -> Response:
    return visit.go(f"/admin/accounts/{visit.request.path_params['account_id']}", said)


def _at(refused: errors.BadParameter, field: str) -> errors.BadParameter:
    """The same refusal, at a field of the form where it names none."""
    return errors.BadParameter(refused.message, field=refused.field or field)


_ONE = "/admin/accounts/{account_id}"
PAGES = (
    Page("GET", "/admin/accounts", search, "admin"),
    Page("POST", "/admin/accounts", create, "admin"),
    Page("GET", _ONE, show, "admin"),
    Page("POST", f"{_ONE}/grant", grant, "admin"),
    Page("POST", f"{_ONE}/limits", limit, "admin"),
    Page("POST", f"{_ONE}/suspend", suspend, "admin"),
    Page("POST", f"{_ONE}/resume", resume, "admin"),
    Page("POST", f"{_ONE}/delete", delete, "admin"),
    Page("POST", f"{_ONE}/admin", set_admin, "admin"),
    Page("POST", f"{_ONE}/keys/{{key_id}}/revoke", revoke_key, "admin"),
)
