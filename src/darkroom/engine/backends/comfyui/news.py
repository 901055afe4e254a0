"""News of one prompt over ComfyUI's WebSocket: how far it is, its looks, and that it ended.

Its messages are events, https://docs.comfy.org/development/comfyui-server/comms_messages; binary
ones hold previews. News may be lost: what became of a prompt, its history says.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from darkroom.engine.backends.comfyui import frames
from darkroom.engine.backends.comfyui.workflow import Graph
from darkroom.engine.backends.contract import PREVIEW_BYTES_MAX, Preview

_MESSAGE_BYTES_MAX = 32 * 2**20
_OPEN_SECONDS_MAX = 2.0
_CLOSE_SECONDS_MAX = 0.5
_AGAIN_SECONDS = 1.0
# After the last of these the history has the prompt, or is about to.
_ENDS = frozenset({"execution_success", "execution_error", "execution_interrupted"})
# A sampler takes about as long as so many nodes that load or save; it is told by what it takes.
_SAMPLER_WEIGHT = 20.0
_SAMPLER_INPUT = "latent_image"


class News:
    """What is known of a prompt's progress; `listen` keeps it up to date."""

    def __init__(self, prompt_id: str, graph: Graph) -> None:
        # 0 to 1, and never less than before.
        self.fraction = 0.0
        # What it looked like last, until somebody takes it.
        self.preview: Preview | None = None
        # Something was told since this was last cleared.
        self.changed = asyncio.Event()
        # An end was told, or the socket was cut: the history is worth a look.
        self.is_due = False
        self.is_open = False
        self._id = prompt_id
        # Whether the last event of any prompt was of this one, in its middle: it is what runs.
        self._runs = False
        self._weights = {
            node: _SAMPLER_WEIGHT if _SAMPLER_INPUT in told["inputs"] else 1.0
            for node, told in graph.items()
        }
        self._done: dict[str, float] = {}
        self._opened = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def listen(self, address: str) -> None:
        """Begin to hear a ComfyUI, from now on; it may have to do without."""
        await self.leave()
        self._opened.clear()
        self._listening = asyncio.create_task(self._listen(address))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._opened.wait(), _OPEN_SECONDS_MAX)

    async def leave(self) -> None:
        """Hear no more."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
            self._listening = None

    async def _listen(self, address: str) -> None:
        # No server that has no ComfyUI loads it.
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException

        where = f"ws{address.removeprefix('http').rstrip('/')}/ws?clientId={self._id}"
        while True:
            with contextlib.suppress(OSError, TimeoutError, WebSocketException):
                async with connect(
                    where, max_size=_MESSAGE_BYTES_MAX, close_timeout=_CLOSE_SECONDS_MAX
                ) as socket:
                    await socket.send(frames.GREETING)
                    self.is_open = True
                    self._opened.set()
                    async for message in socket:
                        if isinstance(message, str):
                            self._hear(message)
                        else:
                            self._see(message)
            self._runs = False
            self.is_open, self.is_due = False, self.is_due or self.is_open
            self._opened.set()
            self.changed.set()
            await asyncio.sleep(_AGAIN_SECONDS)

    def _hear(self, message: str) -> None:
        """Take one event: `{"type": …, "data": {"prompt_id": …, …}}`."""
        try:
            event = json.loads(message)
            kind, told = event["type"], event["data"]
            if "prompt_id" in told:
                self._runs = told["prompt_id"] == self._id
            if told.get("prompt_id") == self._id:
                self._learn(kind, told)
        except (ValueError, TypeError, KeyError, AttributeError):
            # An event of a kind that is not known here, or of another version's form.
            return

    def _see(self, message: bytes) -> None:
        """Take a preview of this prompt; one that does not say whose it is, while this one runs.

        Such a one of a prompt that nobody listens to is sent to everybody.
        """
        found = frames.read(message)
        if found is None or len(found.picture) > PREVIEW_BYTES_MAX:
            return
        if found.prompt_id == self._id or (found.prompt_id is None and self._runs):
            self.preview = Preview(found.picture)
            self.changed.set()

    def _learn(self, kind: str, told: dict[str, Any]) -> None:
        if kind in _ENDS or (kind == "executing" and told["node"] is None):
            self.is_due, self._runs = True, False
        elif kind == "execution_cached":
            self._done |= dict.fromkeys(told["nodes"], 1.0)
        elif kind == "progress":
            self._done[told["node"]] = told["value"] / (told["max"] or 1)
        elif kind == "progress_state":
            for node, state in told["nodes"].items():
                is_done = state["state"] == "finished"
                self._done[node] = 1.0 if is_done else state["value"] / (state["max"] or 1)
        done = sum(self._weights.get(node, 0.0) * part for node, part in self._done.items())
        self.fraction = max(self.fraction, done / sum(self._weights.values()))
        self.changed.set()
