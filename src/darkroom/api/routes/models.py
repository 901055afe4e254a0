"""Models: the catalogue with its bounds and rates, as a caller may use it."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from darkroom import errors
from darkroom.api import wire
from darkroom.api.call import Call, Route
from darkroom.api.dialects import foreign
from darkroom.api.dialects.refusals import OPENAI
from darkroom.domain import ledger, spellings
from darkroom.domain.catalogue import Catalogue, Model, bounds
from darkroom.domain.kinds.table import KINDS
from darkroom.domain.rates import Rate

# What an OpenAI client reads of one model.
_THEIRS = ("id", "object", "created", "owned_by")


async def list_models(call: Call) -> Response:
    """Every model that this server serves, by key: our list, and OpenAI's."""
    catalogue = call.edge.catalogue
    shown = [
        _shown(key, model, catalogue)
        for key, model in catalogue.models.items()
        if catalogue.backends_of(key)
    ]
    return _both(call, shown, {"object": "list"})


async def get_model(call: Call) -> Response:
    """One model by its key in any spelling, as both wires tell of it."""
    catalogue = call.edge.catalogue
    key = foreign.find_model(call, call.request.path_params["model"], KINDS.keys())
    shown = _shown(key, catalogue.models[key], catalogue)
    return _both(call, shown, {name: shown[name] for name in _THEIRS})


def _both(call: Call, data: Any, theirs: dict[str, Any]) -> Response:
    """An envelope that is what OpenAI's clients expect as well."""
    body = spellings.envelope(data, call.trace.request_id) | theirs
    return wire.Json(spellings.encode(body), 200, {})


def _shown(key: str, model: Model, catalogue: Catalogue) -> dict[str, Any]:
    since = min(catalogue.rates[key, kind].effective_at for kind in model.kinds)
    return {
        "model": key,
        "id": key,
        "object": "model",
        "created": int(since.timestamp()),
        "owned_by": "darkroom",
        "name": model.name,
        "kinds": {
            kind: {
                "served_by": served_by,
                **bounds(kind, model.kinds[kind]),
                "rate": _rate(catalogue.rates[key, kind]),
            }
            for kind, served_by in catalogue.backends_of(key).items()
        },
    }


def _rate(rate: Rate) -> dict[str, Any]:
    """A price; the second, of what is read, is none but for tokens."""
    return {
        "credits": ledger.credits_of(rate.mill),
        "mill": rate.mill,
        "input_credits": ledger.credits_of(rate.input_mill),
        "input_mill": rate.input_mill,
        "unit": rate.unit,
        "version": rate.id,
        "since": spellings.instant(rate.effective_at),
    }


ROUTES = (
    Route(
        "GET",
        "/v1/models",
        list_models,
        "Every model with its bounds and its rate.",
        needs_key=False,
    ),
    Route(
        "GET",
        "/v1/models/{model}",
        get_model,
        "One model with its bounds and its rate.",
        (errors.UnknownModel,),
        needs_key=False,
        wording=OPENAI,
    ),
)
