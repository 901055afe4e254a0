"""The playground: any kind by any model, with its price, its result and the request as code."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.responses import Response

from darkroom import errors
from darkroom.api import wire
from darkroom.console import forms, snippets
from darkroom.console.visit import Page, Visit
from darkroom.domain import galleries, tasks
from darkroom.domain.catalogue import Catalogue
from darkroom.domain.kinds.kind import Kind
from darkroom.domain.kinds.table import KINDS

# What goes on with a task is asked for where that task is.
_KINDS = {name: kind for name, kind in KINDS.items() if not kind.continues}
_FIRST = "text-to-image"


class Served(msgspec.Struct, frozen=True):
    """A model that can do a kind here: its price in mill a unit, and who serves it."""

    key: str
    name: str
    mill: int
    input_mill: int
    unit: str
    served_by: str
    is_sandbox: bool


class Quote(msgspec.Struct, frozen=True):
    """What a request would cost, in mill, or why it would be refused."""

    total_mill: int = 0
    left_mill: int = 0
    count: int = 0
    size: str = ""
    problem: errors.Refusal | None = None


async def show(visit: Visit) -> Response:
    """The whole page; what the address names is filled in, as is a task to do again."""
    given = dict(visit.request.query_params)
    if again := given.pop("from", None):
        given = await _again(visit, again) | given
    return visit.page("playground.html", **_context(visit, given), inputs=_inputs())


async def swap(visit: Visit) -> Response:
    """The form of another kind or model, with what was typed so far."""
    given = await visit.fields() | dict(visit.request.query_params)
    context = _context(visit, given)
    response = visit.fragment("playground/swap.html", **context)
    named = urlencode({"kind": context["kind"].name, "model": context["model"].key})
    response.headers["HX-Push-Url"] = f"/playground?{named}"
    return response


async def quote(visit: Visit) -> Response:
    """The price of the form as it is, and its request as code."""
    return visit.fragment("playground/quote.html", **_context(visit, await visit.fields()))


def _context(visit: Visit, given: Mapping[str, str]) -> dict[str, Any]:
    catalogue = visit.edge.catalogue
    kind = _KINDS.get(given.get("kind", ""), KINDS[_FIRST])
    served = _served(catalogue, kind)
    if not served:
        raise errors.NotOffered(
            f"No model does {kind.name} here. The operator can give one a backend, or turn "
            "DARKROOM_SANDBOX on."
        )
    by_key = {one.key: one for one in served}
    usual = by_key.get(kind.example.get("model", ""), served[0])
    model = by_key.get(given.get("model", ""), usual)
    offer = catalogue.models[model.key].kinds[kind.name]
    # A first visit finds an example; a form that was sent has at least the text of its own.
    filled = given if any(name in given for name in kind.texts) else {**_example(kind), **given}
    fields = forms.fields(kind, offer, filled)
    values = {**filled, **{one.name: one.value for one in fields}}
    body = {"model": model.key, **forms.body(fields, values)}
    base = visit.base_url
    return {
        "kind": kind,
        "kinds": list(_KINDS.values()),
        "model": model,
        "models": served,
        "fields": fields,
        "about": json.dumps(
            {one.name: [one.type, one.is_more and one.usual, one.parts] for one in fields}
        ),
        "quote": _quote(visit, kind, {**_missing(kind, fields), **body}),
        "snippets": {
            "curl": snippets.curl(base, kind, body),
            "Python": snippets.python(base, kind, body),
            "JavaScript": snippets.javascript(base, kind, body),
        },
    }


def _served(catalogue: Catalogue, kind: Kind) -> list[Served]:
    """Every model that does a kind here, those of real backends first."""
    found = []
    for key, model in catalogue.models.items():
        served_by = catalogue.backend(key, kind.name)
        if served_by is not None:
            rate = catalogue.rates[key, kind.name]
            is_sandbox = catalogue.is_sandbox(key, kind.name)
            price = (rate.mill, rate.input_mill, rate.unit)
            found.append(Served(key, model.name, *price, served_by, is_sandbox))
    return sorted(found, key=lambda one: one.is_sandbox)


def _example(kind: Kind) -> dict[str, str]:
    """The example of a kind, without the files that it only pretends to have."""
    fields = {name: value for name, value in kind.example.items() if name not in kind.files}
    return forms.filled(kind, fields)


def _missing(kind: Kind, fields: Sequence[forms.Field]) -> dict[str, Any]:
    """What a request cannot be without, from the example: a form in progress has a price too."""
    needed = [one.name for one in fields if one.is_required]
    return {name: kind.example[name] for name in needed if name in kind.example}


def _quote(visit: Visit, kind: Kind, body: Mapping[str, Any]) -> Quote:
    """The server's own price for a request, or what it says against it."""
    try:
        given = wire.convert(body, kind.input)
        order = visit.edge.catalogue.order(kind, given)
    except errors.Refusal as refused:
        return Quote(problem=refused)
    total = order.price_mill * order.count
    left = visit.signed_in.available_mill - total
    size = f"{order.size.width} × {order.size.height}" if order.size else ""
    return Quote(total, left, order.count, size)


async def _again(visit: Visit, task_id: str) -> dict[str, str]:
    """What one of the account's tasks was asked with, its own seed included."""
    async with visit.edge.database.statement() as tx:
        found = await tasks.get_many(tx, [(visit.account_id, task_id)])
        if not found:
            raise errors.TaskNotFound
        inquiry = await galleries.find(tx, visit.account_id, task_id)
    task = found[visit.account_id, task_id]
    fields = {**inquiry.input["fields"], "seed": task.seed}
    for name, references in inquiry.input["files"].items():
        fields[name] = [galleries.address(one, visit.base_url) for one in references]
    kind = KINDS[task.kind]
    filled = forms.filled(kind, fields) | {"kind": task.kind, "model": task.model}
    return filled | ({kind.count_field: "1"} if kind.count_field else {})


def _inputs() -> str:
    """Which kinds take which files: where a result can be used as an input."""
    return json.dumps(
        [
            {"kind": kind.name, "field": name, "types": sorted(files.media_types)}
            for kind in _KINDS.values()
            for name, files in kind.files.items()
        ]
    )


PAGES = (
    Page("GET", "/playground", show),
    Page("POST", "/playground/form", swap),
    Page("POST", "/playground/quote", quote),
)
