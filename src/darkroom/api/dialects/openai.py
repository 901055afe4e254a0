"""OpenAI's wire: pictures at once, clips to be asked for, and the models, for its own clients.

Source: OpenAI's API reference, `images/generations`, `images/edits` and `videos`.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from darkroom import config, errors, media
from darkroom.api import parts, waiting, wire
from darkroom.api.call import Call, Route
from darkroom.api.dialects import foreign
from darkroom.api.dialects.refusals import OPENAI
from darkroom.api.routes import deletion, files, generation
from darkroom.domain import endings, spellings, tasks
from darkroom.domain.kinds.kind import Kind
from darkroom.domain.kinds.table import KINDS

_GENERATE, _EDIT = KINDS["text-to-image"], KINDS["image-to-image"]
_FILM, _FILM_OF = KINDS["text-to-video"], KINDS["image-to-video"]
# Larger pictures, together, are answered by their addresses alone.
_BASE64_BYTES_MAX = 64 * 2**20
# As long as a field may be that is no file: a prompt.
_FIELD_BYTES_MAX = 64 * 2**10
_PICTURES_MAX = 16
# What a clip that is to be deleted may take to stop.
_STOP_SECONDS_MAX = 10.0
# Of a clip whose caller names none.
_CLIP_SECONDS = 4
_WORDS = foreign.Words(
    names={"n": "image_number", "seconds": "duration"},
    shaped=("size", "response_format"),
    hints={"user", "safety_identifier", "quality", "moderation", "input_fidelity"},
    fixed={
        "background": ("auto", "opaque"),
        "output_format": ("png",),
        "output_compression": (100, "100"),
        "partial_images": (0, "0"),
        "stream": (False, "false"),
    },
)
_FORMATS = ("url", "b64_json")
_STATES = {
    tasks.PENDING: "queued",
    tasks.PROCESSING: "in_progress",
    tasks.SUCCESS: "completed",
    tasks.FAILED: "failed",
}


async def generate(call: Call) -> Response:
    """Pictures from words, when they are made."""
    return await _pictures(call, _GENERATE, await wire.read_json(call.request), ())


async def edit(call: Call) -> Response:
    """Pictures from pictures and words, when they are made."""
    given, pictures = await _form(call, ("image", "image[]"))
    if "mask" in given:
        raise errors.BadParameter(
            "mask is not taken: a picture is made anew as a whole here.", field="mask"
        )
    if not pictures:
        raise errors.BadParameter("image cannot be empty: send a file.", field="image")
    return await _pictures(call, _EDIT, given, pictures)


async def _form(call: Call, names: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The fields of a multipart body, and as data: URLs the files in parts of these names."""
    form: FormData = await parts.read_form(
        call.request,
        files_max=_PICTURES_MAX,
        bytes_max=config.JSON_BYTES_MAX,
        field_bytes_max=_FIELD_BYTES_MAX,
    )
    given: dict[str, Any] = {}
    pictures = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile) and name in names:
            pictures.append(await asyncio.to_thread(_data_url, value))
        elif "\x00" in str(value):
            raise errors.BadParameter(f"{name} has a NUL character.", field=name)
        else:
            given[name] = value
    await form.close()
    return given, pictures


def _data_url(part: UploadFile) -> str:
    """A file as the inputs of a submit are written; what it is is looked at there."""
    return f"data:;base64,{base64.b64encode(part.file.read()).decode()}"


async def _pictures(
    call: Call, kind: Kind, given: dict[str, Any], pictures: Sequence[str]
) -> Response:
    form = given.pop("response_format", None)
    if form not in (None, *_FORMATS):
        raise errors.BadParameter("response_format is url or b64_json.", field="response_format")
    asked = _asked(call, kind, given)
    if pictures:
        foreign.show(asked, "images", pictures, name="image")
    async with waiting.place(call.edge):
        batch = await foreign.place(call, asked)
        ended = await waiting.held(call, batch.task_ids, config.HELD_SECONDS_MAX)
    made = [one for one in ended if one.error is None]
    if not made:
        generation.check_success(ended[0])
    wanted = await foreign.wanted(call, batch.id)
    data = [
        {"url": f"{call.base_url}/files/{name}"} | _revised(one.notes)
        for one in made
        for name in one.files
    ]
    if not data:
        raise errors.FileDeleted
    if form != "url":
        await _encode(call, data, form)
    answer = {
        "created": _seconds(ended[-1].finished_at),
        "data": data,
        "output_format": made[0].files[0].rpartition(".")[2].replace("jpg", "jpeg"),
        "size": _size(wanted),
    }
    headers = {"Idempotent-Replayed": "true"} if batch.replayed else {}
    return wire.Json(spellings.encode(answer | foreign.told(ended)), 200, headers)


def _asked(call: Call, kind: Kind, given: dict[str, Any]) -> foreign.Asked:
    model = foreign.find_model(call, given.pop("model", None), {kind.name})
    size = given.pop("size", None)
    asked = foreign.read(kind, model, given, _WORDS)
    pixels = None if size in (None, "auto") else foreign.size_of(str(size), field="size")
    asked.resize(call, pixels, field="size")
    return asked


def _revised(notes: Mapping[str, Any] | None) -> dict[str, Any]:
    said = (notes or {}).get("revised_prompt")
    return {"revised_prompt": said} if said else {}


async def _encode(call: Call, data: list[dict[str, Any]], form: str | None) -> None:
    """Put the pictures themselves into an answer, instead of their addresses if so asked."""
    store = call.edge.files
    names = [one["url"].rpartition("/")[2] for one in data]
    sizes = [stored.size for name in names if (stored := await store.find(name))]
    if len(sizes) < len(names) or sum(sizes) > _BASE64_BYTES_MAX:
        return
    for one, name, size in zip(data, names, sizes, strict=True):
        content = b"".join([piece async for piece in store.read(name, 0, size)])
        one["b64_json"] = (await asyncio.to_thread(base64.b64encode, content)).decode()
        if form == "b64_json":
            del one["url"]


async def film(call: Call) -> Response:
    """Queue a clip from words, and from a picture if one is sent."""
    if parts.is_form(call.request):
        given, pictures = await _form(call, ("input_reference",))
    else:
        given, pictures = await wire.read_json(call.request), []
    reference = given.pop("input_reference", None)
    if isinstance(reference, dict):
        reference = reference.get("image_url")
        if not isinstance(reference, str):
            raise errors.BadParameter(
                "input_reference: send a file, or the image_url of a picture.",
                field="input_reference",
            )
    if reference:
        pictures.append(str(reference))
    kind = _FILM_OF if pictures else _FILM
    asked = _asked(call, kind, given)
    asked.usual_seconds(call, _CLIP_SECONDS)
    if pictures:
        foreign.show(asked, "image", pictures, name="input_reference")
    batch = await foreign.place(call, asked)
    task = await call.edge.statuses.get(call.principal.account_id, batch.task_ids[0])
    return await _video(call, task)


async def get_video(call: Call) -> Response:
    """How far a clip is."""
    return await _video(call, await _find(call))


async def _find(call: Call) -> tasks.Task:
    task_id = call.request.path_params["video_id"]
    task = await call.edge.statuses.get(call.principal.account_id, task_id)
    call.trace.task_id, call.trace.batch_id = task.id, task.batch_id
    if KINDS[task.kind].outputs != "videos" or task.deleted_at is not None:
        raise errors.TaskNotFound
    return task


async def _video(call: Call, task: tasks.Task) -> Response:
    wanted = await foreign.wanted(call, task.batch_id)
    error = {"code": _code(task), "message": task.error} if task.error else None
    answer = {
        "id": task.id,
        "object": "video",
        "model": task.model,
        "status": _STATES[task.status],
        "progress": 100 if task.status == tasks.SUCCESS else int(task.progress * 100),
        "created_at": _seconds(task.created_at),
        "completed_at": _seconds(task.finished_at) if task.finished_at else None,
        "expires_at": None,
        "error": error,
        "prompt": wanted.get("prompt"),
        "seconds": str(wanted.get("duration", "")),
        "size": _size(wanted),
        "remixed_from_video_id": None,
    }
    return wire.Json(spellings.encode(answer | foreign.told([task])), 200, {})


def _code(task: tasks.Task) -> str:
    blocked = task.error_code == errors.ContentBlocked.code
    return "content_policy_violation" if blocked else f"darkroom_{task.error_code}"


async def get_content(call: Call) -> Response:
    """The bytes of a clip, whole or the ranges asked for, or its first picture."""
    variant = call.request.query_params.get("variant", "video")
    if variant not in ("video", "thumbnail"):
        raise errors.BadParameter("variant is video or thumbnail.", field="variant")
    task = await _find(call)
    if not task.is_ended:
        raise errors.TaskUnfinished("The clip is not made yet: ask for its status.")
    generation.check_success(task)
    clips = media.OUTPUTS["videos"]
    for name in task.files:
        is_clip = media.MEDIA_TYPES[name.rpartition(".")[2]] in clips
        if is_clip == (variant == "video"):
            return await files.answer(call, name)
    raise errors.FileNotFound(f"This clip has no {variant}.")


async def delete_video(call: Call) -> Response:
    """Delete a clip; one that is not made yet is told to stop first."""
    task = await _find(call)
    account_id, edge = call.principal.account_id, call.edge
    if not task.is_ended:
        async with edge.database.transaction() as tx:
            await endings.cancel(tx, account_id, task.id)
        await waiting.until_ended(edge, account_id, [task.id], _STOP_SECONDS_MAX)
    await deletion.delete(edge, account_id, task.id)
    answer = {"id": task.id, "object": "video.deleted", "deleted": True}
    return wire.Json(spellings.encode(answer), 200, {})


def _seconds(at: datetime | None) -> int:
    return int(at.timestamp()) if at else 0


def _size(wanted: Mapping[str, Any]) -> str | None:
    return f"{wanted['width']}x{wanted['height']}" if "width" in wanted else None


_FOUND = (errors.Unauthenticated, errors.RateLimited, errors.TaskNotFound)


def _route(method: str, path: str, handler: Any, summary: str, *raised: Any) -> Route:
    return Route(method, path, handler, summary, raised, wording=OPENAI)


ROUTES = (
    _route(
        "POST",
        "/v1/images/generations",
        generate,
        "Make pictures from words, in the wire of OpenAI's clients.",
        *generation.ERRORS,
    ),
    _route(
        "POST",
        "/v1/images/edits",
        edit,
        "Make pictures from pictures and words, in the wire of OpenAI's clients.",
        *generation.ERRORS,
    ),
    _route(
        "POST",
        "/v1/videos",
        film,
        "Make a clip, in the wire of OpenAI's clients.",
        *generation.ERRORS,
    ),
    _route(
        "GET",
        "/v1/videos/{video_id}",
        get_video,
        "How far a clip is, in the wire of OpenAI's clients.",
        *_FOUND,
    ),
    _route(
        "DELETE",
        "/v1/videos/{video_id}",
        delete_video,
        "Delete a clip, or stop it, in the wire of OpenAI's clients.",
        *_FOUND,
        errors.TaskUnfinished,
    ),
    _route(
        "GET",
        "/v1/videos/{video_id}/content",
        get_content,
        "The bytes of a clip; takes Range.",
        *_FOUND,
        *(errors.BadParameter, errors.TaskUnfinished, errors.FileNotFound, errors.FileDeleted),
        *(errors.InputRefused, errors.ContentRefused, errors.Unavailable),
    ),
)
