"""A prompt: a filled workflow on its way through a ComfyUI, under an id of ours, to its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from typing import Any

import httpx

from darkroom import errors
from darkroom.engine.backends.comfyui import refusals, wire
from darkroom.engine.backends.comfyui.news import News
from darkroom.engine.backends.comfyui.options import Options
from darkroom.engine.backends.comfyui.pool import Pool
from darkroom.engine.backends.comfyui.workflow import Workflow
from darkroom.engine.backends.contract import Call, Errand, Input, Preview
from darkroom.engine.backends.remote import options as remote_options
from darkroom.engine.backends.remote.line import Line, Lost

_log = logging.getLogger(__name__)
_SPACE = uuid.UUID("2f6c4b8e-6d0e-5f0b-9a55-0d9f3d0c7a11")
# Times that one attempt submits: a ComfyUI that starts anew has forgotten its queue.
_SENDS_MAX = 4
# Between two looks at the history: while its socket is open, which tells sooner; and while not.
_LOOK_SECONDS = 10.0
_BLIND_SECONDS = 1.0
# Just after an end was told, until the history has it.
_SOON_SECONDS = 0.05
# In a row: one look may fall between a prompt's way from the queue into the history, or come
# before a request whose answer was lost.
_ABSENT_MAX = 3
# How long one may be silent, and down where another could have the prompt instead.
_SILENT_SECONDS_MAX = 45.0
_DOWN_SECONDS_MAX = 6.0
_TAKE_BACK_SECONDS_MAX = 4.0


class Prompt:
    """Moves on by `step` until `entry` is what ComfyUI keeps of it."""

    def __init__(
        self, told: Options, workflow: Workflow, given: Input, errand: Errand, pool: Pool
    ) -> None:
        self.entry: wire.Entry | None = None
        self._addresses = told.addresses
        self._workflow = workflow
        self._given = given
        self._errand = errand
        self._pool = pool
        # The ComfyUI that has it, and those that refused it.
        self._line: Line | None = None
        self._refused: set[str] = set()
        self._sends = self._absent = 0
        self._heard_at = 0.0
        self._pause = _BLIND_SECONDS

    async def begin(self, call: Call) -> None:
        """Take the call's id; where an attempt before this one sent it, find who has it."""
        self._call = call
        self.id = str(uuid.uuid5(_SPACE, call.key))
        self._news = News(self.id, self._workflow.graph)
        if not call.is_resumed:
            return
        lines = [self._line_to(address) for address in self._addresses]
        found = await asyncio.gather(*(self._has_it(line) for line in lines))
        if True in found:
            await self._follow(lines[found.index(True)])

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1."""
        return self._news.fraction

    def take_preview(self) -> Preview | None:
        """What it looks like, if that was told since it was taken last."""
        taken, self._news.preview = self._news.preview, None
        return taken

    @property
    def line(self) -> Line:
        """The line to who has it."""
        assert self._line is not None
        return self._line

    async def step(self) -> None:
        """Submit it, or wait for news of it; raises a `TaskError`, or `Canceled`."""
        if self._line is None:
            await self._send()
        else:
            await self._look()

    async def take_back(self) -> None:
        """Have it stopped wherever it is, if that can be told now."""
        if self._line is None:
            return
        with contextlib.suppress(Lost, errors.TaskError, TimeoutError):
            async with asyncio.timeout(_TAKE_BACK_SECONDS_MAX):
                await wire.take_back(self._line, self.id)

    async def leave(self) -> None:
        """Hear no more of it."""
        await self._news.leave()

    async def _send(self) -> None:
        if self._sends == _SENDS_MAX:
            raise errors.Hindered(f"ComfyUI lost the task {_SENDS_MAX} times.")
        left = [one for one in self._addresses if one not in self._refused]
        address = await self._pool.choose(left, lambda one: wire.waiting(self._line_to(one)))
        line = self._line_to(address)
        with self._pool.sending(address):
            self._sends += 1
            await self._follow(line)
            # One that could not be asked before may have it from an earlier send.
            if (self._call.is_resumed or self._sends > 1) and await self._has_it(line):
                return
            try:
                await self._submit(line)
            except Lost:
                # It may have it all the same: the looks will tell.
                return
            except errors.Hindered as error:
                # Another may have the model or the node that this one lacks.
                _log.warning("%s: %s", httpx.URL(address).netloc.decode(), error)
                self._line = None
                self._sends -= 1
                self._refused.add(address)
                if len(self._refused) == len(self._addresses):
                    raise
                return
        await self._errand.accept(self._call, self.id)

    async def _submit(self, line: Line) -> None:
        uploads = {}
        for name in self._workflow.places:
            if paths := self._given.files.get(name):
                uploads[name] = [await wire.upload(line, path) for path in paths]
        graph = self._workflow.fill(self._given, self._errand.seed, uploads, self.id)
        faults = await wire.submit(line, graph, self.id)
        if faults:
            # It runs what it can, which is not what was asked for.
            await wire.take_back(line, self.id)
            refused = refusals.of_graph({"node_errors": faults}, self._workflow)
            raise refused or errors.Hindered("ComfyUI refuses a part of the workflow.")

    async def _look(self) -> None:
        if not await self._is_time():
            return
        try:
            seen = await wire.look(self.line, self.id)
        except (Lost, errors.TaskError) as exc:
            # One that is slow may be loading a model; one that takes no connection is down.
            is_down = isinstance(exc, errors.Hindered) and len(self._addresses) > 1
            seconds_max = _DOWN_SECONDS_MAX if is_down else _SILENT_SECONDS_MAX
            if time.monotonic() - self._heard_at > seconds_max:
                self._pool.rest(self.line.address)
                self._line = None
            return
        self._heard_at = time.monotonic()
        if isinstance(seen, wire.Entry):
            self.entry = seen
        self._absent = 0 if seen else self._absent + 1
        if self._absent == _ABSENT_MAX:
            self._line = None

    async def _is_time(self) -> bool:
        """Wait for news, and whether they, or their lack, make a look due; raises `Canceled`."""
        news = self._news
        told = asyncio.create_task(news.changed.wait())
        pausing = asyncio.create_task(self._errand.pause(self._pause))
        try:
            await asyncio.wait({told, pausing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
            pausing.cancel()
        if pausing.done():
            pausing.result()
        elif not news.is_due:
            news.changed.clear()
            return False
        is_quiet = news.is_open and not self._absent
        longest = _LOOK_SECONDS if is_quiet else _BLIND_SECONDS
        self._pause = _SOON_SECONDS if news.is_due else min(self._pause * 2, longest)
        news.is_due = False
        news.changed.clear()
        return True

    async def _follow(self, line: Line) -> None:
        self._line, self._absent, self._pause = line, 0, _BLIND_SECONDS
        self._heard_at = time.monotonic()
        await self._news.listen(line.address)

    async def _has_it(self, line: Line) -> bool:
        try:
            return bool(await wire.look(line, self.id))
        except (Lost, errors.TaskError):
            return False

    def _line_to(self, address: str) -> Line:
        return Line(
            "comfyui",
            remote_options.Options(),
            self._errand,
            address=address,
            headers={},
            explain=self._explain,
        )

    def _explain(self, status: int, body: Any) -> errors.TaskError | None:
        if status == 400:
            return refusals.of_graph(body, self._workflow)
        return None
