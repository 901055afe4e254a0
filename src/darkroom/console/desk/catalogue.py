"""The desk's catalogue: models and their rates, edited in versions, now or from an instant on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, get_args

import msgspec
from starlette.responses import Response

from darkroom import errors
from darkroom.console.desk import asking
from darkroom.console.visit import Page, Visit
from darkroom.domain import acts, catalogue, edits, entries, rates
from darkroom.domain.acts import Deed
from darkroom.domain.catalogue import Model, Offer
from darkroom.domain.edits import FILE, HIDE, SET, Asked, Edit
from darkroom.domain.kinds.kind import TOKENS
from darkroom.domain.kinds.table import KINDS
from darkroom.storage.database import Transaction

# What the address of a model that is yet to be named says instead of its key.
_NEW = "new"
# What only an offer that is paid by tokens has.
_OF_TOKENS = ("input_credits", "tokens_max")
_EDITED = {SET: "edited", HIDE: "hidden", FILE: "as the file says"}


class Line(msgspec.Struct, frozen=True):
    """One model of the list."""

    key: str
    model: Model
    served_by: str | None
    is_hidden: bool
    edit: Edit | None
    to_come: Sequence[Edit]


class Input(msgspec.Struct, frozen=True):
    """One field of an offer's form, with what it holds."""

    name: str
    label: str
    value: str
    choices: Sequence[str] = ()
    is_number: bool = False


async def show_list(visit: Visit) -> Response:
    """Every model with its prices, hidden ones last."""
    async with visit.edge.database.statement() as tx:
        every = await edits.list_all(tx)
    served = visit.edge.catalogue
    rows = [
        Line(
            key,
            model,
            ", ".join(sorted(set(served.backends_of(key).values()))),
            key in served.hidden,
            next((one for one in every if one.model == key and one.is_in_force), None),
            [one for one in every if one.model == key and one.is_to_come],
        )
        for known in (served.models, served.hidden)
        for key, model in sorted(known.items())
    ]
    listed = {row.key for row in rows}
    announced = [one for one in every if one.is_to_come and one.model not in listed]
    return visit.page("admin/catalogue.html", rows=rows, announced=announced, rates=served.rates)


async def show(
    visit: Visit,
    problem: errors.Refusal | None = None,
    given: Mapping[str, Any] | None = None,
) -> Response:
    """One model: its form, its versions, its rates."""
    key = visit.request.path_params["key"]
    served = visit.edge.catalogue
    async with visit.edge.database.transaction() as tx:
        history = await edits.history(tx, key)
        priced = await rates.of_model(tx, key)
    model = served.models.get(key) or served.hidden.get(key)
    if model is None and not history and key != _NEW:
        raise errors.PageNotFound
    document = given or (entries.document(model) if model else _last(history))
    return visit.page(
        "admin/model.html",
        status=422 if problem else 200,
        key="" if key == _NEW else key,
        is_new=model is None and not history,
        is_hidden=key in served.hidden,
        in_file=key in served.files,
        served_by=", ".join(sorted(set(served.backends_of(key).values()))),
        document=document,
        offers={kind: _inputs(kind, document) for kind in KINDS},
        installed=sorted(served.backends),
        preferences=get_args(catalogue.Prefer),
        options=json.dumps(model.options, indent=2, ensure_ascii=False) if model else "{}",
        seen=history[0].version if history else 0,
        versions=[
            (one, [*_changes(before, one)]) for one, before in pairwise([*history, None]) if one
        ],
        effects=_EDITED,
        rates=priced,
        problem=problem,
        fields=await visit.fields() if problem else {},
    )


def _last(history: Sequence[Edit]) -> Mapping[str, Any]:
    found = next((one.document for one in history if one.document is not None), None)
    return found or {"name": "", "kinds": {}}


def _inputs(kind: str, document: Mapping[str, Any]) -> list[Input]:
    """The form of an offer, from what an offer is."""
    offer: Mapping[str, Any] = document.get("kinds", {}).get(kind, {})
    is_by_tokens = TOKENS in KINDS[kind].units
    return [
        _input(kind, field, offer)
        for field in msgspec.structs.fields(Offer)
        if is_by_tokens or field.name not in _OF_TOKENS
    ]


def _input(kind: str, field: msgspec.structs.FieldInfo, offer: Mapping[str, Any]) -> Input:
    default = "" if field.required else field.default
    value = offer.get(field.name, default)
    value = "" if value is None else value
    is_list = isinstance(value, list | tuple)
    return Input(
        field.name,
        field.name.replace("_", " ").replace(" max", ", at most").capitalize(),
        ", ".join(map(str, value)) if is_list else str(value),
        KINDS[kind].units if field.name == "unit" else (),
        field.name.endswith("_max"),
    )


def _changes(before: Edit | None, after: Edit) -> Iterator[str]:
    """What a version says otherwise than the one before it."""
    if before is None or before.document is None or after.document is None:
        return
    old, new = dict(_flat(before.document)), dict(_flat(after.document))
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield f"{name}: {old.get(name, 'nothing')} → {new.get(name, 'nothing')}"


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{name} {key}".strip().removeprefix("kinds "))
    else:
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        yield name, text or "none"


async def save(visit: Visit) -> Response:
    """Append a version that says what the form says."""
    fields = await visit.fields()
    key = visit.request.path_params["key"]
    document: Mapping[str, Any] = {}
    try:
        if key == _NEW:
            key = fields.get("key", "").strip()
            _check_free(visit, key)
        document = _document(fields)
        version = await _make(visit, key, SET, document)
    except errors.BadParameter as refused:
        return await show(visit, refused, document or {"name": "", "kinds": {}})
    return visit.go(f"/admin/catalogue/{key}", f"Version {version} of {key} is kept.")


def _check_free(visit: Visit, key: str) -> None:
    served = visit.edge.catalogue
    if key == _NEW or key in served.models or key in served.hidden:
        raise errors.BadParameter(f"There is a model {key} already.", field="key")


def _document(fields: Mapping[str, str]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": fields.get("name", "").strip(),
        "backends": _words(fields.get("backends", "")),
        "kinds": {kind: _offer(kind, fields) for kind in KINDS if f"{kind}.offered" in fields},
    }
    if prefer := fields.get("prefer", ""):
        document["prefer"] = prefer
    if seconds := fields.get("seconds_max", "").strip():
        document["seconds_max"] = _amount("seconds_max", seconds)
    return document


def _offer(kind: str, fields: Mapping[str, str]) -> dict[str, Any]:
    offer: dict[str, Any] = {}
    for field in msgspec.structs.fields(Offer):
        name = f"{kind}.{field.name}"
        text = fields.get(name, "").strip()
        if isinstance(field.default, tuple) or (field.name == "backends" and text):
            offer[field.name] = _words(text)
        elif field.type is Decimal or isinstance(field.default, int):
            if text or field.required:
                offer[field.name] = _amount(name, text)
        elif text:
            offer[field.name] = text
    return offer


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _amount(name: str, text: str) -> str:
    """A number as it was written, so that it stays exact."""
    digits = text.replace(".", "", 1)
    if not digits.isascii() or not digits.isdecimal() or len(text) > 20:
        raise errors.BadParameter("Write a number.", field=name)
    return text


async def hide(visit: Visit) -> Response:
    """Offer a model to nobody; what waits of it still runs."""
    key = visit.request.path_params["key"]
    model = visit.edge.catalogue.models.get(key)
    if model is None:
        raise errors.PageNotFound
    return await _change(visit, key, HIDE, entries.document(model), f"{key} is hidden.")


async def offer_again(visit: Visit) -> Response:
    """Offer a hidden model again, as it was."""
    key = visit.request.path_params["key"]
    model = visit.edge.catalogue.hidden.get(key)
    if model is None:
        raise errors.PageNotFound
    return await _change(visit, key, SET, entries.document(model), f"{key} is offered again.")


async def reset(visit: Visit) -> Response:
    """Let the catalogue's file say a model again."""
    key = visit.request.path_params["key"]
    return await _change(visit, key, FILE, None, f"{key} is as its file says.")


async def withdraw(visit: Visit) -> Response:
    """Take back a version to come: from its instant on holds what holds without it."""
    key = visit.request.path_params["key"]
    version = asking.number("version", (await visit.fields()).get("version"))
    async with visit.edge.database.transaction() as tx:
        history = await edits.history(tx, key)
        taken = next((one for one in history if one.version == version and one.is_to_come), None)
        if taken is None:
            raise errors.PageNotFound
        effect, document = _without(taken, history, visit.edge.catalogue.files.get(key))
        asked = Asked(
            key,
            effect,
            document,
            history[0].version,
            taken.effective_at,
            f"takes back version {version}",
        )
        await _record(tx, visit, asked)
    return visit.go(f"/admin/catalogue/{key}", f"Version {version} is taken back.")


def _without(
    taken: Edit, history: Sequence[Edit], file: Model | None
) -> tuple[str, Mapping[str, Any] | None]:
    """What holds at a version's instant without it."""
    earlier = [
        one
        for one in history
        if (one.effective_at, one.version) < (taken.effective_at, taken.version)
    ]
    if earlier:
        last = max(earlier, key=lambda one: (one.effective_at, one.version))
        return last.effect, last.document
    return (FILE, None) if file is not None else (HIDE, taken.document)


async def _change(
    visit: Visit, key: str, effect: str, document: Mapping[str, Any] | None, said: str
) -> Response:
    try:
        await _make(visit, key, effect, document)
    except errors.BadParameter as refused:
        return await show(visit, refused)
    return visit.go(f"/admin/catalogue/{key}", said)


async def _make(visit: Visit, key: str, effect: str, document: Mapping[str, Any] | None) -> int:
    """Append the version that the form asks for, and have this process say it at once."""
    fields = await visit.fields()
    asked = Asked(
        key,
        effect,
        document,
        asking.number("seen", fields.get("seen")) or 0,
        asking.instant("effective_at", fields.get("effective_at", "").strip()),
        fields.get("note", "").strip() or None,
    )
    async with visit.edge.database.transaction() as tx:
        version = await _record(tx, visit, asked)
    # The other processes read it within seconds.
    async with visit.edge.database.transaction() as tx:
        await edits.apply(tx, visit.edge.catalogue)
    return version


async def _record(tx: Transaction, visit: Visit, asked: Asked) -> int:
    who = asking.actor(visit)
    model = visit.edge.catalogue.models.get(asked.model)
    version = await edits.make(tx, asked, who.name, visit.edge.catalogue.files)
    at = asked.effective_at.isoformat() if asked.effective_at else "now"
    after = {"version": version, "effective_at": at, "document": asked.document}
    before = entries.document(model) if model else None
    deed = Deed(f"model.{asked.effect}", asked.model, None, before, after)
    await acts.record(tx, who, deed)
    return version


_ONE = "/admin/catalogue/{key}"
PAGES = (
    Page("GET", "/admin/catalogue", show_list, "admin"),
    Page("GET", _ONE, show, "admin"),
    Page("POST", _ONE, save, "admin"),
    Page("POST", f"{_ONE}/hide", hide, "admin"),
    Page("POST", f"{_ONE}/offer", offer_again, "admin"),
    Page("POST", f"{_ONE}/reset", reset, "admin"),
    Page("POST", f"{_ONE}/withdraw", withdraw, "admin"),
)
