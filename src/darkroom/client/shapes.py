"""What answers become: tasks, submissions and pages of history, whichever spelling they came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Every spelling that this wire's servers use; an unknown one counts as still running.
_STATUSES = {
    "waiting": "PENDING",
    "pending": "PENDING",
    "processing": "PROCESSING",
    "running": "PROCESSING",
    "succeed": "SUCCESS",
    "success": "SUCCESS",
    "failed": "FAILED",
}
_OUTPUTS = ("images", "videos", "audios", "texts")


@dataclass(frozen=True, slots=True)
class Task:
    """One task: `status` is PENDING, PROCESSING, SUCCESS or FAILED; `progress` 0 to 100.

    `files` are the addresses of its results, `message` says why it failed, `cost` is in credits,
    and `data` is the whole answer as the server gave it.
    """

    id: str
    status: str
    files: tuple[str, ...]
    message: str | None
    error_code: int | None
    batch_id: int | None
    kind: str | None
    model: str | None
    served_by: str | None
    progress: int
    seed: int | None
    cost: float | None
    data: Mapping[str, Any] = field(repr=False)

    @property
    def is_finished(self) -> bool:
        """Whether the task has ended, well or badly."""
        return self.status in ("SUCCESS", "FAILED")


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a submit answered: the ids to ask with, and the credits held for it.

    `tasks` are the finished tasks, if it was to wait for them and they came in time.
    """

    batch_id: int | None
    task_ids: tuple[str, ...]
    request_id: str | None
    cost: float | None
    served_by: str | None
    tasks: tuple[Task, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """One page of the call history; `next` is the `before` of the next page, None on the last."""

    records: list[dict[str, Any]]
    next: str | None


@dataclass(frozen=True, slots=True)
class Deliveries:
    """One page of webhook deliveries; `next` is the `before` of the next page, None on the last."""

    deliveries: list[dict[str, Any]]
    next: str | None


@dataclass(frozen=True, slots=True)
class Heard:
    """A webhook as it would have been POSTed: `darkroom.webhooks.verify` takes both fields."""

    headers: dict[str, str]
    body: bytes


def task(data: Mapping[str, Any]) -> Task:
    """A task object of the wire."""
    status = _STATUSES.get(str(data["task_status"]).lower(), "PROCESSING")
    return Task(
        id=data["task_id"],
        status=status,
        files=tuple(url for name in _OUTPUTS for url in data.get(name) or ()),
        message=data.get("msg"),
        error_code=data.get("error_code"),
        batch_id=data.get("batch_id"),
        kind=data.get("kind"),
        model=data.get("model"),
        served_by=data.get("served_by"),
        progress=data.get("progress", 100 if status == "SUCCESS" else 0),
        seed=data.get("seed"),
        cost=data.get("cost"),
        data=data,
    )


def tasks(data: Any) -> list[Task]:
    """The tasks of a batch: an array, or a single object."""
    return [task(one) for one in (data if isinstance(data, list) else [data])]


def submitted(data: Mapping[str, Any], request_id: str | None) -> Submitted:
    """What a submit answered, in its batch form or its single form."""
    task_ids = data.get("task_ids") or [data["task_id"]]
    return Submitted(
        batch_id=data.get("batch_id"),
        task_ids=tuple(task_ids),
        request_id=request_id,
        cost=data.get("cost"),
        served_by=data.get("served_by"),
        tasks=tuple(task(one) for one in data.get("tasks") or ()),
    )
