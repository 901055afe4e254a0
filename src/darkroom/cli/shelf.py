"""The local catalogue in the form in which a server lists its models."""

from __future__ import annotations

import os
from typing import Any

from darkroom import config
from darkroom.cli import house
from darkroom.domain import ledger
from darkroom.domain.catalogue import Catalogue, Offer
from darkroom.engine.backends import registry


def models() -> list[dict[str, Any]]:
    """The shipped models and the operator's, those that nobody serves included."""
    settings = config.load({}, os.environ)
    known = house.read_models(settings)
    catalogue = Catalogue(known, {}, registry.names(), settings.sandbox)
    return [
        {
            "model": key,
            "name": model.name,
            "served_by": catalogue.backend(key),
            "kinds": {kind: _shown(offer) for kind, offer in model.kinds.items()},
        }
        for key, model in known.items()
    ]


def _shown(offer: Offer) -> dict[str, Any]:
    mill = ledger.mill(offer.credits)
    return {
        "aspect_ratios": offer.aspect_ratios,
        "resolutions": offer.resolutions,
        "images_max": offer.images_max,
        "outputs_max": offer.outputs_max,
        "prompt_chars_max": offer.prompt_chars_max,
        "rate": {"credits": ledger.credits_of(mill), "mill": mill, "unit": offer.unit},
    }
