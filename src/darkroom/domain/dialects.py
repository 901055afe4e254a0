"""Dialects: tasks in the words of other wires, as their answers and their webhooks tell them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from darkroom import errors, media
from darkroom.domain import spellings, tasks
from darkroom.domain.kinds.table import KINDS


def fal_result(done: Sequence[tasks.Task], asked: Mapping[str, Any], base: str) -> dict[str, Any]:
    """What was made, as fal's models answer it; addresses stand under `base`."""
    kind = KINDS[done[0].kind]
    made = [
        {
            "url": f"{base}/files/{name}",
            "content_type": media.MEDIA_TYPES[name.rpartition(".")[2]],
            "file_name": name,
            **{side: asked[side] for side in ("width", "height") if side in asked},
        }
        for one in done
        for name in _results(one)
    ]
    shown: dict[str, Any] = {"seed": done[0].seed, "prompt": asked.get("prompt")}
    if kind.outputs == "images" and kind.count_field:
        return shown | {"images": made}
    told = {name: (done[0].notes or {}).get(name) for name in kind.told}
    return shown | told | {kind.outputs.removesuffix("s"): made[0] if made else None}


def _results(one: tasks.Task) -> list[str]:
    """The files of a task that were asked for, without its cover."""
    kind = KINDS[one.kind]
    of_sort = media.OUTPUTS[kind.outputs]
    return [name for name in one.files if media.MEDIA_TYPES[name.rpartition(".")[2]] in of_sort]


def _fal_webhook(one: tasks.Task, asked: Mapping[str, Any], base: str) -> dict[str, Any]:
    """Source: `docs.fal.ai/model-apis/model-endpoints/webhooks`."""
    told = {"request_id": one.id, "gateway_request_id": one.id}
    if one.error is None:
        return told | {"status": "OK", "error": None, "payload": fal_result([one], asked, base)}
    return told | {"status": "ERROR", "error": one.error, "payload": {"detail": one.error}}


def replicate_answer(
    found: Sequence[tasks.Task], asked: Mapping[str, Any], base: str
) -> dict[str, Any]:
    """The tasks of a request as a prediction of Replicate's; they end when all have ended."""
    first, kind = found[0], KINDS[found[0].kind]
    made = [f"{base}/files/{name}" for one in found for name in _results(one)]
    is_list = kind.outputs == "images" and kind.count_field
    is_over = all(one.is_ended for one in found)
    begun = [one.started_at for one in found if one.started_at]
    ended = max((one.finished_at for one in found if one.finished_at), default=None)
    taken = (ended - min(begun)).total_seconds() if is_over and begun and ended else None
    there = f"{base}/replicate/v1/predictions/{first.id}"
    return {
        "id": first.id,
        "model": f"darkroom/{first.model.lower().replace('_', '-')}",
        "version": first.model,
        "status": _state(found),
        "input": dict(asked),
        "output": (made if is_list else made[0]) if made and is_over else None,
        "logs": "" if first.status == tasks.PENDING else _bar(first),
        "error": first.error if not made else None,
        "metrics": {} if taken is None else {"predict_time": taken},
        "created_at": spellings.instant(first.created_at),
        "started_at": spellings.instant(min(begun, default=None)),
        "completed_at": spellings.instant(ended) if is_over else None,
        "data_removed": first.deleted_at is not None,
        "source": "api",
        "urls": {"get": there, "cancel": f"{there}/cancel"},
    }


def _state(found: Sequence[tasks.Task]) -> str:
    if not all(one.is_ended for one in found):
        begun = any(one.status != tasks.PENDING for one in found)
        return "processing" if begun else "starting"
    if any(one.error is None for one in found):
        return "succeeded"
    return "canceled" if found[0].error_code == errors.Canceled.code else "failed"


def _bar(one: tasks.Task) -> str:
    """The progress as the line of a log that its clients look for."""
    percent = 100 if one.status == tasks.SUCCESS else int(one.progress * 100)
    return f"{percent:3d}%|{'#' * (percent // 10):10}| {percent}/100\n"


def _replicate_webhook(one: tasks.Task, asked: Mapping[str, Any], base: str) -> dict[str, Any]:
    return replicate_answer([one], asked, base)


# How a webhook tells of a task that was submitted in a dialect.
WEBHOOKS: Mapping[str, Callable[[tasks.Task, Mapping[str, Any], str], dict[str, Any]]] = {
    "fal": _fal_webhook,
    "replicate": _replicate_webhook,
}
