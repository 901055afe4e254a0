"""The gallery: an account's tasks with their pictures, one opened, and what may be done with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.responses import Response

from darkroom import errors, media
from darkroom.api.routes import deletion
from darkroom.api.routes import previews as routes
from darkroom.console import forms, pieces
from darkroom.console.visit import Page, Visit
from darkroom.domain import assets, endings, galleries, previews, tasks
from darkroom.domain.kinds.table import KINDS

_PERIODS = {"1": "Last day", "7": "Last 7 days", "30": "Last 30 days", "365": "Last year"}
_WORDS_CHARS_MAX = 200
_FILTERS = ("kind", "model", "status", "days", "words")
# What stands elsewhere on a task's page.
_SHOWN = {"model", "seed"}
# What can be done about a task that failed, by its code.
_ADVICE = {
    1002: "Correct the input, such as an address that cannot be fetched, and run it again.",
    6001: "Run it again. If it fails each time, it may be this input that breaks the model.",
    6004: "Read what the model says. Another size, model or prompt may do.",
    6005: "It was canceled. Run it again whenever you like.",
    6006: "Run it again with a longer deadline or none.",
    6007: "Ask for a smaller size.",
}


class Input(msgspec.Struct, frozen=True):
    """An input file of a task: where it lies, and its name if it is one of ours."""

    field: str
    address: str
    file: str | None


async def show(visit: Visit) -> Response:
    """A page of the account's tasks, newest first."""
    asked = {name: visit.request.query_params.get(name, "").strip() for name in _FILTERS}
    place = visit.request.query_params.get("from")
    async with visit.edge.database.transaction() as tx:
        leaf = await galleries.leaf(tx, visit.account_id, _filter(asked), place)
    kept = {name: value for name, value in asked.items() if value}
    context: dict[str, Any] = {
        "leaf": leaf,
        "asked": asked,
        "is_filtered": bool(kept),
        "is_first": place is None,
        "newest": f"/gallery?{urlencode(kept)}",
        "older": f"/gallery?{urlencode({**kept, 'from': leaf.next})}" if leaf.next else "",
        "kinds": list(KINDS),
        "models": sorted(visit.edge.catalogue.models),
        "statuses": list(tasks.TRANSITIONS),
        "periods": _PERIODS,
    }
    return visit.page("gallery.html", **context)


def _filter(asked: Mapping[str, str]) -> galleries.Filter:
    """What is asked for; a value that cannot be one is as none."""
    if "\x00" in "".join(asked.values()):
        raise errors.BadParameter("A filter holds a NUL, which no text of ours does.")
    return galleries.Filter(
        kind=asked["kind"] if asked["kind"] in KINDS else None,
        model=asked["model"] or None,
        status=asked["status"] if asked["status"] in tasks.TRANSITIONS else None,
        days=int(asked["days"]) if asked["days"] in _PERIODS else None,
        words=asked["words"][:_WORDS_CHARS_MAX] or None,
    )


async def show_task(visit: Visit) -> Response:
    """One task: its results, what was asked for, how it went and what it cost."""
    context = await _opened(visit)
    if visit.is_htmx:
        return visit.fragment("gallery/task.html", **context)
    return visit.page("gallery_task.html", **context)


async def _opened(visit: Visit) -> dict[str, Any]:
    task_id, account_id = _task_id(visit), visit.account_id
    async with visit.edge.database.transaction() as tx:
        found = await tasks.get_many(tx, [(account_id, task_id)])
        if not found:
            raise errors.TaskNotFound
        inquiry = await galleries.find(tx, account_id, task_id)
        made = await assets.of_task(tx, account_id, task_id)
    task = found[account_id, task_id]
    kind = KINDS[task.kind]
    notes = task.notes or {}
    results = [one for one in made if one.media_type in media.OUTPUTS[kind.outputs]]
    fields = forms.told(kind, inquiry.input["fields"])
    said = [inquiry.input["fields"][name] for name in kind.texts if fields.pop(name, "")]
    size = {name: inquiry.input["fields"].get(name) for name in ("width", "height")}
    return {
        "task": task,
        "inquiry": inquiry,
        "made": results or made,
        "told": [_told(notes[name]) for name in kind.told if name in notes],
        "cover": next((one.file for one in made if one not in results), ""),
        "texts": [_told(one) for one in said],
        "asked": {pieces.label(name): text for name, text in fields.items() if name not in _SHOWN},
        "notes": {
            pieces.label(name): _text(value)
            for name, value in notes.items()
            if name not in kind.told
        },
        "size": size,
        "inputs": list(_inputs(inquiry, visit.base_url)),
        "advice": _ADVICE.get(task.error_code or 0, ""),
        "waited_ms": _between(task.created_at, task.started_at),
        "ran_ms": _between(task.started_at, task.finished_at),
        "mill": task.price_mill if task.charged_mill is None else task.charged_mill,
    }


def _task_id(visit: Visit) -> str:
    task_id: str = visit.request.path_params["task_id"]
    if "\x00" in task_id:
        raise errors.TaskNotFound
    return task_id


def _told(value: Any) -> str:
    """What a task says in words; a script or a talk turn by turn, of chat each answer."""
    if isinstance(value, dict):
        said = [choice["message"].get("content") or "" for choice in value["choices"]]
        return "\n\n".join(said)
    if isinstance(value, list):
        turns = [(turn.get("role") or turn.get("speaker_name"), turn["content"]) for turn in value]
        return "\n".join(f"{who}: {words}" if who else words for who, words in turns)
    return str(value)


def _text(value: Any) -> str:
    """A note of a backend as a person reads it."""
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def _between(begin: Any, end: Any) -> float | None:
    return (end - begin).total_seconds() * 1000 if begin and end else None


def _inputs(inquiry: galleries.Inquiry, base_url: str) -> Any:
    for name, references in inquiry.input["files"].items():
        for one in references:
            own = one.removeprefix("file:") if one.startswith("file:") else None
            yield Input(pieces.label(name), galleries.address(one, base_url), own)


async def preview(visit: Visit) -> Response:
    """What a running task looks like so far; a page that watches it is no call of the API's."""
    async with visit.edge.database.statement() as tx:
        picture = await previews.find(tx, visit.account_id, _task_id(visit))
    return routes.answer(picture)


async def cancel(visit: Visit) -> Response:
    """End a waiting task, or ask for the stop of a running one."""
    task_id = _task_id(visit)
    async with visit.edge.database.transaction() as tx:
        done = await endings.cancel(tx, visit.account_id, task_id)
    said = {
        endings.ENDED: "Canceled. Its credits are back.",
        endings.ASKED: "Its worker was asked to stop.",
        endings.FINISHED: "It had already ended.",
    }
    return visit.go(f"/gallery/{done.task.id}", said[done.effect])


async def delete(visit: Visit) -> Response:
    """Delete a task's files, and take it from the gallery."""
    await deletion.delete(visit.edge, visit.account_id, _task_id(visit))
    return visit.go("/gallery", "Deleted. Its files are gone; what it cost stays in the books.")


PAGES = (
    Page("GET", "/gallery", show),
    Page("GET", "/gallery/{task_id}", show_task),
    Page("GET", "/gallery/{task_id}/preview", preview),
    Page("POST", "/gallery/{task_id}/cancel", cancel),
    Page("POST", "/gallery/{task_id}/delete", delete),
)
