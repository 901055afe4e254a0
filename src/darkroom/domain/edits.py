"""Edits: what admins say of models over the catalogue's files, each from an instant on.

Of a model's edits that are in force the last one holds, by its instant, then by its version. All
processes read them again and again, and wake for the next that is to come into force, so that a
price is charged from its instant on by the database's clock.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from darkroom import errors
from darkroom.domain import catalogue, entries, rates
from darkroom.domain.catalogue import Catalogue, Model
from darkroom.storage.database import Transaction, jsonb

_log = logging.getLogger(__name__)

# What an edit does: says the model's document, offers it to nobody, or lets the file say it again.
SET, HIDE, FILE = "set", "hide", "file"


class Edit(msgspec.Struct, frozen=True):
    """One version of a model; `document` None where the catalogue's file says it."""

    model: str
    version: int
    effect: str
    document: dict[str, Any] | None
    effective_at: datetime
    author: str
    note: str | None
    created_at: datetime
    is_in_force: bool
    is_to_come: bool


class Asked(msgspec.Struct, frozen=True):
    """A new version of a model, made by who saw the version `seen` last.

    `effective_at` None: from now on.
    """

    model: str
    effect: str
    document: Mapping[str, Any] | None
    seen: int
    effective_at: datetime | None = None
    note: str | None = None


class Reading(msgspec.Struct, frozen=True):
    """How far the edits and rates in force have come, and the seconds until the next is."""

    edits: int
    rates: int
    next_seconds: float | None


class _Made(msgspec.Struct, frozen=True):
    is_past: bool
    version: int | None


class Held(msgspec.Struct, frozen=True):
    """What is said of a model by its edit in force."""

    model: str
    effect: str
    document: dict[str, Any] | None


async def make(tx: Transaction, asked: Asked, author: str, files: Mapping[str, Model]) -> int:
    """Append a version with its prices; answers its number. `files` are the models of the files."""
    model = _checked(asked, files)
    document = None if asked.effect == FILE else jsonb(entries.document(model))
    if asked.note is not None and len(asked.note) > 500:
        raise errors.BadParameter("A note has at most 500 characters.", field="note")
    made = await tx.one(
        _Made,
        "edits.insert",
        model=asked.model,
        effect=asked.effect,
        document=document,
        version=asked.seen + 1,
        effective_at=asked.effective_at,
        author=author,
        note=asked.note,
    )
    if made.is_past:
        raise errors.BadParameter(
            "This instant has passed: leave it empty to change the model now.",
            field="effective_at",
        )
    if made.version is None:
        raise errors.BadParameter(
            "Somebody else has edited this model meanwhile: load it again, and repeat your edit."
        )
    await rates.schedule(tx, catalogue.prices({asked.model: model}), asked.effective_at)
    return made.version


def _checked(asked: Asked, files: Mapping[str, Model]) -> Model:
    if asked.effect == FILE:
        if asked.model not in files:
            raise errors.BadParameter(f"No catalogue file has {asked.model}: hide it instead.")
        return files[asked.model]
    return entries.read(asked.model, asked.document or {})


async def history(tx: Transaction, model: str, *, rows_max: int = 100) -> list[Edit]:
    """A model's versions, the last first."""
    return await tx.all(Edit, "edits.list", model=model, rows_max=rows_max)


async def list_all(tx: Transaction, *, rows_max: int = 1000) -> list[Edit]:
    """Of every model that was edited what is in force and what is to come, by model."""
    return await tx.all(Edit, "edits.current", rows_max=rows_max)


async def read(tx: Transaction) -> Reading:
    """How far the edits and rates in force have come: the same twice means the same catalogue."""
    return await tx.one(Reading, "edits.reading")


async def publish(tx: Transaction, served: Catalogue) -> None:
    """Have a catalogue begin: publish the prices of what its files and the edits in force say."""
    models, hidden = over(served.files, await in_force(tx))
    served.change(models, hidden, await rates.publish(tx, catalogue.prices(models)))


async def apply(tx: Transaction, served: Catalogue) -> None:
    """Have a catalogue say what its files and the edits in force say, at the rates in force."""
    # Edits come first: a rate that is made between the two reads is one more than is asked for.
    models, hidden = over(served.files, await in_force(tx))
    served.change(models, hidden, await rates.in_force(tx))


async def in_force(tx: Transaction) -> list[Held]:
    """What is said of models by the edits in force."""
    return await tx.all(Held, "edits.in_force")


def over(
    files: Mapping[str, Model], held: Sequence[Held]
) -> tuple[dict[str, Model], dict[str, Model]]:
    """The models offered and the hidden ones: those of the files, with edits over them.

    What backends are told stays the files': it names paths, addresses and keys of the workers,
    which are for who has the machine.
    """
    models, hidden = dict(files), {}
    for one in held:
        if one.document is None:
            continue
        try:
            read = entries.read(one.model, one.document)
        except errors.BadParameter as exc:
            # Made by another release: one model less must not keep a process from starting.
            _log.error("the edit of %s in force cannot be read: %s", one.model, exc)
            continue
        in_file = files.get(one.model)
        model = replace(read, options=in_file.options if in_file else {})
        if one.effect == HIDE:
            models.pop(one.model, None)
            hidden[one.model] = model
        else:
            models[one.model] = model
    return models, hidden
