"""Events: a task followed to its end over one stream, and again from where a stream broke off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from msgspec.structs import fields, replace
from wire_calls import finished, refused, status, submit

from darkroom.api.routes import events
from darkroom.domain import spellings, tasks
from darkroom.domain.places import Place

SAID = {
    "id": "task_1",
    "batch_id": 1,
    "kind": "text-to-image",
    "model": "PAINTER",
    "status": tasks.PENDING,
    "attempt": 0,
    "progress": 0.0,
    "price_mill": 1,
    "created_at": datetime(2026, 1, 31, tzinfo=UTC),
    "files": [],
}
TASK = tasks.Task(**{one.name: None for one in fields(tasks.Task)} | SAID)


def path(task_id: str) -> str:
    return f"/v1/generation/{task_id}/events"


def parsed(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Id and task of each event of a stream, whose every event is called `task`."""
    for block in text.removesuffix("\n\n").split("\n\n"):
        said = dict(line.split(": ", 1) for line in block.splitlines())
        assert said["event"] == "task"
        yield int(said["id"]), json.loads(said["data"])


def followed(caller: httpx.Client, task_id: str, **headers: str) -> list[tuple[int, dict]]:
    """Every event of a task until the server ends the stream."""
    answer = caller.get(path(task_id), headers={k.replace("_", "-"): v for k, v in headers.items()})
    assert answer.status_code == 200, answer.text
    return list(parsed(answer.text))


@pytest.mark.parametrize(("wire", "word"), [("quickstart", "SUCCESS"), ("reference", "succeed")])
def test_a_stream_tells_a_task_to_its_end_in_the_caller_s_spelling(callers, wire, word):
    caller = callers(wire=wire)
    task_id = submit(caller)["task_id"]
    seen = followed(caller, task_id)
    assert [one["task_id"] for _, one in seen] == [task_id] * len(seen)
    assert [one["task_status"] for _, one in seen].count(word) == 1
    assert seen[-1][1] == status(caller, task_id)


def test_ids_only_grow(caller):
    seen = followed(caller, submit(caller, resolution="1024x1024")["task_id"])
    numbers = [number for number, _ in seen]
    assert numbers == sorted(set(numbers))
    assert len(numbers) > 1


def test_stream_headers_keep_caches_and_proxies_out(caller):
    task_id = submit(caller)["task_id"]
    for answer in (caller.get(path(task_id)), caller.head(path(task_id))):
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert answer.headers["X-Request-Id"].startswith("req_")


def test_last_event_id_resumes_behind_what_was_seen(caller):
    task_id = submit(caller)["task_id"]
    last = followed(caller, task_id)[-1]
    assert followed(caller, task_id, Last_Event_ID=str(last[0] - 1)) == [last]
    again = caller.get(path(task_id), headers={"Last-Event-ID": str(last[0])})
    assert (again.status_code, again.content) == (204, b"")


@pytest.mark.parametrize("junk", ["", "x", "-5", "1.5", "9" * 19, "\u0663".encode()])
def test_a_last_event_id_that_is_none_of_ours_begins_anew(caller, junk):
    task_id = submit(caller)["task_id"]
    finished(caller, task_id)
    answer = caller.get(path(task_id), headers={"Last-Event-ID": junk})
    assert len(list(parsed(answer.text))) == 1


def test_an_unknown_task_is_not_followed(careful):
    refused(careful.get(path("task_abc")), 404, 1003, "task not exist")


def test_another_account_s_task_is_not_followed(caller, callers):
    refused(callers().get(path(submit(caller)["task_id"])), 404, 1003, "task not exist")


def test_a_stream_without_a_key_is_refused(server):
    refused(httpx.get(server.url + path("task_abc")), 401, 1002, "API key")


def test_a_caller_that_leaves_gives_its_place_back():
    places = asyncio.Semaphore(1)
    begun = asyncio.Event()
    taken = []

    async def endless() -> AsyncIterator[bytes]:
        taken.append(places.locked())
        begun.set()
        await asyncio.Event().wait()
        yield b"never"

    async def receive() -> dict[str, str]:
        await begun.wait()
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        """Let the first lines go nowhere."""

    asyncio.run(events.Stream(endless(), places)({"type": "http"}, receive, send))
    assert (taken, places.locked()) == ([True], False)


def collected(snapshots: list[tasks.Task], **given: Any) -> list[bytes]:
    """What is written of a task that is seen in these states, one after the other."""

    async def watched() -> AsyncIterator[tasks.Task]:
        for one in snapshots:
            yield one

    async def told() -> list[bytes]:
        written = events.written(watched(), lambda one: {"status": one.status}, **given)
        return [chunk async for chunk in written]

    return asyncio.run(told())


def test_a_long_silence_is_broken_by_a_comment():
    said = collected([TASK] * 3, after=-1, keep_alive_seconds=0)
    assert said[1:] == [b": keep-alive\n\n"] * 2
    assert len(collected([TASK] * 3, after=-1)) == 1


def test_a_snapshot_is_an_event_of_four_lines():
    said = b'id: 8000000\nevent: task\ndata: {"status":"PENDING"}\n\n'
    assert collected([TASK], after=-1) == [said]
    assert collected([TASK], after=8000000) == []


def test_versions_grow_through_waiting_running_and_every_attempt():
    def at(attempt: int, name: str, progress: float = 0, position: int | None = None) -> int:
        place = Place("task_1", position, False, None) if position else None
        one = replace(TASK, status=name, attempt=attempt, progress=progress, place=place)
        return spellings.version(one)

    def seen(attempt: int, after_seconds: float, **more: Any) -> int:
        begun = datetime(2026, 1, 31, tzinfo=UTC)
        running = replace(TASK, status=tasks.PROCESSING, attempt=attempt, progress=1)
        preview_at = begun + timedelta(seconds=after_seconds)
        return spellings.version(replace(running, started_at=begun, preview_at=preview_at, **more))

    told = [at(0, tasks.PENDING), at(0, tasks.PENDING, 0, 999), at(0, tasks.PENDING, 0, 1)]
    for attempt in range(1, 6):
        told += [at(attempt, tasks.PROCESSING, done) for done in (0, 0.5, 1)]
        told += [seen(attempt, seconds) for seconds in (1, 2.1, 86_400)]
        told += [seen(attempt, 10_000_000, cancel_asked_at=TASK.created_at)]
        told += [at(attempt, tasks.PENDING, 0, position) for position in (1000, 7, 1)]
    told += [at(5, tasks.FAILED)]
    assert told == sorted(set(told))
