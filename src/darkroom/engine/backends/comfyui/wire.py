"""The wire of one ComfyUI: what it is asked over HTTP for one prompt.

The routes are those of its server, https://docs.comfy.org/development/comfyui-server/comms_routes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from darkroom import errors, media
from darkroom.engine.backends.comfyui.workflow import Graph
from darkroom.engine.backends.remote.line import Line

_ASK_SECONDS_MAX = 10.0
# Between our files and those that people upload in its browser page.
_FOLDER = "darkroom"
_Answer = TypeVar("_Answer")


class Status(msgspec.Struct):
    """How a prompt ended."""

    status_str: str
    messages: list[tuple[str, Any]] = []


class Entry(msgspec.Struct):
    """What is kept of a prompt that ended: `outputs` by node and by what each tells."""

    outputs: dict[str, dict[str, Any]] = {}
    status: Status | None = None


class _Queue(msgspec.Struct):
    """Prompts that run and wait, each `[number, id, graph, …]`."""

    queue_running: list[list[Any]]
    queue_pending: list[list[Any]]


class _Counts(msgspec.Struct):
    exec_info: dict[str, int]


async def waiting(line: Line) -> int:
    """How many prompts run or wait there."""
    answer = await line.send("GET", "prompt", seconds_max=_ASK_SECONDS_MAX)
    return _read(answer, _Counts).exec_info.get("queue_remaining", 0)


async def upload(line: Line, path: Path) -> str:
    """Bring an input file there; answers what a loading node calls it.

    It is named after its content: the same file is kept once, and what was made of it is cached.
    """
    with path.open("rb") as stream:
        media_type = media.sniff(stream.read(media.SNIFF_BYTES))
        stream.seek(0)
        name = hashlib.file_digest(stream, "sha256").hexdigest()
        stream.seek(0)
        extension = media.EXTENSIONS.get(media_type or "", "bin")
        # The route takes any file, whatever its name says.
        answer = await line.send(
            "POST",
            "upload/image",
            files={"image": (f"{name}.{extension}", stream, media_type)},
            data={"type": "input", "subfolder": _FOLDER},
        )
    told = _read(answer, dict[str, str])
    return f"{told['subfolder']}/{told['name']}" if told.get("subfolder") else told["name"]


async def submit(line: Line, graph: Graph, prompt_id: str) -> dict[str, Any]:
    """Have a graph run under an id of ours; answers what is wrong with parts of it, by node."""
    asked = {"prompt": graph, "client_id": prompt_id, "prompt_id": prompt_id}
    answer = _read(await line.send("POST", "prompt", json=asked), dict[str, Any])
    if answer.get("prompt_id") != prompt_id:
        raise errors.Hindered("This ComfyUI is too old: it takes no prompt_id. Update it.")
    return answer.get("node_errors") or {}


async def look(line: Line, prompt_id: str) -> Entry | bool:
    """What is kept of a prompt that ended; else whether it is known there at all."""
    answer = await line.send("GET", f"history/{prompt_id}", seconds_max=_ASK_SECONDS_MAX)
    kept = _read(answer, dict[str, Entry])
    if prompt_id in kept:
        return kept[prompt_id]
    queue = await _queue(line)
    return prompt_id in _ids(queue.queue_running) | _ids(queue.queue_pending)


async def take_back(line: Line, prompt_id: str) -> None:
    """End a prompt that waits or runs, and no other."""
    await line.send("POST", "queue", json={"delete": [prompt_id]}, seconds_max=_ASK_SECONDS_MAX)
    # Told to interrupt what does not run, old versions would end another's.
    if prompt_id in _ids((await _queue(line)).queue_running):
        await line.send("POST", "interrupt", json={"prompt_id": prompt_id})


async def free(line: Line) -> None:
    """Have it give its memory back before what comes next."""
    await line.send("POST", "free", json={"unload_models": True, "free_memory": True})


async def _queue(line: Line) -> _Queue:
    return _read(await line.send("GET", "queue", seconds_max=_ASK_SECONDS_MAX), _Queue)


def _ids(prompts: list[list[Any]]) -> set[Any]:
    return {one[1] for one in prompts}


def _read(answer: Any, shape: type[_Answer]) -> _Answer:
    try:
        return msgspec.convert(answer, shape)
    except msgspec.ValidationError as exc:
        raise errors.Hindered(f"What answers there is no ComfyUI: {exc}") from exc
