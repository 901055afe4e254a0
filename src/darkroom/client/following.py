"""Following: a stream of events as lines, a task's or a listener's, opened again where it broke."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any, Generic, TypeVar
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


Told = TypeVar("Told")


class Stream(Generic[Told]):
    """What is known of a stream; the colours open it again and again and feed it its lines.

    The format is that of https://html.spec.whatwg.org/multipage/server-sent-events.html.
    """

    # What does not come back, and what to do about it.
    says = ""

    def __init__(self, path: str, *, outage_seconds_max: float = OUTAGE_SECONDS_MAX) -> None:
        self.is_over = False
        self.failure: Exception | None = None
        self._path = path
        self._params: dict[str, str] = {}
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
        return http.build_request(
            "GET", self._path, params=self._params or None, headers=headers, timeout=limits
        )

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

    def read(self, line: str) -> Told | None:
        """Take one line; what is told when the line ends an event."""
        self._silent_since, self._pause_seconds = None, POLL_SECONDS_MIN
        if line:
            name, _, value = line.partition(":")
            self._fields[name] = value.removeprefix(" ")
            return None
        fields, self._fields = self._fields, {}
        if "data" not in fields:
            return None
        self._last_id = fields.get("id", self._last_id)
        return self._told(fields.get("event", ""), json.loads(fields["data"]))

    def _told(self, event: str, data: Any) -> Told | None:
        """What an event tells."""
        raise NotImplementedError

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
            raise errors.ConnectionFailed(self.says.format(said)) from self.failure
        self._fields = {}
        self._pause_seconds = min(self._pause_seconds * POLL_GROWTH, POLL_SECONDS_MAX)
        return self._pause_seconds


class Following(Stream[shapes.Task]):
    """A task that is followed to its end."""

    def __init__(self, task_id: str, *, outage_seconds_max: float = OUTAGE_SECONDS_MAX) -> None:
        path = f"/v1/generation/{quote(task_id, safe='')}/events"
        super().__init__(path, outage_seconds_max=outage_seconds_max)
        self.says = (
            f"The events of {task_id} do not come back ({{}}). The task goes on: "
            "follow it again, or ask for its status."
        )

    def _told(self, event: str, data: Any) -> shapes.Task:
        task = shapes.task(data)
        self.is_over = task.is_finished
        return task


class Listening(Stream[shapes.Heard]):
    """The account's webhooks, heard from now on; ends only when it is left."""

    says = "The webhooks do not come back ({}). They are kept for a minute: listen again."

    def __init__(self, events: Sequence[str]) -> None:
        super().__init__("/v1/webhooks/listen")
        self._params = {"events": ",".join(events)}

    def _told(self, event: str, data: Any) -> shapes.Heard | None:
        if event == "listening":
            # Under this name the server goes on where the stream breaks off.
            self._params["listener_id"] = data["listener_id"]
            return None
        return shapes.Heard(dict(data["headers"]), str(data["body"]).encode())


def _body(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None
