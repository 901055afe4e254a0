"""API keys: made and shown once, listed by their masks, limited, rotated, revoked."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from starlette.responses import Response

from darkroom import config, errors
from darkroom.console.visit import Page, Visit
from darkroom.domain import api_keys, ledger
from darkroom.domain.api_keys import ApiKey, Rules

# What a form offers as the days after which a key ends.
_DAYS = (7, 30, 90, 365)
_KEEP, _NEVER = "keep", ""
# The first request of the quickstart; a key that may not use its model shows another.
_MODEL = "FLUX_PRO"


class Form(msgspec.Struct, frozen=True):
    """The form of a key as it was filled in: texts, and the models that were chosen."""

    name: str = ""
    days: str = _NEVER
    spend_limit: str = ""
    spend_period: str = "month"
    requests_per_minute: str = ""
    callback_hosts: str = ""
    models: frozenset[str] = frozenset()
    wire: str = ""


async def show(visit: Visit) -> Response:
    """The account's keys."""
    async with visit.edge.database.statement() as tx:
        found = await api_keys.list_for(tx, visit.account_id)
    live = [one for one in found if one.is_live]
    ended = [one for one in found if not one.is_live]
    return visit.page("keys/list.html", live=live, ended=ended)


async def show_new(visit: Visit) -> Response:
    """The form for a new key."""
    return _new(visit, Form(wire=visit.edge.config.wire))


async def create(visit: Visit) -> Response:
    """Make a key and show it, this one time."""
    form = await _sent(visit)
    try:
        rules, days = _rules(visit, form), _days(form)
        async with visit.edge.database.transaction() as tx:
            key, row = await api_keys.create(
                tx, visit.account_id, name=form.name, wire=form.wire, rules=rules, days=days
            )
    except errors.BadParameter as problem:
        return _new(visit, form, problem)
    return _made(visit, key, row)


async def show_one(visit: Visit) -> Response:
    """One key: what it may do and has spent, and the forms that change it."""
    key = await _owned(visit)
    return _one(visit, key, _form_of(key))


async def change(visit: Visit) -> Response:
    """Give a key another name, other rules, another end."""
    key = await _owned(visit)
    form = await _sent(visit)
    try:
        rules = _rules(visit, form, key)
        async with visit.edge.database.transaction() as tx:
            await api_keys.change(tx, key, name=form.name, rules=rules)
            if form.days != _KEEP:
                await api_keys.expire(tx, key, _days(form))
    except errors.BadParameter as problem:
        return _one(visit, key, form, problem)
    return visit.go("/api/keys", f"Saved. {form.name} follows its new rules within a second.")


async def rotate(visit: Visit) -> Response:
    """Make the key that takes another's place, and show it, this one time."""
    key = await _owned(visit)
    try:
        hours = _whole((await visit.fields()).get("overlap_hours", ""), "overlap_hours")
        async with visit.edge.database.transaction() as tx:
            made, row = await api_keys.rotate(tx, key, overlap_hours=hours or 0)
            old = await api_keys.owned(tx, visit.account_id, key.id)
    except errors.BadParameter as problem:
        return _one(visit, key, _form_of(key), problem)
    return _made(visit, made, row, old)


async def revoke(visit: Visit) -> Response:
    """End a key for ever."""
    key = await _owned(visit)
    async with visit.edge.database.transaction() as tx:
        await api_keys.revoke(tx, key.id)
    return visit.go("/api/keys", f"{key.name} ({key.mask}) was revoked.")


async def _owned(visit: Visit) -> ApiKey:
    async with visit.edge.database.statement() as tx:
        key_id = visit.request.path_params["key_id"]
        return await api_keys.owned(tx, visit.account_id, key_id)


async def _sent(visit: Visit) -> Form:
    fields = await visit.fields()
    names = set(Form.__match_args__) - {"models"}
    texts = {name: fields[name].strip() for name in names & fields.keys()}
    return Form(**texts, models=frozenset(await visit.choices("models")))


def _form_of(key: ApiKey) -> Form:
    limit = key.spend_mill_max
    return Form(
        name=key.name,
        days=_KEEP,
        spend_limit="" if limit is None else str(ledger.credits_of(limit)),
        spend_period=key.spend_period or "month",
        requests_per_minute=str(key.requests_per_minute or ""),
        callback_hosts="\n".join(key.callback_hosts),
        models=frozenset(key.models),
    )


def _rules(visit: Visit, form: Form, key: ApiKey | None = None) -> Rules:
    known = visit.edge.catalogue.models.keys() | set(key.models if key else ())
    if unknown := form.models - known:
        raise errors.BadParameter(
            f"There is no model {', '.join(sorted(unknown))}.", field="models"
        )
    return Rules(
        requests_per_minute=_whole(form.requests_per_minute, "requests_per_minute"),
        spend_mill_max=_mill(form.spend_limit),
        spend_period=form.spend_period,
        models=sorted(form.models),
        callback_hosts=re.split(r"[\s,]+", form.callback_hosts) if form.callback_hosts else (),
    )


def _days(form: Form) -> int | None:
    return _whole(form.days, "days")


def _whole(text: str, field: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"\d{1,9}", text):
        raise errors.BadParameter("A whole number, please.", field=field)
    return int(text)


def _mill(text: str) -> int | None:
    if not text:
        return None
    try:
        return ledger.mill(Decimal(text))
    except (InvalidOperation, errors.BadParameter):
        raise errors.BadParameter(
            "An amount of credits with at most three decimals, please.", field="spend_limit"
        ) from None


def _new(visit: Visit, form: Form, problem: errors.Refusal | None = None) -> Response:
    return visit.page("keys/new.html", status=_status(problem), **_formed(visit, form, problem))


def _one(visit: Visit, key: ApiKey, form: Form, problem: errors.Refusal | None = None) -> Response:
    context = _formed(visit, form, problem)
    return visit.page("keys/one.html", status=_status(problem), key=key, **context)


def _status(problem: errors.Refusal | None) -> int:
    return problem.status if problem else 200


def _formed(visit: Visit, form: Form, problem: errors.Refusal | None) -> dict[str, Any]:
    models = visit.edge.catalogue.models
    names = {key: model.name for key, model in models.items()}
    return {
        "form": form,
        "problem": problem,
        "days": _DAYS,
        "models": {key: key for key in sorted(form.models - names.keys())} | names,
        "overlap_hours": config.KEY_OVERLAP_HOURS,
        "overlap_hours_max": config.KEY_OVERLAP_HOURS_MAX,
    }


def _made(visit: Visit, key: str, row: ApiKey, old: ApiKey | None = None) -> Response:
    """The one page that shows a key: the answer to a POST, never kept by the browser."""
    model = _MODEL if not row.models or _MODEL in row.models else row.models[0]
    return visit.page("keys/made.html", key=key, row=row, old=old, model=model)


PAGES = (
    Page("GET", "/api/keys", show),
    Page("POST", "/api/keys", create),
    Page("GET", "/api/keys/new", show_new),
    Page("GET", "/api/keys/{key_id}", show_one),
    Page("POST", "/api/keys/{key_id}", change),
    Page("POST", "/api/keys/{key_id}/rotate", rotate),
    Page("POST", "/api/keys/{key_id}/revoke", revoke),
)
