"""Submit and status under load: answers a second, beside an echo of the same bytes."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Any

import floors
import load
from darkroom.domain import leases
from darkroom.domain.assets import Asset
from darkroom.storage.database import Database
from home import Home, Server
from lines import Budget, Line, of_pairs
from load import Request
from plan import Plan

BODY = json.dumps(
    {
        "model": "FLUX_PRO",
        "prompt": "A beautiful sunset over the ocean, vibrant colors",
        "aspect_ratio": "16:9",
        "resolution": "1080p",
        "image_number": 1,
        "seed": 1,
        "caller_id": 7,
    }
)
_SUBMIT = "/v1/generation/text-to-image"
# Longer than a pass, so that no sweep takes a task back that only looks as if it ran.
_LEASE_SECONDS = 36_000.0
_RATE = "answers/s"


def measure(plan: Plan, one: Home, server: Server) -> Iterator[Line]:
    """The lines of submit and status, over a server without workers on the server's core."""
    keys = one.keys(plan.accounts)
    running, finished = _tasks(one, server, keys[0], plan.tasks)
    real = {
        floors.SUBMIT: [Request("POST", _SUBMIT, key, BODY) for key in keys],
        floors.FINISHED: [_status(keys[0], task_id) for task_id in finished],
        floors.RUNNING: [_status(keys[0], task_id) for task_id in running],
    }
    answers = {path: ask(server.url, asked[0]) for path, asked in real.items()}
    with floors.echo(keys, answers) as echo:
        yield from _submit_lines(plan, server, echo, real[floors.SUBMIT])
        yield from _status_lines(plan, server, echo, real)


def ask(url: str, asked: Request) -> Any:
    """The JSON answer to one request."""
    call = urllib.request.Request(
        url + asked.path,
        data=asked.body.encode() or None,
        headers={"Authorization": f"Bearer {asked.key}", "Content-Type": "application/json"},
        method=asked.method,
    )
    with urllib.request.urlopen(call, timeout=30) as answer:
        return json.load(answer)


def _status(key: str, task_id: str) -> Request:
    return Request("GET", f"/v1/generation/{task_id}/status", key)


def _tasks(one: Home, server: Server, key: str, count: int) -> tuple[list[str], list[str]]:
    """Running and finished tasks of one account, submitted for real and put into their state."""
    submit = Request("POST", _SUBMIT, key, BODY)
    for _ in range(2 * count):
        ask(server.url, submit)
    notes = {"words_used": ["sunset", "ocean"], "style": "photo", "subject": "sea"}

    async def story(database: Database) -> tuple[list[str], list[str]]:
        async with database.transaction() as tx:
            claimed = await leases.claim(
                tx,
                "bench",
                leases.Wanted(["FLUX_PRO"]),
                tasks_max=2 * count,
                lease_seconds=_LEASE_SECONDS,
            )
        for task in claimed[count:]:
            made = Asset(f"{task.id}.png", "image/png", 1_000_000, b"0" * 32, 1920, 1080)
            async with database.transaction() as tx:
                assert await leases.succeed(tx, task, [made], served_by="painter", notes=notes)
        return [task.id for task in claimed[:count]], [task.id for task in claimed[count:]]

    found: tuple[list[str], list[str]] = one.run(story)
    return found


def _echoed(path: str, requests: Sequence[Request]) -> list[Request]:
    return [Request(one.method, path, one.key, one.body) for one in requests]


def _rounds(plan: Plan, works: Sequence[tuple[str, Sequence[Request]]]) -> list[list[float]]:
    """Answers a second of each work in each round; the works take turns."""
    rates: list[list[float]] = [[] for _ in works]
    for _ in range(plan.rounds):
        for found, (url, requests) in zip(rates, works, strict=True):
            told = load.drive(url, requests, plan.round_seconds)
            found.append(told.answers / told.seconds)
    return rates


def _status_lines(
    plan: Plan, server: Server, echo: str, real: dict[str, list[Request]]
) -> Iterator[Line]:
    for path, word, bound in ((floors.FINISHED, "finished", 0.6), (floors.RUNNING, "running", 0.3)):
        works = [(echo, _echoed(path, real[path])), (server.url, real[path])]
        floor, found = _rounds(plan, works)
        name = f"status of a {word} task, {load.CONNECTIONS} connections"
        note = f"{plan.tasks} tasks of one account in turn; floor: Starlette+msgspec GET echo"
        yield of_pairs(name, Budget(True, bound), _RATE, floor, found, note)


def _submit_lines(
    plan: Plan, server: Server, echo: str, submits: Sequence[Request]
) -> Iterator[Line]:
    works = [
        (echo, _echoed(floors.SUBMIT, submits)),
        (server.url, submits),
        (server.url, submits[:1]),
    ]
    floor, many, single = _rounds(plan, works)
    budget = Budget(True, 0.25)
    name = f"submit, money durable, {load.CONNECTIONS} connections"
    note = "each submit commits its hold, ledger entry, batch and task; floor: Starlette+msgspec "
    note += "POST echo that decodes the same body"
    yield of_pairs(f"{name}, {plan.accounts} accounts", budget, _RATE, floor, many, note)
    yield of_pairs(f"{name}, one account", budget, _RATE, floor, single)
