"""Entries: a model as a catalogue's file or an edit says it, checked by the same rules."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

import msgspec

from darkroom import errors
from darkroom.domain import ledger, sizes
from darkroom.domain.catalogue import Model, Offer, unit
from darkroom.domain.kinds.kind import TOKENS
from darkroom.domain.kinds.table import KINDS

_KEY = re.compile(r"[A-Za-z0-9._-]{1,100}")


def parse(text: str, origin: str, shipped: Mapping[str, Model] | None = None) -> dict[str, Model]:
    """Models from a catalogue file's text; `origin` names the file in an error.

    An entry without a name says only what is other than in the shipped model of its key.
    """
    try:
        said = tomllib.loads(text)
        for key, entry in said.items():
            if shipped and key in shipped and isinstance(entry, dict) and "name" not in entry:
                said[key] = _laid(entry, document(shipped[key]))
        models = msgspec.convert(said, dict[str, Model], strict=False)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as exc:
        raise errors.ConfigInvalid(f"{origin} is not a catalogue: {exc}") from exc
    for key, model in models.items():
        for kind, offer in model.kinds.items():
            try:
                _check_offer(kind, offer)
            except errors.BadParameter as exc:
                raise errors.ConfigInvalid(f"{origin}: {key}, {kind}: {exc}") from exc
    return models


def read(key: str, document: Mapping[str, Any]) -> Model:
    """One model from its document, under the same rules as a file's; raises `BadParameter`."""
    if not _KEY.fullmatch(key):
        raise errors.BadParameter(
            "A model's key has 1 to 100 letters, digits, dots, dashes or underscores.", field="key"
        )
    try:
        model = msgspec.convert(document, Model, strict=False)
    except msgspec.ValidationError as exc:
        raise errors.BadParameter(f"{key}: {exc}") from exc
    if not model.name.strip() or not model.kinds:
        raise errors.BadParameter(f"{key} needs a name, and a kind that it offers.", field="name")
    for kind, offer in model.kinds.items():
        try:
            _check_offer(kind, offer)
        except errors.BadParameter as exc:
            raise errors.BadParameter(f"{kind}: {exc}", field=kind) from exc
    return model


def document(model: Model) -> dict[str, Any]:
    """A model as `read` takes it; amounts as texts, so that they stay exact."""
    shown: dict[str, Any] = msgspec.to_builtins(model)
    return shown


def _laid(entry: Mapping[str, Any], below: Mapping[str, Any]) -> dict[str, Any]:
    """An entry over another: each of its kinds, what it tells each backend, and its other lines."""
    both = {
        name: {**below[name], **entry[name]}
        for name in ("kinds", "options")
        if isinstance(entry.get(name), dict)
    }
    return {**below, **entry, **both}


def _check_offer(kind: str, offer: Offer) -> None:
    if kind not in KINDS:
        raise errors.BadParameter(f"There is no kind {kind}.")
    if (offer.unit or KINDS[kind].units[0]) not in KINDS[kind].units:
        raise errors.BadParameter(f'"{offer.unit}" is no unit of a price of {kind}.')
    for amount in (offer.credits, offer.input_credits):
        if not 0 <= ledger.mill(amount) <= ledger.GRANT_MILL_MAX:
            raise errors.BadParameter(f"{amount} credits is no price.")
    if offer.input_credits and unit(kind, offer) != TOKENS:
        raise errors.BadParameter("input_credits: only what is paid by tokens has two prices.")
    for ratio in offer.aspect_ratios:
        sizes.resolve(ratio, None)
    for resolution in offer.resolutions:
        sizes.resolve(None, resolution)
