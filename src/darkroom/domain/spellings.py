"""Spellings: a task in the words of the wire, as status, events and webhooks tell it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from darkroom import config, media
from darkroom.domain import ledger, places, tasks
from darkroom.domain.kinds.kind import Kind
from darkroom.domain.kinds.table import KINDS

# The reference spelling is what most clients in the wild match.
_STATUS_WORDS = {
    "quickstart": {name: name for name in tasks.TRANSITIONS},
    "reference": {
        tasks.PENDING: "waiting",
        tasks.PROCESSING: "processing",
        tasks.SUCCESS: "succeed",
        tasks.FAILED: "failed",
    },
}
# Versions of one attempt: its running, its cancel, its waiting for the next attempt, its end.
_ATTEMPT, _CANCELED, _WAITS, _ENDED = 10_000_000, 7_000_000, 8_000_000, 9_000_000
# Tenths of a second by which previews of an attempt are told apart, a week of them.
_SEEN_TENTHS_MAX = 6_000_000

encode = msgspec.json.Encoder(enc_hook=str).encode


def envelope(data: Any, request_id: str) -> dict[str, Any]:
    """What stands around data that is as it should be."""
    return {
        "status": 0,
        "desc": "success",
        "message": "success",
        "data": data,
        "success": True,
        "request_id": request_id,
    }


def instant(at: datetime | None) -> str | None:
    """An instant as RFC 3339 in UTC, to the millisecond."""
    return f"{at.isoformat(timespec='milliseconds')[:23]}Z" if at else None


def task(one: tasks.Task, wire: str, base: str) -> dict[str, Any]:
    """A task in the caller's spelling; result addresses stand under `base`."""
    kind = KINDS[one.kind]
    shown: dict[str, Any] = {
        "task_id": one.continues or one.id,
        "task_status": _STATUS_WORDS[wire][one.status],
        kind.outputs: [f"{base}/files/{name}" for name in one.files if _is_result(kind, name)],
        "batch_id": one.batch_id,
        "kind": one.kind,
        "model": one.model,
        "progress": 100 if one.status == tasks.SUCCESS else int(one.progress * 100),
        "seed": one.seed,
        "served_by": one.served_by,
        "cost": ledger.credits_of(one.price_mill if one.charged_mill is None else one.charged_mill),
        "cost_mill": one.price_mill if one.charged_mill is None else one.charged_mill,
        "attempt": one.attempt,
        "created_at": instant(one.created_at),
        "started_at": instant(one.started_at),
        "finished_at": instant(one.finished_at),
    }
    if kind.stage and one.is_ended:
        end = "success" if one.status == tasks.SUCCESS else "fail"
        shown["content_status"] = f"{kind.stage}-{end}"
    if one.preview_at is not None and wire == "quickstart":
        shown["preview_url"] = f"{base}/v1/generation/{one.id}/preview?at={one.preview_ms}"
    if one.place is not None:
        shown |= _place(one.place)
    if one.caller_id is not None:
        shown["caller_id"] = one.caller_id
    if one.deadline_at is not None:
        shown["deadline_at"] = instant(one.deadline_at)
    if one.cancel_asked_at is not None:
        shown["cancel_asked_at"] = instant(one.cancel_asked_at)
    if one.deleted_at is not None:
        shown["deleted_at"] = instant(one.deleted_at)
    for name in one.files:
        if not _is_result(kind, name):
            shown["cover_url"] = f"{base}/files/{name}"
    if one.notes:
        shown |= {name: one.notes[name] for name in kind.told if name in one.notes}
        shown["notes"] = {k: v for k, v in one.notes.items() if k not in kind.told}
    if one.status == tasks.FAILED:
        shown |= {"msg": one.error, "error_code": one.error_code}
    return shown


def continued(one: tasks.Task, later: tasks.Task, wire: str, base: str) -> dict[str, Any]:
    """A task as it is known while another goes on with it: that one's state, its own words."""
    kept = {name: one.notes[name] for name in KINDS[one.kind].told if one.notes}
    before = {"content_status": f"{KINDS[one.kind].stage}-success"}
    return before | task(later, wire, base) | kept


def _is_result(kind: Kind, file: str) -> bool:
    """Whether a file is what was asked for, and not its cover."""
    return media.MEDIA_TYPES[file.rpartition(".")[2]] in media.OUTPUTS[kind.outputs]


def _place(place: places.Place) -> dict[str, Any]:
    seconds = place.start_seconds
    return {
        "queue_position": place.position,
        "queue_position_is_minimum": place.is_minimum,
        "estimated_start_seconds": None if seconds is None else round(seconds, 1),
    }


def batch(made: tasks.Batch, wire: str) -> dict[str, Any]:
    """What a submit answers: every id that some client reads."""
    return {
        "batch_id": made.id,
        "task_ids": made.task_ids,
        "task_id": made.task_ids[0],
        "task_status": _STATUS_WORDS[wire][tasks.PENDING],
        "cost": ledger.credits_of(made.price_mill),
        "cost_mill": made.price_mill,
    }


def version(task: tasks.Task) -> int:
    """A number that never falls while the task goes on, through every attempt at it.

    Within an attempt: its progress and the age of its preview, which both only grow, then its way
    forward in the queue, then its end.
    """
    base = task.attempt * _ATTEMPT
    if task.is_ended:
        return base + _ENDED
    if task.status == tasks.PROCESSING:
        if task.cancel_asked_at:
            return base + _CANCELED + int(task.progress * 100)
        return base + int(task.progress * 100) + _seen_tenths(task)
    position = task.place.position if task.place else config.QUEUE_COUNTED_MAX
    return base + _WAITS + config.QUEUE_COUNTED_MAX - position


def _seen_tenths(task: tasks.Task) -> int:
    """How long after its begin a task was seen last; 0 without a preview."""
    if task.preview_at is None or task.started_at is None:
        return 0
    tenths = (task.preview_at - task.started_at).total_seconds() * 10
    return min(int(tenths), _SEEN_TENTHS_MAX)
