"""Events: one task followed as it goes, as Server-Sent Events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from darkroom import config, errors
from darkroom.api import waiting
from darkroom.api.call import Call, Route
from darkroom.domain import spellings, tasks

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_MEDIA_TYPE = "text/event-stream"
_ID_DIGITS_MAX = 18


async def of_task(call: Call) -> Response:
    """A stream of the caller's task; 204, which ends an EventSource, when it has seen the end."""
    task_id, account_id = call.request.path_params["task_id"], call.principal.account_id
    task = await call.edge.statuses.get(account_id, task_id)
    call.trace.task_id, call.trace.batch_id = task.id, task.batch_id
    seen = _last_seen(call.request.headers.get("last-event-id", ""))
    if task.is_ended and spellings.version(task) <= seen:
        return Response(status_code=204, headers=_HEADERS)
    if call.request.method == "HEAD":
        return Response(headers=_HEADERS, media_type=_MEDIA_TYPE)
    if call.edge.streams.locked():
        raise errors.Unavailable(
            f"The server has {config.EVENT_STREAMS_MAX} streams open. Ask for the status of the "
            "task, or try again shortly.",
            retry_after_seconds=5,
        )
    watched = waiting.watch(
        call.edge, account_id, task_id, seconds_max=config.EVENT_STREAM_SECONDS_MAX
    )
    spelling, base_url = call.principal.wire, call.base_url
    events = written(watched, lambda one: spellings.task(one, spelling, base_url), after=seen)
    return Stream(events, call.edge.streams)


async def written(
    watched: AsyncIterator[tasks.Task],
    show: Callable[[tasks.Task], dict[str, Any]],
    *,
    after: int,
    keep_alive_seconds: float = config.KEEP_ALIVE_SECONDS,
) -> AsyncIterator[bytes]:
    """The stream's bytes: an event for each version after `after`, a comment in long silences.

    The format is that of https://html.spec.whatwg.org/multipage/server-sent-events.html.
    """
    silent_since = time.monotonic()
    async for task in watched:
        now = time.monotonic()
        if spellings.version(task) > after:
            after, silent_since = spellings.version(task), now
            yield b"id: %d\nevent: task\ndata: %b\n\n" % (after, spellings.encode(show(task)))
        elif now - silent_since >= keep_alive_seconds:
            silent_since = now
            yield b": keep-alive\n\n"


def _last_seen(text: str) -> int:
    """The version in a Last-Event-ID; -1, before them all, when it is none of ours."""
    is_ours = text.isascii() and text.isdecimal() and len(text) <= _ID_DIGITS_MAX
    return int(text) if is_ours else -1


class Stream(StreamingResponse):
    """A stream that holds one of the places for as long as it is open."""

    def __init__(self, events: AsyncIterator[bytes], places: asyncio.Semaphore) -> None:
        super().__init__(events, headers=_HEADERS, media_type=_MEDIA_TYPE)
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        # Taken at once: nothing has run since the handler saw that there is one.
        async with self._places:
            await super().__call__(scope, receive, send)


ROUTES = (
    Route(
        "GET",
        "/v1/generation/{task_id}/events",
        of_task,
        "One task followed as it goes, as Server-Sent Events until its end.",
        (errors.Unauthenticated, errors.RateLimited, errors.TaskNotFound, errors.Unavailable),
    ),
)
