"""Following: one task's event stream as lines, opened again where it broke off."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import quote

import httpx

from darkroom.client import errors, shapes
from darkroom.client.flows import (
    OUTAGE_SECONDS_MAX,
    POLL_GROWTH,
    POLL_SECONDS_MAX,
    POLL_SECONDS_MIN,
    RETRY_STATUSES,
)

# The server breaks every silence after 15 s.
SILENCE_SECONDS_MAX = 45.0


class Following:
    """What is known of a followed task; the colours open its streams and feed it their lines.

    The format is that of https://html.spec.whatwg.org/multipage/server-sent-events.html.
    """

    def __init__(self, task_id: str, *, outage_seconds_max: float = OUTAGE_SECONDS_MAX) -> None:
        self.is_over = False
        self.failure: Exception | None = None
        self._task_id = task_id
        self._outage_seconds_max = outage_seconds_max
        self._last_id: str | None = None
        self._fields: dict[str, str] = {}
        self._silent_since: float | None = None
        self._pause_seconds = POLL_SECONDS_MIN

    def request(self, http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """The request that opens the stream, after the last event that came."""
        headers = {"Accept": "text/event-stream"}
        if self._last_id is not None:
            headers["Last-Event-ID"] = self._last_id
        known = http.timeout
        silence_seconds = None if known.read is None else max(known.read, SILENCE_SECONDS_MAX)
        limits = httpx.Timeout(
            connect=known.connect, read=silence_seconds, write=known.write, pool=known.pool
        )
        path = f"/v1/generation/{quote(self._task_id, safe='')}/events"
        return http.build_request("GET", path, headers=headers, timeout=limits)

    def is_open(self, response: httpx.Response) -> bool:
        """Whether there are lines to read; else `refused` takes the answer, its body being read."""
        media_type = response.headers.get("content-type", "").partition(";")[0]
        return response.status_code == 200 and media_type == "text/event-stream"

    def refused(self, response: httpx.Response) -> None:
        """Take an answer that is no stream; raises what it says, unless that may pass."""
        if response.status_code == 204:
            self.is_over = True
            return
        request_id = response.headers.get("x-request-id")
        self.failure = errors.refused(response.status_code, _body(response), request_id)
        if response.status_code not in RETRY_STATUSES:
            raise self.failure

    def read(self, line: str) -> shapes.Task | None:
        """Take one line; the task when the line ends an event."""
        self._silent_since, self._pause_seconds = None, POLL_SECONDS_MIN
        if line:
            name, _, value = line.partition(":")
            self._fields[name] = value.removeprefix(" ")
            return None
        fields, self._fields = self._fields, {}
        if "data" not in fields:
            return None
        self._last_id = fields.get("id", self._last_id)
        task = shapes.task(json.loads(fields["data"]))
        self.is_over = task.is_finished
        return task

    def pause_seconds(self) -> float:
        """How long to wait before the next stream; grows while nothing is heard.

        Raises what went wrong once new streams have told nothing for `outage_seconds_max`.
        """
        now = time.monotonic()
        if self._silent_since is None:
            self._silent_since = now
        if now - self._silent_since > self._outage_seconds_max:
            if isinstance(self.failure, errors.DarkroomError):
                raise self.failure
            said = str(self.failure or "the stream ended without an event")
            raise errors.ConnectionFailed(
                f"The events of {self._task_id} do not come back ({said}). The task goes on: "
                "follow it again, or ask for its status."
            ) from self.failure
        self._fields = {}
        self._pause_seconds = min(self._pause_seconds * POLL_GROWTH, POLL_SECONDS_MAX)
        return self._pause_seconds


def _body(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None
