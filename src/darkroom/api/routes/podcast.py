"""Podcasts: who may speak in them, and the voices of a script that is written."""

from __future__ import annotations

from typing import Any

from darkroom import errors
from darkroom.api.call import Call, Route
from darkroom.api.routes import generation
from darkroom.domain import tasks
from darkroom.domain.kinds.podcast import PODCAST_AUDIO, SPEAKERS


async def list_speakers(call: Call) -> Any:
    """The speakers, of one language if it is named."""
    language = call.request.query_params.get("language", "").partition("-")[0].lower()
    return {
        "speakers": [
            {
                "speaker_id": speaker_id,
                "name": one.name,
                "gender": one.gender,
                "language": one.language,
                "demo_audio_url": None,
            }
            for speaker_id, one in SPEAKERS.items()
            if language in ("", one.language)
        ]
    }


async def speak(call: Call) -> Any:
    """Have the script of a task spoken, as it is written or as it is sent; the id stays."""
    task_id, account_id = call.request.path_params["task_id"], call.principal.account_id
    text = await call.edge.statuses.get(account_id, task_id)
    if text.kind != PODCAST_AUDIO.continues or text.deleted_at is not None:
        raise errors.TaskNotFound
    if text.status != tasks.SUCCESS:
        raise errors.TaskUnfinished("The script is not written: ask again after text-success.")
    last = await call.edge.statuses.continuation(account_id, task_id)
    if last is not None and not last.is_ended:
        raise errors.TaskUnfinished("This script is being spoken already: ask for its status.")
    return await generation.submit(call, PODCAST_AUDIO, text)


ROUTES = (
    Route(
        "GET",
        "/v1/generation/podcast/speakers/list",
        list_speakers,
        "The speakers of podcasts, of one language or all.",
        needs_key=False,
    ),
    Route(
        "POST",
        PODCAST_AUDIO.route,
        speak,
        PODCAST_AUDIO.summary,
        (*generation.ERRORS, errors.TaskNotFound, errors.TaskUnfinished),
        body=PODCAST_AUDIO.input,
    ),
)
