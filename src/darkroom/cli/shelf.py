"""The local catalogue in the form in which a server lists its models."""

from __future__ import annotations

import os
from typing import Any

from darkroom import config
from darkroom.cli import house
from darkroom.domain import catalogue, ledger
from darkroom.domain.catalogue import Catalogue, Offer
from darkroom.engine.backends import registry


def models() -> list[dict[str, Any]]:
    """The shipped models and the operator's, those that nobody serves included."""
    settings = config.load({}, os.environ)
    known = house.read_models(settings)
    shelf = Catalogue(known, {}, registry.names(), settings.sandbox, kinds_of=registry.kinds_of)
    return [
        {
            "model": key,
            "name": model.name,
            "kinds": {
                kind: {"served_by": shelf.backend(key, kind), **_shown(kind, offer)}
                for kind, offer in model.kinds.items()
            },
        }
        for key, model in known.items()
    ]


def _shown(kind: str, offer: Offer) -> dict[str, Any]:
    mill, input_mill = ledger.mill(offer.credits), ledger.mill(offer.input_credits)
    rate = {
        "credits": ledger.credits_of(mill),
        "mill": mill,
        "input_credits": ledger.credits_of(input_mill),
        "input_mill": input_mill,
        "unit": catalogue.unit(kind, offer),
    }
    return {**catalogue.bounds(kind, offer), "rate": rate}
