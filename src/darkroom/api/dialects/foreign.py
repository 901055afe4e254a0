"""What a foreign wire asks for, as a kind of ours and its fields; and what became of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec.structs

from darkroom import errors
from darkroom.api.call import Call
from darkroom.api.dialects import shapes
from darkroom.api.routes import generation
from darkroom.domain import endings, ledger, sizes, tasks
from darkroom.domain.catalogue import Offer
from darkroom.domain.kinds.kind import Kind
from darkroom.domain.kinds.table import KINDS

# Of those that there are, in a refusal.
_MODELS_NAMED_MAX = 20
_PLAIN = re.compile("[^a-z0-9]")
_SIZE = re.compile(r"([1-9]\d{0,4})\s?[x*]\s?([1-9]\d{0,4})")
# Whole numbers of ours, which others may send as texts: "4", "5s".
_NUMBERS = frozenset({"image_number", "video_number", "duration", "seed", "deadline_seconds"})
_NUMBER = re.compile(r"(\d{1,10})s?")


class Words(msgspec.Struct, frozen=True):
    """The fields of another wire.

    `names` are ours by theirs; `shaped` are those that become several of ours. Of `hints` nothing
    is made: they say how, which models here decide themselves. What is `fixed` may be sent as it is
    anyway, and is refused otherwise.
    """

    names: Mapping[str, str] = msgspec.field(default_factory=dict)
    shaped: Collection[str] = ()
    hints: Collection[str] = ()
    fixed: Mapping[str, Collection[Any]] = msgspec.field(default_factory=dict)


class Asked(msgspec.Struct):
    """A request of another wire: a kind, a model's key, fields, and what those are called there."""

    kind: Kind
    model: str
    fields: dict[str, Any]
    names: dict[str, str] = msgspec.field(default_factory=dict)

    def usual_seconds(self, call: Call, seconds: int) -> None:
        """Ask for a clip of so many seconds, or of the shortest that the model makes."""
        offer = self._offer(call)
        durations = offer.durations if offer else ()
        usual = seconds if seconds in (durations or (seconds,)) else min(durations)
        self.fields.setdefault("duration", usual)

    def resize(self, call: Call, size: sizes.Size | None, *, field: str) -> None:
        """Ask for so many pixels, or leave the size to the model."""
        offer = self._offer(call)
        if twice := self.fields.keys() & {"aspect_ratio", "resolution"}:
            if size is not None:
                raise errors.BadParameter(
                    f"{field} and {min(twice)} both say how large: send only one.", field=field
                )
            return
        if offer is None:
            return
        self.names |= {"resolution": field, "aspect_ratio": field}
        self.fields |= (
            shapes.usual(self.kind, offer)
            if size is None
            else shapes.fit(self.kind, offer, size, field=field)
        )

    def _offer(self, call: Call) -> Offer | None:
        return call.edge.catalogue.models[self.model].kinds.get(self.kind.name)


def find_model(call: Call, name: Any, kinds: Collection[str]) -> str:
    """The key of a model by its name in any spelling: gpt-image-2 is GPT_IMAGE_2.

    Raises `UnknownModel`, which names those that do one of the kinds.
    """
    models = call.edge.catalogue.models
    if not isinstance(name, str) or not name:
        raise errors.BadParameter(
            "model cannot be empty: name one of GET /v1/models.", field="model"
        )
    if name in models:
        return name
    wanted = plain(name)
    for key in models:
        if plain(key) == wanted:
            return key
    able = [key for key in models if kinds & call.edge.catalogue.backends_of(key).keys()]
    more = len(able) - _MODELS_NAMED_MAX
    raise errors.UnknownModel(
        f'The model "{name[:100]}" is not known here. '
        f"{', '.join(able[:_MODELS_NAMED_MAX]) or 'None'}{f' and {more} more' if more > 0 else ''} "
        "can make this; GET /v1/models lists all. The operator can give a model that name.",
        field="model",
    )


def plain(name: str) -> str:
    """A name without its case and punctuation."""
    return _PLAIN.sub("", name.lower())


def read(kind: Kind, model: str, given: Mapping[str, Any], words: Words) -> Asked:
    """The fields of a request, of which the model's name and the inputs were taken already.

    Raises `BadParameter` for what would not come true.
    """
    own = {one.name for one in msgspec.structs.fields(kind.input)} - {"model", *kind.files}
    asked = Asked(kind, model, {"model": model})
    for theirs, value in given.items():
        ours = theirs if theirs in own else words.names.get(theirs, theirs)
        if theirs in words.hints:
            continue
        if theirs in words.fixed:
            _check_fixed(theirs, value, words.fixed[theirs])
        elif ours in own:
            asked.fields[ours] = _number(value) if ours in _NUMBERS else value
            asked.names[ours] = theirs
        else:
            known = {name for name, meant in words.names.items() if meant in own}
            taken = sorted(own - {*words.names.values()} | known | {*words.shaped})
            raise errors.BadParameter(
                f"{theirs[:100]} is not taken: {kind.name} takes {', '.join(taken)}.",
                field=theirs[:100],
            )
    return asked


def _check_fixed(name: str, value: Any, choices: Collection[Any]) -> None:
    if value not in choices:
        said = " or ".join(str(one).lower() for one in choices) or "nothing"
        raise errors.BadParameter(
            f"{name} {str(value)[:100]} is not made here, only {said}.", field=name
        )


def _number(value: Any) -> Any:
    match = _NUMBER.fullmatch(value) if isinstance(value, str) else None
    return int(match[1]) if match else value


def size_of(text: str, *, field: str) -> sizes.Size:
    """The size that a text such as 1024x1024 says."""
    match = _SIZE.fullmatch(text.lower())
    if match is None:
        raise errors.BadParameter(
            f"{field} {text[:40]} is not understood: send such as 1024x1024.", field=field
        )
    return sizes.Size(int(match[1]), int(match[2]))


def show(asked: Asked, ours: str, addresses: Sequence[str], *, name: str) -> None:
    """Put the addresses of input files into a field of ours."""
    if ours not in asked.kind.files:
        raise errors.BadParameter(f"{asked.kind.name} takes no {name}.", field=name)
    rule = asked.kind.files[ours]
    if len(addresses) > rule.count_max:
        raise errors.BadParameter(
            f"{name} has {len(addresses)} items; at most {rule.count_max}.", field=name
        )
    asked.fields[ours] = [*addresses] if rule.count_max > 1 else addresses[0]
    asked.names[ours] = name


async def place(call: Call, asked: Asked, *, dialect: str = "") -> tasks.Batch:
    """Queue what is asked for; a refusal names the field as its caller does.

    A webhook is told in the words of the `dialect`, if one is named.
    """
    try:
        batch, _ = await generation.place(call, asked.kind, asked.fields, None, dialect)
    except errors.Refusal as refused:
        refused.field = asked.names.get(refused.field or "", refused.field)
        raise
    return batch


async def together(call: Call, task: tasks.Task) -> list[tasks.Task]:
    """All tasks of a task's request, in their order; only that one while it goes on."""
    if not task.is_ended:
        return [task]
    async with call.edge.database.statement() as tx:
        found = await tasks.of_batch(tx, call.principal.account_id, task.batch_id)
    return sorted(found, key=lambda one: one.id != task.id)


async def stop(call: Call, batch_id: int) -> list[str]:
    """Take back what was asked for, as far as it has not ended; answers the ids of its tasks."""
    async with call.edge.database.statement() as tx:
        found = await tasks.of_batch(tx, call.principal.account_id, batch_id)
    # Those that wait come first: a worker that a stopped one leaves free would begin them.
    for task in sorted(found, key=lambda one: one.status != tasks.PENDING):
        if not task.is_ended:
            async with call.edge.database.transaction() as tx:
                await endings.cancel(tx, call.principal.account_id, task.id)
    return [task.id for task in found]


def first_kind(call: Call, model: str) -> Kind:
    """The kind that a model is for first; raises `NotOffered` where it does none here."""
    for name in call.edge.catalogue.backends_of(model):
        return KINDS[name]
    raise errors.NotOffered(f"{model} has no backend on this server.", field="model")


def told(done: Sequence[tasks.Task]) -> dict[str, Any]:
    """What every wire's answer tells beside its own fields: our ids, the cost, who made it."""
    mill = sum(one.price_mill if one.charged_mill is None else one.charged_mill for one in done)
    return {
        "task_ids": [one.id for one in done],
        "cost": ledger.credits_of(mill),
        "cost_mill": mill,
        "served_by": done[0].served_by,
    }


async def wanted(call: Call, batch_id: int) -> dict[str, Any]:
    """The fields that a batch was asked for; none of one that was deleted."""
    async with call.edge.database.statement() as tx:
        asked = await tasks.asked_of(tx, call.principal.account_id, batch_id)
    fields: dict[str, Any] = asked.input.get("fields", {}) if asked and asked.input else {}
    return fields
