"""Houses of real processes: any number of `serve`, `work` and `daemon` on one database."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from ground import Ground, wait_until


@dataclass(slots=True)
class House:
    """One database, one data folder, and the processes that a story starts and kills."""

    ground: Ground
    folder: Path
    environment: dict[str, str]
    running: list[subprocess.Popen[str]] = field(default_factory=list)
    clients: list[httpx.Client] = field(default_factory=list)
    url: str = ""

    def start(self, command: str, *flags: str) -> subprocess.Popen[str]:
        """Start `darkroom COMMAND` and wait for the line that says it runs."""
        log = self.folder / f"{command}-{len(self.running)}.log"
        with log.open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "darkroom", command, *flags],
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        self.running.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Darkroom"), f"{line}\n{log.read_text()[-3000:]}"
        if command == "serve":
            self.url = next(word for word in line.split() if word.startswith("http://"))
        return process

    def kill(self, process: subprocess.Popen[str]) -> None:
        """End a process as a power cut would."""
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def client(self, credits_given: int = 1000) -> httpx.Client:
        """An HTTP client of a fresh account."""
        return self.client_of(self.ground.account(credits_given).id)

    def client_of(self, account_id: str) -> httpx.Client:
        """An HTTP client of an account."""
        key = self.ground.key(account_id)
        client = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {key}"}, timeout=30
        )
        self.clients.append(client)
        return client

    def marks(self) -> Counter[str]:
        """How often the probe began each task."""
        folder = Path(self.environment["PROBE_MARKS"])
        return Counter(mark.name.partition("-")[0] for mark in folder.iterdir())

    def close(self) -> None:
        """End every process that still runs, in good order."""
        for process in self.running:
            if process.poll() is None:
                process.terminate()
        for process in self.running:
            process.wait(30)
            assert process.stdout is not None
            process.stdout.close()
        for client in self.clients:
            client.close()


def submit(
    client: httpx.Client, prompt: str, number: int = 1, *, model: str = "PROBE"
) -> list[str]:
    """Submit to the probe; answers the task ids."""
    body = {"model": model, "prompt": prompt, "image_number": number, "resolution": "64x64"}
    answer = client.post("/v1/generation/text-to-image", json=body)
    assert answer.status_code == 200, answer.text
    ids: list[str] = answer.json()["data"]["task_ids"]
    return ids


def status(client: httpx.Client, task_id: str) -> dict[str, Any]:
    """The status of one task, asked again while the server says that it cannot tell."""

    def told() -> dict[str, Any] | None:
        answer = client.get(f"/v1/generation/{task_id}/status")
        if answer.status_code == 503:
            return None
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    found: dict[str, Any] = wait_until(told, what=f"an answer about {task_id}")
    return found


def ended(
    client: httpx.Client, task_ids: list[str], seconds_max: float = 60
) -> list[dict[str, Any]]:
    """Every task's status once it has ended."""

    def all_ended() -> list[dict[str, Any]] | None:
        found = [status(client, task_id) for task_id in task_ids]
        done = all(one["task_status"] in ("SUCCESS", "FAILED") for one in found)
        return found if done else None

    found: list[dict[str, Any]] = wait_until(
        all_ended, seconds_max=seconds_max, what=f"the end of {len(task_ids)} tasks"
    )
    return found
