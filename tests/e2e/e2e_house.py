"""Houses of real processes: any number of `serve`, `work` and `daemon` on one database."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

import probes
import starter
from ground import Ground, wait_until


@dataclass(slots=True)
class House:
    """One database, one data folder, and the processes that a story starts and kills."""

    ground: Ground
    folder: Path
    environment: dict[str, str]
    running: list[starter.Started] = field(default_factory=list)
    clients: list[httpx.Client] = field(default_factory=list)
    url: str = ""
    # Whether its processes load everything themselves.
    anew: bool = False

    def start(self, command: str, *flags: str) -> starter.Started:
        """Start `darkroom COMMAND` and wait for the line that says it runs."""
        log = self.folder / f"{command}-{len(self.running)}.log"
        with log.open("w") as stderr:
            process = starter.start(
                [command, *flags], self.environment, stderr=stderr, anew=self.anew
            )
        self.running.append(process)
        line = process.stdout.readline()
        assert line.startswith("Darkroom"), f"{line}\n{log.read_text()[-3000:]}"
        if command == "serve":
            self.url = next(word for word in line.split() if word.startswith("http://"))
        return process

    def kill(self, process: starter.Started) -> None:
        """End a process as a power cut would."""
        process.kill()
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
        """End every process that still runs, in good order if it can."""
        with contextlib.ExitStack() as closing:
            for one in self.clients:
                closing.callback(one.close)
            closing.callback(starter.end_all, self.running)


@contextlib.contextmanager
def opened(ground: Ground, folder: Path) -> Iterator[House]:
    """A house with the probe among its models, whose processes end with the block."""
    one = House(
        ground,
        folder,
        {
            **probes.install(folder),
            "DARKROOM_DATABASE_URL": ground.conninfo,
            "DARKROOM_PORT": "0",
            "DARKROOM_LEASE_SECONDS": "2",
            "DARKROOM_WORKERS": "2",
            # Nothing but the probe need be loaded, and nothing stands in for a missing backend.
            "DARKROOM_SANDBOX": "false",
        },
    )
    try:
        yield one
    finally:
        one.close()


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
