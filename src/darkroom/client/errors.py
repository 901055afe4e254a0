"""Every error of the SDK, in one tree.

DarkroomError
 ├ ConnectionFailed      no answer: the server is not there, or the connection broke
 ├ ApiError              the server refused; `status`, `code`, `field`, `request_id` say what
 │  ├ BadRequest            a parameter is missing or wrong
 │  ├ AuthenticationFailed  the API key is missing, wrong or revoked, or may not do that
 │  ├ InsufficientCredits   the account has too few credits
 │  ├ NotFound              no such task, batch, file or address
 │  ├ ContentRefused        the content policy refused the prompt or a picture
 │  ├ RateLimited           too much at once; waiting helps
 │  └ ServerError           the server failed
 ├ TaskFailed            a task ended badly; `task` says why
 ├ WaitTimeout           the tasks were not finished in time; they go on
 ├ WebhookNotVerified    a webhook is not what a Darkroom signed, or not of now; answer it 400
 └ WebhookKeyUnusable    the secret or public key to verify with is none
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from darkroom.client.shapes import Task


class DarkroomError(Exception):
    """Something went wrong; the text says what to do.

    `idempotency_key` is that of the submit that failed; under it a repeat is done once.
    """

    idempotency_key: str | None = None


class ConnectionFailed(DarkroomError):
    """No answer came: the server is not there, or the connection broke."""


class ApiError(DarkroomError):
    """The server refused: HTTP `status`, business `code`, its `message`, the `field` it is about.

    `request_id` finds the request in the server's call history.
    """

    advice: ClassVar[str] = ""

    def __init__(
        self,
        status: int,
        code: int | None,
        message: str,
        field: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(status, code, message, field, request_id)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.request_id = request_id

    def __str__(self) -> str:
        message = self.message if self.message.endswith((".", "!", "?")) else f"{self.message}."
        if self.field and self.field not in message:
            message = f"{self.field}: {message}"
        known = f"HTTP {self.status}"
        if self.code is not None:
            known += f", code {self.code}"
        if self.request_id:
            known += f", request {self.request_id}"
        return f"{message} {self.advice}{' ' if self.advice else ''}({known})"


class BadRequest(ApiError):
    """A parameter is missing or wrong: correct the request."""


class AuthenticationFailed(ApiError):
    """The API key is missing, wrong or revoked, or may not do that."""

    advice = "Check DARKROOM_API_KEY, or the api_key that was given."


class InsufficientCredits(ApiError):
    """The account has fewer credits than the request needs."""


class NotFound(ApiError):
    """No such task, batch, file or address for this account."""

    advice = "Check the id, and that the API key is of the account that made it."


class ContentRefused(ApiError):
    """The content policy refused the prompt or a picture: change it."""


class RateLimited(ApiError):
    """Too much at once."""

    advice = "Wait a moment, then try again."


class ServerError(ApiError):
    """The server failed; nothing is wrong with the request."""

    advice = "Try again; if that does not help, tell the server's operator the request."


class TaskFailed(DarkroomError):
    """A task ended badly: `task` is the first that did, `tasks` all that were waited for."""

    def __init__(self, task: Task, tasks: Sequence[Task] = ()) -> None:
        super().__init__(task, tasks)
        self.task = task
        self.tasks = list(tasks) or [task]

    def __str__(self) -> str:
        code = "" if self.task.error_code is None else f" (code {self.task.error_code})"
        return f"The task {self.task.id} failed: {self.task.message or 'no reason given'}{code}"


class WaitTimeout(DarkroomError):
    """The tasks were not finished in time; they go on, and `tasks` is how they were last seen."""

    def __init__(self, timeout_seconds: float, tasks: Sequence[Task] = ()) -> None:
        super().__init__(timeout_seconds, tasks)
        self.timeout_seconds = timeout_seconds
        self.tasks = list(tasks)

    def __str__(self) -> str:
        said = ", ".join(f"{task.id} {task.status} {task.progress} %" for task in self.tasks)
        return (
            f"Not finished after {self.timeout_seconds:g} s: {said or 'no status came'}. "
            "The tasks go on: wait again with the same ids."
        )


class WebhookNotVerified(DarkroomError):
    """A webhook is not what its sender signed, or not of now: answer it with 400."""


class WebhookKeyUnusable(DarkroomError):
    """The secret or the public key to verify webhooks with is none, or needs a package."""


_BY_STATUS: dict[int, type[ApiError]] = {
    401: AuthenticationFailed,
    402: InsufficientCredits,
    403: AuthenticationFailed,
    404: NotFound,
    410: NotFound,
    429: RateLimited,
}
# Business codes, which alone tell what happened where refusals arrive as HTTP 200.
_BY_CODE: dict[int, type[ApiError]] = {
    1001: RateLimited,
    1003: NotFound,
    1007: RateLimited,
    1009: AuthenticationFailed,
    1010: NotFound,
    1011: InsufficientCredits,
    2001: ContentRefused,
    2003: ContentRefused,
    5000: ServerError,
    6001: ServerError,
    6002: RateLimited,
    6003: ServerError,
    6004: ServerError,
    6007: ServerError,
    6010: RateLimited,
    6101: RateLimited,
}


def refused(status: int, body: Any, request_id: str | None) -> ApiError:
    """The error for an answer that is no success; `body` is its JSON, or None when it has none."""
    if not isinstance(body, dict):
        kind = _BY_STATUS.get(status, ServerError)
        return kind(status, None, "The answer is not Darkroom's: check the address", None)
    code = body.get("status")
    code = code if isinstance(code, int) else None
    found = _BY_STATUS.get(status) or _BY_CODE.get(code or 0)
    if found is None:
        found = ServerError if status >= 500 else BadRequest
    message = next((text for key in ("msg", "message", "desc") if (text := body.get(key))), "")
    said = str(message) or "The server gave no reason"
    return found(status, code, said, body.get("field"), body.get("request_id") or request_id)
