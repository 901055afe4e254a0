"""Following: events as they come, in both colours, whatever breaks off."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from scripted import Answer, awaited, blocking, said, task

from darkroom.client import (
    ConnectionFailed,
    NotFound,
    RateLimited,
    ServerError,
    flows,
    operations,
    sending,
)
from darkroom.client.following import Following

STREAM = {"Content-Type": "text/event-stream; charset=utf-8"}


def event(number: int, status: str, **more: Any) -> bytes:
    data = json.dumps(task(status, **more)).encode()
    return b"id: %d\nevent: task\ndata: %b\n\n" % (number, data)


def stream(*chunks: bytes, cut: int | None = None) -> Answer:
    return Answer(200, b"".join(chunks), STREAM, cut)


@pytest.fixture
def follow(scripted: Any, colour: Any) -> Any:
    """The tasks that `events` gives, in both colours."""

    async def gathered(client: Any) -> list[Any]:
        return [one async for one in client.events("task_1")]

    stories = {blocking: lambda c: [*c.events("task_1")], awaited: gathered}
    return lambda: colour(scripted.url, stories[colour])


def test_events_come_as_tasks_until_the_last(scripted, follow) -> None:
    scripted.answers(
        stream(b": keep-alive\n\n", event(1, "waiting"), event(2, "PROCESSING", progress=40)),
        stream(event(3, "SUCCESS")),
    )
    seen = [(one.status, one.progress) for one in follow()]
    assert seen == [("PENDING", 0), ("PROCESSING", 40), ("SUCCESS", 100)]
    assert scripted.asked[0].path == "/v1/generation/task_1/events"
    assert scripted.asked[0].headers["accept"] == "text/event-stream"


def test_a_broken_stream_is_opened_again_behind_the_last_whole_event(scripted, follow) -> None:
    first = event(7, "PENDING")
    torn = stream(first, event(8, "SUCCESS"), cut=len(first) + 30)
    scripted.answers(torn, Answer(503), stream(), stream(event(9, "FAILED", msg="torn")))
    assert [one.status for one in follow()] == ["PENDING", "FAILED"]
    asked = [one.headers.get("last-event-id") for one in scripted.asked]
    assert asked == [None, "7", "7", "7"]


def test_a_task_whose_end_was_seen_has_no_more_events(scripted, follow) -> None:
    scripted.answers(Answer(204))
    assert follow() == []


@pytest.mark.parametrize("http", [404, 200])
def test_a_refusal_is_raised_in_either_spelling(scripted, follow, http) -> None:
    scripted.answers(said(None, status=1003, http=http))
    with pytest.raises(NotFound):
        follow()
    assert len(scripted.asked) == 1


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (httpx.Response(503), ServerError),
        (httpx.Response(429), RateLimited),
        (None, ConnectionFailed),
    ],
)
def test_an_outage_that_lasts_is_raised(failure, raised) -> None:
    following = Following("task_1", outage_seconds_max=0)
    if failure is not None:
        following.refused(failure)
    assert following.pause_seconds() > 0
    with pytest.raises(raised):
        following.pause_seconds()


def test_pauses_grow_until_something_is_heard() -> None:
    following = Following("task_1")
    pauses = [following.pause_seconds() for _ in range(20)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == flows.POLL_SECONDS_MAX
    following.read(": keep-alive")
    assert following.pause_seconds() == pauses[0]


def test_submit_asks_the_server_to_wait(scripted, colour) -> None:
    done = task("SUCCESS")
    scripted.answers(said({"task_ids": ["task_1"], "tasks": [done]}))

    def story(client: Any) -> Any:
        return client.submit("text-to-image", prompt="a", model="M", wait_seconds=9)

    made = colour(scripted.url, story)
    assert [one.status for one in made.tasks] == ["SUCCESS"]
    assert scripted.asked[0].headers["prefer"] == "wait=9"
    assert "wait_seconds" not in scripted.asked[0].json


def test_submit_is_patient_for_as_long_as_the_server_may_take() -> None:
    with httpx.Client(base_url="http://a", timeout=httpx.Timeout(1)) as http:
        step = flows.Send(operations.submit("text-to-image", {}, 9, idempotency_key="k"))
        assert sending.request(http, step).extensions["timeout"]["read"] == 10
