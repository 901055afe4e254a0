"""A double of ComfyUI: the wire of version 0.3.64 as it was seen, over nodes that only pretend.

Run as a process: FOLDER PORT. Its disk is the folder, which outlives it; its queue, its history and
its cache do not. Under `/_double` stands what no ComfyUI has: `hold` keeps a sampler at its first
step until it is let go or interrupted, `fail` is what samplers end with, `drop` answers nothing to
so many prompts that it takes, `old` knows no prompt_id, `quiet` says of no preview whose it is, and
`previews` are what samplers show at each step, pictures or what is none.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import struct
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import comfyui_nodes as nodes
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

FOLDER, PORT = Path(sys.argv[1]), int(sys.argv[2])
STATE: dict[str, Any] = {"hold": False, "fail": None, "drop": 0, "old": False, "steps": 0}
STATE |= {"quiet": False, "previews": ["picture"]}


class Interrupted(Exception):
    """The prompt that runs was interrupted."""


class Failed(Exception):
    """A node failed."""


class Comfy:
    """One queue, run one after the other, as ComfyUI's."""

    def __init__(self) -> None:
        self.pending: list[list[Any]] = []
        self.running: list[list[Any]] = []
        self.history: dict[str, Any] = {}
        self.sockets: dict[str, WebSocket] = {}
        # Those who said that they want to know whose a preview is.
        self.greeted: set[str] = set()
        self.cache: dict[str, Any] = {}
        self.wake = asyncio.Event()
        # What holds a sampler may have changed.
        self.moved = asyncio.Event()
        self.is_interrupted = False
        self.number = 0

    async def tell(self, kind: str, told: dict[str, Any], client: str | None) -> None:
        for sid, socket in [*self.sockets.items()]:
            if client in (None, sid):
                with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                    await socket.send_text(json.dumps({"type": kind, "data": told}))

    async def tell_status(self) -> None:
        left = len(self.pending) + len(self.running)
        await self.tell("status", {"status": {"exec_info": {"queue_remaining": left}}}, None)

    async def run(self) -> None:
        while True:
            await self.wake.wait()
            self.wake.clear()
            while self.pending:
                self.running = [self.pending.pop(0)]
                prompt_id, client = self.running[0][1], self.running[0][3].get("client_id")
                self.is_interrupted = False
                entry = await Run(self, self.running[0]).run()
                self.history[prompt_id] = entry
                self.running = []
                await self.tell_status()
                await self.tell("executing", {"node": None, "prompt_id": prompt_id}, client)


class Run:
    """One prompt that runs."""

    def __init__(self, comfy: Comfy, asked: list[Any]) -> None:
        _, self.id, self.graph, told, self.wanted = asked
        self.comfy, self.client = comfy, told["client_id"]
        self.messages: list[Any] = []
        self.states: dict[str, dict[str, Any]] = {}
        self.outputs: dict[str, Any] = {}
        self.values: dict[str, Any] = {}

    async def say(self, kind: str, told: dict[str, Any], *, is_kept: bool = False) -> None:
        told = {"prompt_id": self.id, **told}
        if is_kept:
            self.messages.append([kind, {**told, "timestamp": round(time.time() * 1000)}])
        await self.comfy.tell(kind, told, self.client)

    async def run(self) -> dict[str, Any]:
        with (FOLDER / "executions").open("a") as log:
            log.write(f"{self.id}\n")
        await self.say("execution_start", {}, is_kept=True)
        signatures = {node: self.signature(node) for node in self.graph}
        cached = [node for node in self.graph if signatures[node] in self.comfy.cache]
        await self.say("execution_cached", {"nodes": cached}, is_kept=True)
        node = ""
        try:
            for node in nodes.order(self.graph, self.wanted):
                if node not in cached:
                    await self.progress(node, 0, 1, "running")
                    await self.say("executing", {"node": node, "display_node": node})
                    made = await self.make(node, self.graph[node]["class_type"])
                    self.comfy.cache[signatures[node]] = made
                self.values[node], shown = self.comfy.cache[signatures[node]]
                if shown:
                    self.outputs[node] = shown
                    await self.say("executed", {"node": node, "output": shown})
                if node not in cached:
                    await self.progress(node, 1, 1, "finished")
        except (Interrupted, Failed) as exc:
            await self.failed(node, exc)
            return self.entry("error")
        await self.say("execution_success", {}, is_kept=True)
        return self.entry("success")

    def entry(self, status: str) -> dict[str, Any]:
        outputs = self.outputs if status == "success" else {}
        told = {"status_str": status, "completed": status == "success", "messages": self.messages}
        return {"prompt": [0, self.id, self.graph], "outputs": outputs, "status": told}

    async def failed(self, node: str, exc: Exception) -> None:
        told = {"node_id": node, "node_type": self.graph[node]["class_type"], "executed": []}
        if isinstance(exc, Interrupted):
            await self.say("execution_interrupted", told, is_kept=True)
            return
        kind, message = exc.args
        said = {"exception_type": kind, "exception_message": message, "traceback": ["  File …"]}
        await self.say("execution_error", told | said, is_kept=True)

    def signature(self, node: str) -> str:
        told = self.graph[node]
        inputs = {
            name: self.signature(value[0]) if isinstance(value, list) else value
            for name, value in told["inputs"].items()
        }
        text = json.dumps([told["class_type"], inputs], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    async def progress(self, node: str, value: float, top: float, state: str) -> None:
        self.states[node] = {"value": value, "max": top, "state": state, "node_id": node}
        await self.say("progress_state", {"nodes": self.states})

    def given(self, node: str, name: str) -> Any:
        value = self.graph[node]["inputs"].get(name)
        return self.values[value[0]] if isinstance(value, list) else value

    async def make(self, node: str, kind: str) -> tuple[Any, dict[str, Any]]:
        """A node's value, and what it shows."""
        if kind in ("EmptyLatentImage", "EmptyImage"):
            size = (self.given(node, "width"), self.given(node, "height"))
            pictures = [Image.new("RGB", size)] * self.given(node, "batch_size")
            return pictures, {}
        if kind == "LoadImage":
            with Image.open(FOLDER / "input" / self.given(node, "image")) as picture:
                return [picture.convert("RGB")], {}
        if kind == "KSampler":
            await self.sample(node)
            shade = self.given(node, "seed") % 200
            latents = self.given(node, "latent_image")
            return [
                Image.blend(one, Image.new("RGB", one.size, (shade, 90, 40 + 50 * number)), 0.5)
                for number, one in enumerate(latents)
            ], {}
        if kind == "VAEDecode":
            return self.given(node, "samples"), {}
        if kind.startswith(("Save", "Preview")):
            prefix = self.given(node, "filename_prefix") or "ComfyUI_temp"
            pictures = self.given(node, "images") or []
            return None, nodes.save(kind, FOLDER, prefix, pictures, json.dumps(self.graph))
        return self.graph[node]["inputs"], {}

    async def sample(self, node: str) -> None:
        steps = self.given(node, "steps")
        for step in range(steps):
            while STATE["hold"] and step >= STATE["steps"] and not self.comfy.is_interrupted:
                self.comfy.moved.clear()
                await self.comfy.moved.wait()
            if self.comfy.is_interrupted:
                raise Interrupted
            await self.progress(node, step + 1, steps, "running")
            told = {"value": step + 1, "max": steps, "node": node}
            is_told = self.client in self.comfy.greeted
            if is_told:
                await self.preview(node, step, is_told=True)
            await self.say("progress", told)
            if not is_told:
                await self.preview(node, step, is_told=False)
            await asyncio.sleep(0.005)
        if fault := STATE["fail"]:
            STATE["fail"] = None
            raise Failed(*fault)

    async def preview(self, node: str, step: int, *, is_told: bool) -> None:
        """What a sampler shows: to its client, or to everybody where it has none.

        An event of 4 bytes, 1 for a preview; a format of 4, 1 for JPEG; the picture. For who wants
        to know whose it is: 4 for such a preview; the length of some JSON; the JSON; the picture.
        """
        told = {"node_id": node, "prompt_id": self.id, "image_type": "image/jpeg"}
        words = json.dumps(told).encode()
        head = struct.pack(">II", 4, len(words)) + words if is_told else struct.pack(">II", 1, 1)
        shade = self.given(node, "seed") % 200
        for name in STATE["previews"]:
            body = nodes.preview(name, (shade, 30 * step, 0))
            for sid, socket in [*self.comfy.sockets.items()]:
                if self.client in (None, sid):
                    with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                        await socket.send_bytes(body if name == "headless" else head + body)


def refused(kind: str, message: str, details: str, faults: Any = None) -> JSONResponse:
    error = {"type": kind, "message": message, "details": details, "extra_info": {}}
    return JSONResponse({"error": error, "node_errors": faults or {}}, 400)


COMFY = Comfy()


async def post_prompt(request: Request) -> Response:
    asked = await request.json()
    graph, prompt_id = asked["prompt"], str(asked.get("prompt_id", uuid.uuid4()))
    if STATE["old"]:
        prompt_id = str(uuid.uuid4())
    for node, told in graph.items():
        if told["class_type"] not in nodes.NODES:
            message = f"Cannot execute because node {told['class_type']} does not exist."
            return refused("invalid_prompt", message, f"Node ID '#{node}'")
    outputs = nodes.outputs(graph)
    if not outputs:
        return refused("prompt_no_outputs", "Prompt has no outputs", "")
    faults = nodes.faults(graph, FOLDER)
    # A part whose output is whole is run all the same.
    whole = [one for one in outputs if not faults.keys() & nodes.needs(graph, one)]
    if not whole:
        said = "Prompt outputs failed validation"
        return refused("prompt_outputs_failed_validation", said, "", faults)
    client = {"client_id": asked.get("client_id")}
    COMFY.pending.append([COMFY.number, prompt_id, graph, client, whole])
    COMFY.number += 1
    await COMFY.tell_status()
    COMFY.wake.set()
    if STATE["drop"]:
        STATE["drop"] -= 1
        return Response("the answer was lost", 504)
    told = {"prompt_id": prompt_id, "number": COMFY.number - 1, "node_errors": faults}
    return JSONResponse(told)


async def get_prompt(request: Request) -> Response:
    left = len(COMFY.pending) + len(COMFY.running)
    return JSONResponse({"exec_info": {"queue_remaining": left}})


async def get_queue(request: Request) -> Response:
    return JSONResponse({"queue_running": COMFY.running, "queue_pending": COMFY.pending})


async def post_queue(request: Request) -> Response:
    asked = await request.json()
    COMFY.pending = [one for one in COMFY.pending if one[1] not in asked.get("delete", [])]
    await COMFY.tell_status()
    return Response()


async def post_interrupt(request: Request) -> Response:
    asked = await request.json()
    wanted = asked.get("prompt_id")
    COMFY.is_interrupted |= any(wanted in (None, one[1]) for one in COMFY.running)
    COMFY.moved.set()
    return Response()


async def get_history(request: Request) -> Response:
    prompt_id = request.path_params["prompt_id"]
    kept = COMFY.history.get(prompt_id)
    return JSONResponse({prompt_id: kept} if kept else {})


async def get_view(request: Request) -> Response:
    asked = request.query_params
    path = FOLDER / asked.get("type", "output") / asked.get("subfolder", "") / asked["filename"]
    return FileResponse(path) if path.is_file() else Response(status_code=404)


async def post_upload(request: Request) -> Response:
    async with request.form() as form:
        image, subfolder = form["image"], str(form.get("subfolder", ""))
        assert not isinstance(image, str)
        folder = FOLDER / str(form.get("type", "input")) / subfolder
        folder.mkdir(parents=True, exist_ok=True)
        name, data = Path(image.filename or "image"), await image.read()
        number, path = 0, folder / name
        while path.is_file() and path.read_bytes() != data:
            number += 1
            path = folder / f"{name.stem} ({number}){name.suffix}"
        path.write_bytes(data)
    return JSONResponse({"name": path.name, "subfolder": subfolder, "type": "input"})


async def post_free(request: Request) -> Response:
    with (FOLDER / "freed").open("a") as log:
        log.write(json.dumps(await request.json()) + "\n")
    return Response()


async def get_stats(request: Request) -> Response:
    return JSONResponse({"system": {"comfyui_version": "0.3.64"}, "devices": []})


async def get_nodes(request: Request) -> Response:
    return JSONResponse({name: {"input": {"required": {}}} for name in nodes.NODES})


async def socket(socket: WebSocket) -> None:
    sid = socket.query_params.get("clientId") or uuid.uuid4().hex
    await socket.accept()
    COMFY.sockets[sid] = socket
    left = {"exec_info": {"queue_remaining": len(COMFY.pending) + len(COMFY.running)}}
    await COMFY.tell("status", {"status": left, "sid": sid}, sid)
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            said = json.loads(await socket.receive_text())
            if said["type"] == "feature_flags" and not STATE["quiet"]:
                COMFY.greeted.add(sid)
                known = {"supports_preview_metadata": True, "max_upload_size": 104857600}
                await COMFY.tell("feature_flags", known, sid)
    COMFY.sockets.pop(sid, None)
    COMFY.greeted.discard(sid)


async def post_double(request: Request) -> Response:
    STATE.update(await request.json())
    COMFY.moved.set()
    return JSONResponse(STATE)


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> Any:
    running = asyncio.create_task(COMFY.run())
    yield
    running.cancel()


APP = Starlette(
    routes=[
        Route("/prompt", post_prompt, methods=["POST"]),
        Route("/prompt", get_prompt),
        Route("/queue", get_queue),
        Route("/queue", post_queue, methods=["POST"]),
        Route("/interrupt", post_interrupt, methods=["POST"]),
        Route("/history/{prompt_id}", get_history),
        Route("/view", get_view),
        Route("/upload/image", post_upload, methods=["POST"]),
        Route("/free", post_free, methods=["POST"]),
        Route("/system_stats", get_stats),
        Route("/object_info", get_nodes),
        Route("/_double", post_double, methods=["POST"]),
        WebSocketRoute("/ws", socket),
    ],
    lifespan=lifespan,
)

if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    uvicorn.run(APP, host="127.0.0.1", port=PORT, log_level="warning")
