"""The catalogue: every model, what it can make within which bounds, and which backends serve it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from darkroom import errors
from darkroom.domain import ledger, paces, rates, sizes
from darkroom.domain.kinds.kind import Kind
from darkroom.domain.kinds.table import KINDS
from darkroom.domain.rates import Rate

# The built-in backend that serves every model while the sandbox is on.
SANDBOX_BACKEND = "painter"
UNITS = ("image", "megapixel")
_KEY = re.compile(r"[A-Za-z0-9._-]{1,100}")


class Offer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a model offers for one kind."""

    credits: Decimal
    unit: str = "image"
    aspect_ratios: tuple[str, ...] = ()
    resolutions: tuple[str, ...] = ()
    images_max: Annotated[int, msgspec.Meta(ge=1, le=16)] = 8
    outputs_max: Annotated[int, msgspec.Meta(ge=1, le=64)] = 8
    prompt_chars_max: Annotated[int, msgspec.Meta(ge=1, le=2000)] = 2000


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One model of the catalogue; `backends` in order of preference.

    `seconds_max` bounds one task in a child, from loading the model to its last output.
    """

    name: str
    kinds: dict[str, Offer]
    backends: tuple[str, ...] = ()
    seconds_max: Annotated[float, msgspec.Meta(gt=0, le=86_400)] | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A request that the catalogue accepts: how many tasks of which size, at which rate."""

    count: int
    size: sizes.Size
    rate: Rate
    price_mill: int

    @property
    def half_octaves(self) -> int:
        """The size of each task, by which its work is estimated."""
        return paces.half_octaves(self.size.pixels)


@dataclass(frozen=True, slots=True)
class Served:
    """Who runs the tasks of a model here, and the seconds that one may take, if it has a bound."""

    backend: str
    seconds_max: float | None


@dataclass(slots=True)
class Catalogue:
    """All models by key, the rates in force, the installed backends, and the sandbox on or off.

    Hidden models are offered to nobody; their tasks that wait are still run. `change` replaces
    models and rates between two steps of the event loop: who reads them anew sees all of it.
    """

    models: Mapping[str, Model]
    rates: Mapping[tuple[str, str], Rate]
    backends: frozenset[str]
    sandbox: bool
    hidden: Mapping[str, Model] = field(default_factory=dict)
    # What the catalogue's files say, without the edits over it.
    files: Mapping[str, Model] = field(default_factory=dict)

    def change(
        self,
        models: Mapping[str, Model],
        hidden: Mapping[str, Model],
        in_force: Mapping[tuple[str, str], Rate],
    ) -> None:
        """Take other models and rates."""
        self.models, self.hidden, self.rates = models, hidden, in_force

    def served(self) -> dict[str, Served]:
        """Every model whose tasks can be run here, hidden ones included."""
        every = (*self.models.items(), *self.hidden.items())
        return {
            key: Served(backend, model.seconds_max)
            for key, model in every
            if (backend := self.backend(key)) is not None
        }

    def backend(self, key: str) -> str | None:
        """The backend that serves a model here, or None when none does."""
        model = self.models.get(key) or self.hidden.get(key)
        if model is None:
            return None
        for name in model.backends:
            if name in self.backends:
                return name
        return SANDBOX_BACKEND if self.sandbox else None

    def order(self, kind: Kind, given: Any) -> Order:
        """Check a decoded request against its model's bounds and price it."""
        offer = self._offer(kind, given.model)
        if len(given.prompt) > offer.prompt_chars_max:
            raise errors.BadParameter(
                f"prompt has {len(given.prompt)} characters; {given.model} takes "
                f"{offer.prompt_chars_max}.",
                field="prompt",
            )
        count = getattr(given, kind.count_field)
        if count > offer.outputs_max:
            raise errors.BadParameter(
                f"{kind.count_field} is {count}; {given.model} makes at most "
                f"{offer.outputs_max} a request.",
                field=kind.count_field,
            )
        for name, files in kind.files.items():
            _check_count(name, len(getattr(given, name)), min(files.count_max, offer.images_max))
        _check_choice(offer, given)
        first = next(iter(offer.resolutions), None)
        size = sizes.resolve(given.aspect_ratio, given.resolution or first)
        rate = self.rates[given.model, kind.name]
        return Order(count, size, rate, rates.price_mill(rate, size))

    def _offer(self, kind: Kind, key: str) -> Offer:
        model = self.models.get(key)
        if model is None:
            raise errors.UnknownModel(
                f'model "{key}" is not known. GET /v1/models lists the models.', field="model"
            )
        offer = model.kinds.get(kind.name)
        if offer is None:
            raise errors.UnknownModel(
                f"{key} does not do {kind.name}, only {', '.join(model.kinds)}.", field="model"
            )
        if self.backend(key) is None:
            raise errors.NotOffered(
                f"{key} has no backend on this server. The operator can give it one, or turn "
                "DARKROOM_SANDBOX on.",
                field="model",
            )
        return offer


def _check_count(name: str, count: int, count_max: int) -> None:
    if count > count_max:
        raise errors.BadParameter(f"{name} has {count} items; at most {count_max}.", field=name)


def _check_choice(offer: Offer, given: Any) -> None:
    ratios = offer.aspect_ratios
    if ratios and not given.aspect_ratio:
        raise errors.AspectRatioRefused(
            f"aspect ratio cannot be empty: {given.model} takes {', '.join(ratios)}.",
            field="aspect_ratio",
        )
    if ratios and given.aspect_ratio and given.aspect_ratio not in ratios:
        raise errors.AspectRatioRefused(
            f"aspect ratio {given.aspect_ratio} is not supported: {given.model} takes "
            f"{', '.join(ratios)}.",
            field="aspect_ratio",
        )
    resolutions = [one.lower() for one in offer.resolutions]
    if resolutions and given.resolution and given.resolution.lower() not in resolutions:
        raise errors.BadParameter(
            f"resolution {given.resolution} is not supported: {given.model} takes "
            f"{', '.join(offer.resolutions)}.",
            field="resolution",
        )


def parse(text: str, origin: str) -> dict[str, Model]:
    """Models from a catalogue file's text; `origin` names the file in an error."""
    try:
        models = msgspec.convert(tomllib.loads(text), dict[str, Model], strict=False)
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


def _check_offer(kind: str, offer: Offer) -> None:
    if kind not in KINDS:
        raise errors.BadParameter(f"There is no kind {kind}.")
    if offer.unit not in UNITS:
        raise errors.BadParameter(f'"{offer.unit}" is no unit of a price.')
    if not 0 <= ledger.mill(offer.credits) <= ledger.GRANT_MILL_MAX:
        raise errors.BadParameter(f"{offer.credits} credits is no price.")
    for ratio in offer.aspect_ratios:
        sizes.resolve(ratio, None)
    for resolution in offer.resolutions:
        sizes.resolve(None, resolution)


def prices(models: Mapping[str, Model]) -> list[rates.Asked]:
    """Every price that the models ask for."""
    return [
        rates.Asked(key, kind, offer.unit, ledger.mill(offer.credits))
        for key, model in models.items()
        for kind, offer in model.kinds.items()
    ]
