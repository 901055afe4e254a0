"""Models: the catalogue with its bounds and rates, as a caller may use it."""

from __future__ import annotations

from typing import Any

from darkroom.api.call import Call, Route
from darkroom.domain import ledger, spellings
from darkroom.domain.catalogue import Catalogue, Model, bounds
from darkroom.domain.rates import Rate


async def list_models(call: Call) -> Any:
    """Every model that this server serves, by key."""
    catalogue = call.edge.catalogue
    return [
        _shown(key, model, catalogue)
        for key, model in catalogue.models.items()
        if catalogue.backends_of(key)
    ]


def _shown(key: str, model: Model, catalogue: Catalogue) -> dict[str, Any]:
    return {
        "model": key,
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
)
