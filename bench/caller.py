"""A caller: submits and asks over one kept connection, as a client in a loop does."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any
from urllib.parse import urlsplit

# The server closes a connection that was idle for five seconds.
_IDLE_SECONDS_MAX = 2.0


class Caller:
    """One key's kept connection to a server."""

    def __init__(self, url: str, key: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._used_at = time.monotonic()
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def submit(self, prompt: str, side_pixels: int, seed: int) -> str:
        """Submit one square picture; answers the task's id."""
        body = {"model": "FLUX_PRO", "prompt": prompt, "seed": seed}
        body["resolution"] = f"{side_pixels}x{side_pixels}"
        task_id: str = self._ask("POST", "/v1/generation/text-to-image", body)["task_id"]
        return task_id

    def submit_many(self, model: str, count: int) -> None:
        """Submit so many tasks of a model in one request."""
        body = {"model": model, "prompt": "nothing", "image_number": count}
        self._ask("POST", "/v1/generation/text-to-image", body)

    def status(self, task_id: str) -> str:
        """The state of one task, as the API tells it."""
        status: str = self._ask("GET", f"/v1/generation/{task_id}/status")["task_status"]
        return status

    def search(self, request_id: str) -> int:
        """How many call records have this request id."""
        return len(self._ask("GET", f"/v1/history?request_id={request_id}")["records"])

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        if time.monotonic() - self._used_at > _IDLE_SECONDS_MAX:
            self._connection.close()  # the next request opens a new one
        given = None if body is None else json.dumps(body)
        self._connection.request(method, path, given, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        self._used_at = time.monotonic()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:500]!r}")
        return json.loads(text)["data"]
