"""Around every request: its id, its time, its record."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from darkroom import ids
from darkroom.api import trace
from darkroom.api.recorder import Recorder
from darkroom.domain.call_records import CallRecord

_RECORDED = ("/v1/", "/growthai/", "/fal/", "/replicate/")
_PATH_CHARS_MAX = 500
_ERROR_CHARS_MAX = 500


class Recorded:
    """Gives each request an id, answers it as `X-Request-Id`, and records API requests."""

    def __init__(self, app: ASGIApp, recorder: Recorder, wire: str) -> None:
        self._app = app
        self._recorder = recorder
        self._wire = wire

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = trace.Trace(ids.new("req"), self._wire)
        scope[trace.SCOPE_KEY] = seen
        at, started = datetime.now(UTC), time.perf_counter()
        status = 500

        async def tagged(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", seen.request_id.encode()))
            await send(message)

        try:
            await self._app(scope, receive, tagged)
        finally:
            if scope["path"].startswith(_RECORDED):
                self._recorder.add(_record(scope, seen, at, status, started))


def _record(
    scope: Scope, seen: trace.Trace, at: datetime, status: int, started: float
) -> CallRecord:
    client = scope.get("client")
    return CallRecord(
        request_id=seen.request_id,
        at=at,
        method=scope["method"],
        path=_kept(scope["path"][:_PATH_CHARS_MAX]),
        status=status,
        duration_ms=(time.perf_counter() - started) * 1000,
        account_id=seen.account_id,
        api_key_id=seen.api_key_id,
        code=seen.code if seen.code is not None else 0,
        ip=client[0] if client else None,
        batch_id=seen.batch_id,
        task_id=seen.task_id,
        mill=seen.mill,
        error=_kept(seen.error[:_ERROR_CHARS_MAX]) if seen.error else None,
    )


def _kept(text: str) -> str:
    """A text as PostgreSQL can keep it: without NUL and halves of surrogate pairs."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
