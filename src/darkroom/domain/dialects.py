"""Dialects: tasks in the words of other wires, as their answers and their webhooks tell them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from darkroom import media
from darkroom.domain import tasks
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
        return shown | {"images": made, "has_nsfw_concepts": [False] * len(made)}
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


# How a webhook tells of a task that was submitted in a dialect.
WEBHOOKS: Mapping[str, Callable[[tasks.Task, Mapping[str, Any], str], dict[str, Any]]] = {
    "fal": _fal_webhook,
}
