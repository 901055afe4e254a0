"""The catalogue: every model, what it can make within which bounds, and which backends serve it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

from darkroom import errors
from darkroom.domain import ledger, paces, rates, sizes
from darkroom.domain.kinds.chat import Chat
from darkroom.domain.kinds.kind import TOKENS, Kind, several, words
from darkroom.domain.kinds.table import KINDS
from darkroom.domain.rates import Rate

# The catalogue's order, the cost that the options tell, or how fast each has been lately.
Prefer = Literal["order", "cost", "speed"]


class Offer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a model offers for one kind; `backends` where others serve it than the model's.

    No `unit` is the kind's usual one; no `images_max` as many as the kind takes. Of what is paid
    by tokens `credits` are for those that are answered, `input_credits` for those that are read,
    and an answer has `tokens_max` at most.
    """

    credits: Decimal
    unit: str = ""
    input_credits: Decimal = Decimal()
    backends: tuple[str, ...] | None = None
    aspect_ratios: tuple[str, ...] = ()
    resolutions: tuple[str, ...] = ()
    durations: tuple[Annotated[int, msgspec.Meta(ge=1, le=60)], ...] = ()
    images_max: Annotated[int, msgspec.Meta(ge=1, le=16)] | None = None
    outputs_max: Annotated[int, msgspec.Meta(ge=1, le=64)] = 8
    prompt_chars_max: Annotated[int, msgspec.Meta(ge=1, le=2000)] = 2000
    tokens_max: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 4096


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One model of the catalogue; `backends` in order of preference.

    `options` tell each backend, by its name, what this model is to it: which weights, which
    address. `prefer` is by what a backend is chosen where several serve. `seconds_max` bounds one
    attempt, from loading the model to its last output.
    """

    name: str
    kinds: dict[str, Offer]
    backends: tuple[str, ...] = ()
    options: dict[str, dict[str, Any]] = {}
    prefer: Prefer = "order"
    seconds_max: Annotated[float, msgspec.Meta(gt=0, le=86_400)] | None = None


class Order(msgspec.Struct, frozen=True):
    """A request that the catalogue accepts: how many tasks of which size, at which rate."""

    count: int
    size: sizes.Size | None
    rate: Rate
    price_mill: int
    seconds: int = 1

    @property
    def half_octaves(self) -> int:
        """The size of each task, by which its work is estimated."""
        return paces.half_octaves(self.size.pixels * self.seconds) if self.size else 0


class Served(msgspec.Struct, frozen=True):
    """Who can run the tasks of a model here, by kind and in order, and what each is told."""

    backends: Mapping[str, tuple[str, ...]]
    options: Mapping[str, Mapping[str, Any]]
    prefer: Prefer
    seconds_max: float | None


class Catalogue(msgspec.Struct):
    """All models by key, the rates in force, the installed backends, and the sandbox on or off.

    Hidden models are offered to nobody; their tasks that wait are still run. `change` replaces
    models and rates between two steps of the event loop: who reads them anew sees all of it.
    """

    models: Mapping[str, Model]
    rates: Mapping[tuple[str, str], Rate]
    backends: frozenset[str]
    sandbox: bool
    hidden: Mapping[str, Model] = msgspec.field(default_factory=dict)
    # What the catalogue's files say, without the edits over it.
    files: Mapping[str, Model] = msgspec.field(default_factory=dict)
    # The kinds that a backend does; None where nobody knows, and it is asked for any.
    kinds_of: Callable[[str], frozenset[str] | None] = lambda _: None
    # What a backend cannot do where this process's workers run, by backend and kind, and why.
    lacks: Mapping[tuple[str, str], str] = msgspec.field(default_factory=dict)
    _served: Mapping[str, Served] | None = None

    def change(
        self,
        models: Mapping[str, Model],
        hidden: Mapping[str, Model],
        in_force: Mapping[tuple[str, str], Rate],
    ) -> None:
        """Take other models and rates."""
        self.models, self.hidden, self.rates = models, hidden, in_force
        self._served = None

    def lack(self, lacks: Mapping[tuple[str, str], str]) -> None:
        """Take what the machine lacks now: a program may have been installed meanwhile."""
        if lacks != self.lacks:
            self.lacks, self._served = lacks, None

    def served(self) -> Mapping[str, Served]:
        """Every model whose tasks can be run here, hidden ones included; the same until a change.

        A worker asks before each claim, which is no time to go through all kinds of all models.
        """
        if self._served is None:
            every = (*self.models.items(), *self.hidden.items())
            self._served = {
                key: Served(backends, model.options, model.prefer, model.seconds_max)
                for key, model in every
                if (backends := self._backends(key, model))
            }
        return self._served

    def backends_of(self, key: str) -> dict[str, str]:
        """The backends that serve a model here, by kind; kinds that none serves are left out."""
        model = self.models.get(key) or self.hidden.get(key)
        return {kind: found[0] for kind, found in self._backends(key, model).items()}

    def _backends(self, key: str, model: Model | None) -> dict[str, tuple[str, ...]]:
        kinds = model.kinds if model else ()
        return {kind: found for kind in kinds if (found := self.candidates(key, kind))}

    def backend(self, key: str, kind: str) -> str | None:
        """The backend that serves a kind of a model here first, or None when none does."""
        return next(iter(self.candidates(key, kind)), None)

    def candidates(self, key: str, kind: str) -> tuple[str, ...]:
        """The backends that can serve a kind of a model here, in order of preference."""
        model = self.models.get(key) or self.hidden.get(key)
        if model is None or (offer := model.kinds.get(kind)) is None:
            return ()
        installed = tuple(
            name for name in _named(model, offer) if name in self.backends and self._can(name, kind)
        )
        built_in = KINDS[kind].built_in
        found = installed or ((built_in,) if self.sandbox and built_in else ())
        return tuple(one for one in found if (one, kind) not in self.lacks) or found

    def is_sandbox(self, key: str, kind: str) -> bool:
        """Whether a built-in backend stands in for those that a model should have."""
        model = self.models[key]
        offer = model.kinds[kind]
        return self.backend(key, kind) not in _named(model, offer)

    def _can(self, name: str, kind: str) -> bool:
        kinds = self.kinds_of(name)
        return kinds is None or kind in kinds

    def misnamed(self) -> list[str]:
        """What is named in vain: a backend for a kind that it does not do, a sentence each."""
        return [
            f"{key} names the backend {name} for {kind}, which {name} does not do."
            for key, model in self.models.items()
            for kind, offer in model.kinds.items()
            for name in _named(model, offer)
            if not self._can(name, kind)
        ]

    def order(self, kind: Kind, given: Any) -> Order:
        """Check a decoded request against its model's bounds and price it."""
        offer = self._offer(kind, given.model)
        given.check()
        _check_texts(kind, offer, given)
        count = _count(kind, offer, given)
        for name in kind.files:
            _check_count(name, len(several(getattr(given, name))), files_max(kind, offer, name))
        size = _size(kind, offer, given) if kind.size else None
        seconds = _seconds(offer, given)
        if missing := self.lacks.get((self.backend(given.model, kind.name) or "", kind.name)):
            raise errors.Unavailable(f"{missing} Nothing was charged.")
        rate = self.rates[given.model, kind.name]
        if isinstance(given, Chat):
            amount = _tokens(offer, given)
        else:
            amount = rates.Amount(
                pixels=size.pixels if size else 0,
                seconds=seconds,
                characters=sum(len(words(given, name)) for name in kind.texts),
            )
        return Order(count, size, rate, rates.price_mill(rate, amount), seconds)

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
        if self.backend(key, kind.name) is None:
            raise errors.NotOffered(
                f"{key} has no backend for {kind.name} on this server. The operator can give it "
                "one, or turn DARKROOM_SANDBOX on.",
                field="model",
            )
        return offer


def _named(model: Model, offer: Offer) -> tuple[str, ...]:
    """The backends that are to serve an offer, installed or not."""
    return model.backends if offer.backends is None else offer.backends


def _check_texts(kind: Kind, offer: Offer, given: Any) -> None:
    for name in kind.texts:
        if name == "prompt" and len(given.prompt) > offer.prompt_chars_max:
            raise errors.BadParameter(
                f"prompt has {len(given.prompt)} characters; {given.model} takes "
                f"{offer.prompt_chars_max}.",
                field="prompt",
            )


def _count(kind: Kind, offer: Offer, given: Any) -> int:
    count = int(getattr(given, kind.count_field)) if kind.count_field else 1
    if count > offer.outputs_max:
        raise errors.BadParameter(
            f"{kind.count_field} is {count}; {given.model} makes at most "
            f"{offer.outputs_max} a request.",
            field=kind.count_field,
        )
    return count


def _size(kind: Kind, offer: Offer, given: Any) -> sizes.Size:
    assert kind.size is not None
    _check_choice(kind, offer, given)
    resolution = given.resolution or next(iter(offer.resolutions), None)
    if kind.outputs == "videos" and resolution:
        resolution = sizes.FRAME_LINES.get(resolution.lower(), resolution)
    return sizes.resolve(given.aspect_ratio, resolution, kind.size)


def _seconds(offer: Offer, given: Any) -> int:
    """How long a clip is asked for; 1 for what is none."""
    seconds: int = getattr(given, "duration", 1)
    if offer.durations and seconds not in offer.durations:
        raise errors.BadParameter(
            f"duration {seconds} is not supported: {given.model} takes "
            f"{', '.join(map(str, offer.durations))} seconds.",
            field="duration",
        )
    return seconds


def _tokens(offer: Offer, given: Chat) -> rates.Amount:
    """The most that an answer may use, which is held: what it does use is known at its end."""
    _check_count("n", given.n, offer.outputs_max)
    if given.output_tokens_max > offer.tokens_max * given.n:
        raise errors.BadParameter(
            f"max_tokens is {given.output_tokens_max // given.n}; {given.model} answers at most "
            f"{offer.tokens_max}.",
            field="max_tokens",
        )
    return rates.Amount(input_tokens=given.input_tokens_max, output_tokens=given.output_tokens_max)


def _check_count(name: str, count: int, count_max: int) -> None:
    if count > count_max:
        raise errors.BadParameter(f"{name} has {count} items; at most {count_max}.", field=name)


def _check_choice(kind: Kind, offer: Offer, given: Any) -> None:
    ratios = offer.aspect_ratios
    if ratios and not given.aspect_ratio and not kind.is_ratio_open:
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


def files_max(kind: Kind, offer: Offer, name: str) -> int:
    """How many files a field takes: what the kind takes, of images no more than the model."""
    bound = kind.files[name].count_max
    return min(bound, offer.images_max or bound) if name == "images" else bound


def bounds(kind: str, offer: Offer) -> dict[str, Any]:
    """What an offer takes and makes, as callers are told."""
    takes = KINDS[kind]
    return {
        "aspect_ratios": offer.aspect_ratios,
        "resolutions": offer.resolutions,
        "durations": offer.durations,
        "images_max": files_max(takes, offer, "images") if "images" in takes.files else 0,
        "outputs_max": offer.outputs_max if takes.count_field else 1,
        "prompt_chars_max": offer.prompt_chars_max,
        "tokens_max": offer.tokens_max if unit(kind, offer) == TOKENS else 0,
    }


def unit(kind: str, offer: Offer) -> str:
    """What an offer's price is for."""
    return offer.unit or KINDS[kind].units[0]


def prices(models: Mapping[str, Model]) -> list[rates.Asked]:
    """Every price that the models ask for."""
    return [
        rates.Asked(
            key,
            kind,
            unit(kind, offer),
            ledger.mill(offer.credits),
            ledger.mill(offer.input_credits),
        )
        for key, model in models.items()
        for kind, offer in model.kinds.items()
    ]
