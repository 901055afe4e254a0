"""The contract of a backend, as a check that the tests of any package can call.

from darkroom.testing import backend_contract

def test_square(tmp_path):
    backend_contract.check("square", "text-to-image", {"prompt": "a lake"}, tmp_path)
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from darkroom import media
from darkroom.domain.kinds.table import KINDS
from darkroom.engine import protocol
from darkroom.engine.backends import contract, registry
from darkroom.engine.process import Process, error_of

_SIZE = {"width": 256, "height": 256}
# What a worker gives a backend to hear a cancel, before it kills the child.
_STOP_SECONDS_MAX = 5.0


class Broken(AssertionError):
    """The backend does not keep the contract."""


@dataclass(frozen=True, slots=True)
class Model:
    """The model to run: its key, and what a catalogue entry would tell the backend."""

    key: str = "TEST"
    options: Mapping[str, Any] | None = None


def check(
    backend: str,
    kind: str,
    fields: Mapping[str, Any],
    folder: Path,
    *,
    files: Mapping[str, Sequence[Path]] | None = None,
    model: Model | None = None,
) -> list[protocol.Made]:
    """Run a backend as a worker would, in a child process; the outputs of its first run.

    `fields` and `files` are those of the kind; one that is asked for a size gets 256 x 256 where
    the fields have none. Everything is written below `folder`. Raises `Broken` with what is wrong,
    and the task's own error where a run fails. One that can run tasks together runs two.
    """
    _check_declared(backend, kind)
    chosen = model or Model()
    sized = dict(_SIZE) if KINDS[kind].size else {}

    def asked(name: str) -> protocol.Run:
        (folder / name).mkdir()
        return protocol.Run(
            backend=backend,
            model=chosen.key,
            kind=kind,
            fields=sized | dict(fields),
            files={name: [str(one) for one in given] for name, given in (files or {}).items()},
            folder=str(folder / name),
            seed=7,
            options=dict(chosen.options or {}),
        )

    two = [asked("one-of-two"), asked("other-of-two")]
    return asyncio.run(_story(asked("first"), asked("canceled"), asked("again"), two))


def _check_declared(backend: str, kind: str) -> None:
    if backend not in registry.names():
        raise Broken(f'No installed package declares {backend} in the group "{registry.GROUP}".')
    made = registry.create(backend)
    if made.name != backend:
        raise Broken(f"It is declared as {backend} and calls itself {made.name}.")
    if unknown := made.kinds - KINDS.keys():
        raise Broken(f"There are no such kinds: {', '.join(sorted(unknown))}.")
    if kind not in made.kinds:
        raise Broken(f"{backend} does not say that it does {kind}.")


async def _story(
    first: protocol.Run,
    canceled: protocol.Run,
    again: protocol.Run,
    together: Sequence[protocol.Run],
) -> list[protocol.Made]:
    process = await Process.start()
    try:
        outputs = await _run(process, first)
        for one in outputs:
            _check_output(one, first)
        await _check_cancel(process, canceled)
        if [_bytes(one) for one in await _run(process, again)] != [_bytes(one) for one in outputs]:
            raise Broken("The same fields, files and seed do not make the same bytes.")
        if process.together.get(first.kind, 1) > 1:
            await _check_together(process, together)
        return outputs
    finally:
        await process.kill()


async def _check_together(process: Process, asked: Sequence[protocol.Run]) -> None:
    """What says that it runs several tasks in one call must make an output for each."""
    made: set[int] = set()
    async for told in process.run_together(asked):
        if isinstance(told, protocol.Apart):
            raise Broken("It says that it runs tasks together, and cannot run two of them.")
        if isinstance(told, protocol.Of) and isinstance(told.told, protocol.Made):
            _check_output(told.told, asked[told.number])
            made.add(told.number)
        elif isinstance(told, protocol.Of) and isinstance(told.told, protocol.Failed):
            raise error_of(told.told)
    if len(made) < len(asked):
        raise Broken("Of two tasks that run together, one ends without an output.")


async def _run(process: Process, asked: protocol.Run) -> list[protocol.Made]:
    outputs = [told async for told in process.run(asked) if isinstance(told, protocol.Made)]
    if not outputs:
        raise Broken("It ends without an output.")
    return outputs


async def _check_cancel(process: Process, asked: protocol.Run) -> None:
    """A stop that is asked for before the first step must end the run at that step."""

    async def stopped() -> None:
        running = process.run(asked)
        # Held for a moment, so that the wish is there when the quickest of models begins.
        os.kill(process.pid, signal.SIGSTOP)
        step = asyncio.ensure_future(anext(running))
        await asyncio.sleep(0)
        process.cancel()
        os.kill(process.pid, signal.SIGCONT)
        await step
        async for _ in running:
            pass

    try:
        await asyncio.wait_for(stopped(), _STOP_SECONDS_MAX)
    except contract.Canceled:
        return
    except TimeoutError:
        raise Broken(f"A cancel is not heard in {_STOP_SECONDS_MAX:g} seconds.") from None
    raise Broken("A cancel is not heard: call context.progress before and while it works.")


def _check_output(made: protocol.Made, asked: protocol.Run) -> None:
    path = Path(made.path)
    if Path(asked.folder).resolve() not in path.resolve().parents or not path.is_file():
        raise Broken(f"{path} is no file of the task's folder.")
    with path.open("rb") as stream:
        sniffed = media.sniff(stream.read(media.SNIFF_BYTES))
    if made.media_type not in media.EXTENSIONS:
        raise Broken(f"{made.media_type} is no type that results can have.")
    if sniffed in media.EXTENSIONS and sniffed != made.media_type:
        raise Broken(f"{path.name} is {sniffed}, and is called {made.media_type}.")
    if made.media_type.startswith("image/"):
        with Image.open(path) as picture:
            picture.load()
            if picture.size != (made.width, made.height):
                raise Broken(
                    f"{path.name} has {picture.width} x {picture.height} pixels, and is told to "
                    f"have {made.width} x {made.height}."
                )


def _bytes(made: protocol.Made) -> bytes:
    return Path(made.path).read_bytes()
