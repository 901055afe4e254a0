"""ComfyUI: an operator's workflows, run on ComfyUIs of their own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

from darkroom import errors
from darkroom.domain.kinds.table import KINDS
from darkroom.engine.backends.comfyui import options as told
from darkroom.engine.backends.comfyui import outputs, refusals, wire, workflow
from darkroom.engine.backends.comfyui.pool import Pool
from darkroom.engine.backends.comfyui.prompt import Prompt
from darkroom.engine.backends.contract import Canceled, Errand, Input, Output, Preview
from darkroom.engine.backends.remote.line import Lost


class ComfyUI:
    """Runs a task as a prompt of its own, which a crash here or there does not run twice.

    Nothing is billed. What a task's end leaves is on ComfyUI's disk: its uploads and results.
    """

    name: ClassVar[str] = "comfyui"
    kinds: ClassVar[frozenset[str]] = frozenset(
        name for name, kind in KINDS.items() if kind.outputs != "texts"
    )

    def __init__(self) -> None:
        self._pool = Pool()

    async def run(
        self, given: Input, options: Mapping[str, Any], errand: Errand
    ) -> AsyncIterator[float | Preview | Output]:
        """Yield how much is done, 0 to 1, what it looks like, and each output when it is whole."""
        read = told.read(options)
        used = workflow.read(read.of_kind(given.kind), KINDS[given.kind])
        used.check(given)
        await errand.pause(0)
        prompt = Prompt(read, used, given, errand, self._pool)
        call = await errand.open()
        try:
            await prompt.begin(call)
            while prompt.entry is None:
                await prompt.step()
                yield prompt.fraction
                if preview := prompt.take_preview():
                    yield preview
            await _check(prompt, used)
            async for output in outputs.bring(prompt.entry, given.kind, prompt.line):
                yield output
        except Canceled:
            await prompt.take_back()
            await errand.close(call, "canceled", is_billed=False)
            raise
        except errors.TaskError as error:
            # What can still be fetched is asked for again under the same call.
            if not (isinstance(error, errors.Hindered) and error.stays):
                await errand.close(call, "failed", is_billed=False, error=error.message)
            raise
        finally:
            await prompt.leave()
        await errand.close(call, "delivered", is_billed=False)


async def _check(prompt: Prompt, used: workflow.Workflow) -> None:
    """Raise what made a prompt fail."""
    assert prompt.entry is not None
    status = prompt.entry.status
    if status is None or status.status_str == "success":
        return
    error = refusals.of_run(status.messages, used)
    if isinstance(error, errors.OutOfMemory):
        # The next attempt finds more.
        with contextlib.suppress(Lost, errors.TaskError):
            await wire.free(prompt.line)
    raise error
