"""Answers that wait: tasks watched at a gentle pace until they, the server or the time end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.requests import ClientDisconnect

from darkroom import config, errors
from darkroom.api.call import Call, Edge
from darkroom.domain import endings, spellings, tasks

_log = logging.getLogger(__name__)
_PAUSE_SECONDS_MIN = 0.05
_PAUSE_GROWTH = 1.5
_PAUSE_SECONDS_MAX = {tasks.PENDING: 2.0, tasks.PROCESSING: 0.25}


async def watch(
    edge: Edge, account_id: str, task_id: str, *, seconds_max: float
) -> AsyncIterator[tasks.Task]:
    """The task now and again and again, until it has ended, the server stops, or the time is over.

    Also ends when the task cannot be read: whoever waits asks again, or has its id. The reads of
    all who watch share statements.
    """
    until = time.monotonic() + seconds_max
    pause_seconds = _PAUSE_SECONDS_MIN
    while True:
        try:
            task = await edge.statuses.get(account_id, task_id)
        except (errors.DatabaseUnavailable, errors.TaskNotFound) as exc:
            _log.warning("%s is no longer watched: %s", task_id, exc)
            return
        yield task
        left_seconds = until - time.monotonic()
        if task.is_ended or edge.stop.is_set() or left_seconds <= 0:
            return
        pause_seconds = min(pause_seconds * _PAUSE_GROWTH, _PAUSE_SECONDS_MAX[task.status])
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(edge.stop.wait(), min(pause_seconds, left_seconds))
        if edge.stop.is_set():
            return


async def until_ended(
    edge: Edge, account_id: str, task_ids: Sequence[str], seconds_max: float
) -> list[tasks.Task] | None:
    """The tasks once all have ended; None when they have not within so many seconds."""
    until = time.monotonic() + seconds_max
    ended = []
    for task_id in task_ids:
        left_seconds = until - time.monotonic()
        last = None
        async for task in watch(edge, account_id, task_id, seconds_max=left_seconds):
            last = task
        if last is None or not last.is_ended:
            return None
        ended.append(last)
    return ended


@contextlib.asynccontextmanager
async def place(edge: Edge) -> AsyncIterator[None]:
    """One of the places for answers that wait; raises `Unavailable` when none is free."""
    if edge.streams.locked():
        raise errors.Unavailable("Too many answers are waited for here.", retry_after_seconds=1)
    async with edge.streams:
        yield


async def held(call: Call, task_ids: Sequence[str], seconds_max: float) -> list[tasks.Task]:
    """The tasks at their end, in order, for an answer that is held back until then.

    Those that take too long, or that nobody waits for any more, are told to stop.
    """
    edge, account_id, until = call.edge, call.principal.account_id, time.monotonic() + seconds_max
    found: list[tasks.Task] = []
    is_gone = False
    for task_id in task_ids:
        left_seconds = until - time.monotonic()
        async for task in watch(edge, account_id, task_id, seconds_max=left_seconds):
            if task.is_ended:
                found.append(task)
            elif is_gone := await call.request.is_disconnected():
                break
        if not found or found[-1].id != task_id:
            break
    # Those that wait come first: a worker that a stopped one leaves free would begin them.
    stopped = []
    for task_id in reversed(task_ids[len(found) :]):
        async with edge.database.transaction() as tx:
            stopped.append((await endings.cancel(tx, account_id, task_id)).task)
    if all(task.is_ended and task.error is None for task in stopped):
        return found + stopped[::-1]
    if is_gone:
        raise ClientDisconnect
    raise errors.Unavailable(
        f"{stopped[-1].id} had not ended when the server waited no longer, {seconds_max:g} "
        "seconds at the most, and was told to stop: its status tells its end and its cost."
    )


async def preferred(
    call: Call, answer: dict[str, Any], task_ids: Sequence[str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """A submit's answer and headers; with its tasks if the caller prefers to wait and they end.

    `Prefer: wait=N` (RFC 7240, 4.3) is honoured for 1 to 60 seconds, and while the server has
    room for one more that waits.
    """
    sent = call.request.headers.getlist("prefer")
    seconds = seconds_preferred(sent) if sent else None
    if seconds is None or call.edge.streams.locked():
        return answer, {}
    async with call.edge.streams:
        ended = await until_ended(call.edge, call.principal.account_id, task_ids, seconds)
    if ended is not None:
        shown = [spellings.task(task, call.principal.wire, call.base_url) for task in ended]
        told = shown[0] if len(shown) == 1 else {"task_status": shown[0]["task_status"]}
        answer = answer | told | {"tasks": shown}
    return answer, {"Preference-Applied": f"wait={seconds}"}


def seconds_preferred(headers: Sequence[str]) -> int | None:
    """Seconds of the first `wait` among preferences; None when there is none that is any good."""
    for preference in ",".join(headers).split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() != "wait":
            continue
        text = value.strip().strip('"')
        is_good = text.isascii() and text.isdecimal() and len(text) < 4
        seconds = int(text) if is_good else 0
        return seconds if 1 <= seconds <= config.PREFER_WAIT_SECONDS_MAX else None
    return None
