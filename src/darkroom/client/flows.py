"""What the client does, as generators that yield steps: the two colours only carry steps out."""

from __future__ import annotations

import io
import random
import re
import time
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import httpx

from darkroom.client import errors, operations, shapes
from darkroom.client.kinds import KINDS, Kind
from darkroom.client.operations import Operation
from darkroom.client.saving import Saving

Result = TypeVar("Result")
Submitted = shapes.Submitted | int | str | Sequence[str]
Content = str | PathLike[str] | bytes | BinaryIO
Progress = Callable[[list[shapes.Task]], None]

RETRIES_MAX = 2
RETRY_STATUSES = (429, 502, 503, 504)
RETRY_PAUSE_SECONDS = 0.25
# A server that wants a longer pause is told of as an error: the caller knows better what to do.
RETRY_AFTER_SECONDS_MAX = 30.0
POLL_SECONDS_MIN = 0.1
POLL_SECONDS_MAX = 2.0
POLL_GROWTH = 1.5
# A wait outlives a server that restarts.
OUTAGE_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Send:
    """The step that sends a request and answers its response; raises httpx's errors."""

    operation: Operation[Any]
    timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """The step that lets time go by."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Save:
    """The step that streams an address into a file; answers the response, its body saved if 200."""

    url: str
    saving: Saving


Step = Send | Pause | Save
Flow = Generator[Step, Any, Result]


def call(operation: Operation[Result], until: float | None = None) -> Flow[Result]:
    """Send an operation and read its answer, again after what may pass; not beyond `until`."""
    response = yield from _retried(operation, operation.is_repeatable, until)
    try:
        body = response.json()
    except ValueError:
        body = None
    request_id = response.headers.get("x-request-id")
    return operation.answer(response.status_code, body, request_id)


def _retried(
    step: Operation[Any] | Save, is_repeatable: bool, until: float | None = None
) -> Flow[httpx.Response]:
    """The response to a step that was carried out up to 1 + RETRIES_MAX times."""
    for retries_left in reversed(range(RETRIES_MAX + 1)):
        pause_seconds = RETRY_PAUSE_SECONDS * 2 ** (RETRIES_MAX - retries_left)
        pause_seconds *= random.uniform(0.8, 1.2)
        sent = step if isinstance(step, Save) else Send(step, _left(until))
        try:
            response: httpx.Response = yield sent
        except httpx.RequestError as exc:
            # A refused connection carried nothing; of any other failure nobody knows.
            may_repeat = is_repeatable or isinstance(exc, httpx.ConnectError)
            if not may_repeat or not retries_left or _is_over(until, pause_seconds):
                raise _connection_failed(exc, step) from exc
        else:
            asked_seconds = _retry_after(response.headers.get("retry-after"))
            pause_seconds = max(pause_seconds, asked_seconds)
            if (
                response.status_code not in RETRY_STATUSES
                or not (is_repeatable and retries_left)
                or asked_seconds > RETRY_AFTER_SECONDS_MAX
                or _is_over(until, pause_seconds)
            ):
                return response
        yield Pause(pause_seconds)
    raise AssertionError("the last round returns or raises")


def _left(until: float | None) -> float | None:
    return None if until is None else max(until - time.monotonic(), 0.01)


def _is_over(until: float | None, pause_seconds: float) -> bool:
    return until is not None and time.monotonic() + pause_seconds >= until


def _retry_after(text: str | None) -> float:
    """Seconds asked for by a Retry-After header, a number or a date (RFC 9110, 10.2.3)."""
    if text is None:
        return 0.0
    if text.strip().isdecimal():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return max(at.timestamp() - time.time(), 0.0)


def _connection_failed(
    exc: httpx.RequestError, step: Operation[Any] | Save
) -> errors.ConnectionFailed:
    said = str(exc) or type(exc).__name__
    where = f"{exc.request.url.scheme}://{exc.request.url.netloc.decode()}"
    if isinstance(exc, httpx.ConnectError | httpx.ConnectTimeout):
        return errors.ConnectionFailed(
            f"No server answers at {where} ({said}). Start it, or set DARKROOM_BASE_URL to its "
            "address."
        )
    text = f"The connection to {where} failed before the answer came ({said})."
    if isinstance(step, Operation) and step.idempotency_key is not None:
        text += (
            " The request may have arrived: send it again with "
            f'idempotency_key="{step.idempotency_key}", and it is done once.'
        )
    elif isinstance(step, Operation) and not step.is_repeatable:
        text += " The request may have arrived: look into the history before you send it again."
    return errors.ConnectionFailed(text)


def submit(
    kind: str,
    given: Mapping[str, Any],
    wait_seconds: int | None = None,
    idempotency_key: str | None = None,
) -> Flow[shapes.Submitted]:
    """Upload the local files that fields name, then submit under one key for all repeats."""
    key = uuid.uuid4().hex if idempotency_key is None else idempotency_key
    if not re.fullmatch("[!-~]{1,255}", key):
        raise errors.DarkroomError(
            "idempotency_key is 1 to 255 visible ASCII characters, such as a UUID."
        )
    fields = dict(given)
    known = KINDS.get(kind, Kind(kind))
    for name in known.files:
        if fields.get(name) is not None:
            addresses = yield from _addresses(fields[name])
            fields[name] = addresses if name in known.lists else addresses[0]
    operation = operations.submit(kind, fields, wait_seconds, idempotency_key=key)
    try:
        return (yield from call(operation))
    except errors.DarkroomError as exc:
        exc.idempotency_key = key
        raise


def _addresses(given: Any) -> Flow[list[str]]:
    """The addresses of a field's files, each uploaded unless it is one already."""
    found = []
    for content in given if isinstance(given, list | tuple) else [given]:
        found.append(content if _is_address(content) else (yield from upload(content)))
    return found


def _is_address(content: Content) -> bool:
    return isinstance(content, str) and content.lower().startswith(("http://", "https://", "data:"))


def upload(content: Content) -> Flow[str]:
    """Store a file of the caller's; a path is opened here, an open file stays open."""
    if isinstance(content, bytes):
        return (yield from call(operations.upload("upload", io.BytesIO(content))))
    if isinstance(content, str | PathLike):
        path = Path(content)
        with path.open("rb") as stream:
            return (yield from call(operations.upload(path.name, stream)))
    return (yield from call(operations.upload("upload", content)))


def wait(
    submitted: Submitted, timeout_seconds: float, on_progress: Progress | None
) -> Flow[list[shapes.Task]]:
    """Ask until every task has ended; raises `TaskFailed` and `WaitTimeout`."""
    until = time.monotonic() + timeout_seconds
    pause_seconds = POLL_SECONDS_MIN
    seen_at = time.monotonic()
    tasks: list[shapes.Task] = []
    while True:
        try:
            tasks = yield from _ask(submitted, until)
        except (errors.ConnectionFailed, errors.ServerError, errors.RateLimited) as exc:
            if time.monotonic() >= until:
                raise errors.WaitTimeout(timeout_seconds, tasks) from exc
            if time.monotonic() - seen_at > OUTAGE_SECONDS_MAX:
                raise
        else:
            seen_at = time.monotonic()
            if on_progress is not None:
                on_progress(tasks)
            if all(task.is_finished for task in tasks):
                return _checked(tasks)
        if _is_over(until, 0):
            raise errors.WaitTimeout(timeout_seconds, tasks)
        yield Pause(min(pause_seconds, max(until - time.monotonic(), 0)))
        pause_seconds = min(pause_seconds * POLL_GROWTH, POLL_SECONDS_MAX)


def _ask(submitted: Submitted, until: float) -> Flow[list[shapes.Task]]:
    """The state of what was submitted: one request for a batch, else one for each task id."""
    if isinstance(submitted, shapes.Submitted):
        submitted = submitted.task_ids if submitted.batch_id is None else submitted.batch_id
    if isinstance(submitted, int):
        return (yield from call(operations.batch(submitted), until))
    tasks = []
    for task_id in [submitted] if isinstance(submitted, str) else submitted:
        tasks.append((yield from call(operations.status(task_id), until)))
    return tasks


def _checked(tasks: list[shapes.Task]) -> list[shapes.Task]:
    for task in tasks:
        if task.status == "FAILED":
            raise errors.TaskFailed(task, tasks)
    return tasks


def generate(
    kind: str,
    given: Mapping[str, Any],
    timeout_seconds: float,
    on_progress: Progress | None,
    idempotency_key: str | None,
) -> Flow[list[shapes.Task]]:
    """Submit, then wait."""
    submitted = yield from submit(kind, given, idempotency_key=idempotency_key)
    return (yield from wait(submitted, timeout_seconds, on_progress))


def download(wanted: shapes.Task | str, to: str | PathLike[str]) -> Flow[list[Path]]:
    """Save every result of a task, or one address; answers where."""
    if isinstance(wanted, shapes.Task):
        if not wanted.files:
            raise errors.DarkroomError(
                f"The task {wanted.id} is {wanted.status} and has no files: wait until it is "
                "SUCCESS."
            )
        urls = wanted.files
    else:
        urls = (wanted,)
    paths = []
    for saving in Saving.plan(urls, Path(to)):
        with saving:
            response = yield from _retried(Save(saving.url, saving), True)
            if response.status_code != 200:
                raise errors.refused(response.status_code, _body(response), None)
            paths.append(saving.keep())
    return paths


def _body(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None
