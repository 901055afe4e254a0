"""What a worker and its child say to each other: tagged messages, each behind its length."""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from darkroom.engine.backends import contract

# A message is words about files, or a small picture of one: more than this is a mistake.
MESSAGE_BYTES_MAX = 4 * 2**20
LENGTH = struct.Struct(">I")


class Run(msgspec.Struct, frozen=True, tag=True):
    """Worker to child: run this task; files travel as paths."""

    backend: str
    model: str
    kind: str
    fields: dict[str, Any]
    files: dict[str, list[str]]
    folder: str
    seed: int
    options: dict[str, Any] = {}


class Together(msgspec.Struct, frozen=True, tag=True):
    """Worker to child: run these alike tasks in one call; what is told of each has its number.

    The numbers are their places in the list, from 0 on.
    """

    runs: list[Run]


class Warm(msgspec.Struct, frozen=True, tag=True):
    """Worker to child: load this backend now, a task will come."""

    backend: str
    model: str
    options: dict[str, Any] = {}


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """Worker to child: stop the running task at its next step; of several, the one of a number."""

    number: int = 0


class Begun(msgspec.Struct, frozen=True, tag=True):
    """Child to worker: the task is taken up; a death before this is none of its doing."""


class Loaded(msgspec.Struct, frozen=True, tag=True):
    """Child to worker: the task's model is loaded, after so many seconds.

    `held` are the models that backends keep beside it, each with the seconds that loading took,
    and `together` the kinds of which it runs more than one task in one call, with how many.
    """

    seconds: float
    held: dict[str, float] = {}
    together: dict[str, int] = {}


class Progress(msgspec.Struct, frozen=True, tag=True):
    """Child to worker: how much of the task is done, 0 to 1; of several, how much of each."""

    fraction: float


class Preview(msgspec.Struct, frozen=True, tag=True):
    """Child to worker: what the task looks like so far, a picture of 2 MiB at most."""

    picture: bytes


class Made(msgspec.Struct, frozen=True, tag=True):
    """Child to worker: one output is whole."""

    path: str
    media_type: str
    width: int | None
    height: int | None
    notes: dict[str, Any]
    likeness: int | None = None


class Done(msgspec.Struct, frozen=True, tag=True):
    """Child to worker: the task ended well."""


class Failed(msgspec.Struct, frozen=True, tag=True):
    """Child to worker: the task ended badly, with a class of `errors.TaskError`."""

    error: str
    message: str


class Canceled(msgspec.Struct, frozen=True, tag=True):
    """Child to worker: the task stopped because it was asked to."""


Told = Progress | Preview | Made | Done | Failed | Canceled


class Of(msgspec.Struct, frozen=True, tag=True):
    """Child to worker: something about one of several tasks; `Done` by itself ends them all."""

    number: int
    told: Told


class Apart(msgspec.Struct, frozen=True, tag=True):
    """Child to worker: they could not run in one call, and run one after another instead."""


ToChild = Run | Together | Warm | Cancel
ToWorker = Begun | Loaded | Told | Of | Apart


def made(output: contract.Output) -> Made:
    """An output as it is told."""
    return Made(
        str(output.path),
        output.media_type,
        output.width,
        output.height,
        dict(output.notes),
        output.likeness,
    )


# What is told of a task while it runs.
News = Progress | Preview | Made

_encoder = msgspec.msgpack.Encoder()
to_child: msgspec.msgpack.Decoder[ToChild] = msgspec.msgpack.Decoder(ToChild)
to_worker: msgspec.msgpack.Decoder[ToWorker] = msgspec.msgpack.Decoder(ToWorker)


def encode(message: ToChild | ToWorker) -> bytes:
    """A message with its length before it: four bytes, big-endian, then MessagePack."""
    body = _encoder.encode(message)
    assert len(body) <= MESSAGE_BYTES_MAX, f"a message of {len(body)} bytes"
    return LENGTH.pack(len(body)) + body
