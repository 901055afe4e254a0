"""A house whose models are workflows, and the doubles of ComfyUI that run them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg

import starter
from darkroom.domain.kinds.table import KINDS
from ground import Ground, wait_until

CHECKPOINT = "tiny.safetensors"


def text_to_image(**changes: Any) -> dict[str, Any]:
    """A workflow of a sampler as ComfyUI exports it, some inputs changed: `node_input=value`."""
    graph: dict[str, Any] = {
        "4": node("CheckpointLoaderSimple", "Load Checkpoint", ckpt_name=CHECKPOINT),
        "6": node("CLIPTextEncode", "Positive", text="a default", clip=["4", 1]),
        "7": node("CLIPTextEncode", "Negative", text="text, watermark", clip=["4", 1]),
        "5": node("EmptyLatentImage", "Size", width=64, height=64, batch_size=1),
        "3": node(
            "KSampler",
            "KSampler",
            seed=1,
            steps=8,
            cfg=7.0,
            model=["4", 0],
            positive=["6", 0],
            negative=["7", 0],
            latent_image=["5", 0],
        ),
        "8": node("VAEDecode", "Decode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", "Save", images=["8", 0], filename_prefix="ComfyUI"),
    }
    for name, value in changes.items():
        number, _, wanted = name.removeprefix("n").partition("_")
        graph[number]["inputs"][wanted] = value
    return graph


def image_to_image() -> dict[str, Any]:
    """A workflow that samples over a loaded picture."""
    graph = text_to_image(n3_latent_image=["10", 0])
    graph["10"] = node("LoadImage", "Load Image", image="example.png")
    del graph["5"]
    return graph


def node(kind: str, title: str, **inputs: Any) -> dict[str, Any]:
    """A node of an exported workflow."""
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": title}}


# Where the fields of `text_to_image` go.
INPUTS = {
    "prompt": "6.text",
    "negative_prompt": "7.text",
    "seed": "3.seed",
    "width": "5.width",
    "height": "5.height",
}


@dataclass(slots=True)
class Double:
    """A double of ComfyUI that can be killed, and started again at its address with its disk."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        script = Path(__file__).with_name("comfyui_double.py")
        command = [sys.executable, str(script), str(self.folder), str(self.port)]
        self.process = subprocess.Popen(command)
        wait_until(self._answers, what="the start of ComfyUI")

    def kill(self) -> None:
        """End it as a power cut would: what it keeps in memory is lost."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)
            self.process = None

    def set(self, **state: Any) -> None:
        """Tell it how to behave; see `comfyui_double.py`."""
        assert httpx.post(f"{self.address}/_double", json=state).status_code == 200

    def waiting(self) -> tuple[int, int]:
        """How many prompts run, and how many wait."""
        told = httpx.get(f"{self.address}/queue").json()
        return len(told["queue_running"]), len(told["queue_pending"])

    def executions(self) -> list[str]:
        """The prompts that it ever began, restarts included."""
        log = self.folder / "executions"
        return log.read_text().split() if log.exists() else []

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.address}/system_stats").status_code == 200
        except httpx.HTTPError:
            return False


@dataclass(slots=True)
class Kitchen:
    """One database and data folder, a catalogue of workflows, and `darkroom` processes."""

    ground: Ground
    folder: Path
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    doubles: list[Double] = field(default_factory=list)
    running: list[starter.Started] = field(default_factory=list)
    clients: list[httpx.Client] = field(default_factory=list)
    url: str = ""

    def double(self) -> Double:
        """Another ComfyUI, running."""
        one = Double(self.folder / f"comfyui-{len(self.doubles)}", free_port())
        self.doubles.append(one)
        one.start()
        return one

    def offer(
        self,
        key: str,
        graph: Any,
        addresses: Sequence[str],
        *,
        inputs: dict[str, Any] | None = None,
        kind: str = "text-to-image",
    ) -> None:
        """Put a model into the catalogue that is this workflow, and its file beside it."""
        (self.folder / f"{key}.json").write_text(json.dumps(graph))
        told = {
            "addresses": list(addresses),
            "workflow": f"{key}.json",
            "inputs": INPUTS if inputs is None else inputs,
        }
        self.models[key] = {
            "name": key.title(),
            "backends": ["comfyui"],
            "options": {"comfyui": told},
            "kinds": {kind: {"credits": "2"}},
        }

    def start(self, command: str = "serve", **settings: str) -> starter.Started:
        """Start `darkroom COMMAND` over the catalogue as it is now."""
        catalogue = self.folder / "catalogue.toml"
        catalogue.write_text(
            "\n".join(f"{key} = {_toml(model)}" for key, model in self.models.items())
        )
        environment = {
            **os.environ,
            "DARKROOM_DATABASE_URL": self.ground.conninfo,
            "DARKROOM_DATA": str(self.folder / "data"),
            "DARKROOM_CATALOGUE_FILE": str(catalogue),
            "DARKROOM_NOTICE_SECONDS": "0",
            "DARKROOM_PORT": "0",
            "DARKROOM_WORKERS": "1",
            "DARKROOM_LEASE_SECONDS": "2",
            "DARKROOM_DRAIN_SECONDS": "1",
            **{f"DARKROOM_{name.upper()}": value for name, value in settings.items()},
        }
        log = self.folder / f"{command}-{len(self.running)}.log"
        with log.open("w") as stderr:
            process = starter.start([command], environment, stderr=stderr)
        self.running.append(process)
        line = process.stdout.readline()
        assert line.startswith("Darkroom"), f"{line}\n{log.read_text()[-3000:]}"
        if command == "serve":
            self.url = next(word for word in line.split() if word.startswith("http://"))
        return process

    def caller(self) -> Caller:
        """A caller of a fresh account."""
        key = self.ground.key(self.ground.account().id)
        headers = {"Authorization": f"Bearer {key}"}
        self.clients.append(httpx.Client(base_url=self.url, headers=headers, timeout=30))
        return Caller(self.clients[-1])

    def calls(self) -> list[tuple[str, bool | None, str | None]]:
        """How each call to a ComfyUI ended, whether it was billed, and what was wrong."""
        with psycopg.connect(self.ground.conninfo) as connection:
            rows = connection.execute(
                "SELECT state, is_billed, error FROM upstream_calls ORDER BY id"
            )
            return [(row[0], row[1], row[2]) for row in rows]

    def wait_for_fault(self, said: str) -> None:
        """Wait until a call has failed for a reason that says this."""
        wait_until(lambda: any(said in (error or "") for *_, error in self.calls()), what=said)

    def close(self) -> None:
        """End every process that still runs."""
        with contextlib.ExitStack() as closing:
            for client in self.clients:
                closing.callback(client.close)
            for double in self.doubles:
                closing.callback(double.kill)
            closing.callback(starter.end_all, self.running)


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a key."""

    http: httpx.Client

    def submit(self, model: str, kind: str = "text-to-image", **fields: Any) -> list[str]:
        """Submit; answers the task ids."""
        words = {"prompt": "a lake"} if kind != "music-generate" else {}
        body = {"model": model, **words, **fields}
        answer = self.http.post(KINDS[kind].route, json=body)
        assert answer.status_code == 200, answer.text
        ids: list[str] = answer.json()["data"]["task_ids"]
        return ids

    def status(self, task_id: str) -> dict[str, Any]:
        """How a task is."""
        answer = self.http.get(f"/v1/generation/{task_id}/status")
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    def ended(self, task_id: str, seconds_max: float = 30) -> dict[str, Any]:
        """A task's status once it has ended."""

        def told() -> dict[str, Any] | None:
            found = self.status(task_id)
            return found if found["task_status"] in ("SUCCESS", "FAILED") else None

        found: dict[str, Any] = wait_until(told, seconds_max=seconds_max, what="the task's end")
        return found

    def made(self, task_id: str, seconds_max: float = 30) -> list[bytes]:
        """The results of a task that must end well."""
        found = self.ended(task_id, seconds_max)
        assert found["task_status"] == "SUCCESS", found
        results = found.get("images") or found.get("videos") or found.get("audios")
        return [self.http.get(url).content for url in results]

    def upload(self, data: bytes) -> str:
        """Upload a picture; answers its address."""
        answer = self.http.post("/v1/generation/upload-file", files={"file": ("a.png", data)})
        assert answer.status_code == 200, answer.text
        address: str = answer.json()["data"]["object_url_list"][0]
        return address

    def cancel(self, task_id: str) -> None:
        """Cancel a task."""
        answer = self.http.post(f"/v1/generation/{task_id}/cancel")
        assert answer.status_code == 200, answer.text


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def _toml(value: Any) -> str:
    """A value as TOML has it in a line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(key)} = {_toml(one)}' for key, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)
