"""Chat: completions at once, in the wire that clients of language models speak; research: none."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from darkroom import config, errors
from darkroom.api import waiting, wire
from darkroom.api.call import Call, Route
from darkroom.api.dialects.refusals import OPENAI
from darkroom.api.routes import generation
from darkroom.domain import ledger, spellings
from darkroom.domain.catalogue import Catalogue
from darkroom.domain.kinds.chat import CHAT, Chat

_REFUSALS = (errors.Unauthenticated, errors.RateLimited, errors.NotOffered)


async def list_models(call: Call) -> Response:
    """Every model that chats here; prices are credits a million tokens."""
    catalogue = call.edge.catalogue
    found = [
        {
            "model": key,
            "desc": catalogue.models[key].name,
            "max_tokens": catalogue.models[key].kinds[CHAT.name].tokens_max,
            "input_price": ledger.credits_of(catalogue.rates[key, CHAT.name].input_mill),
            "output_price": ledger.credits_of(catalogue.rates[key, CHAT.name].mill),
        }
        for key in _talkers(catalogue)
    ]
    return wire.Json(spellings.encode({"models": found}), 200, {})


def _talkers(catalogue: Catalogue) -> list[str]:
    return [key for key in catalogue.models if catalogue.backend(key, CHAT.name)]


async def complete(call: Call) -> Response:
    """An answer when it is whole, as an OpenAI client reads it."""
    if not _talkers(call.edge.catalogue):
        raise errors.NotOffered(
            "Chat is not offered: no model of this server has one. The operator can put any "
            "service of OpenAI's wire behind a model's key. Nothing was charged."
        )
    async with waiting.place(call.edge):
        batch, model = await generation.place(call, CHAT, await wire.read_json(call.request))
        [task] = await waiting.held(call, batch.task_ids, config.HELD_SECONDS_MAX)
    generation.check_success(task)
    completion = (task.notes or {})["completion"]
    told = {
        "model": model,
        "task_id": task.id,
        "cost": ledger.credits_of(task.charged_mill or 0),
        "cost_mill": task.charged_mill,
        "served_by": task.served_by,
    }
    return wire.Json(spellings.encode(completion | told), 200, {})


async def refuse(call: Call) -> Any:
    """Say that there is no such thing here, before a body is read."""
    raise errors.NotOffered(
        "This server makes pictures, clips, sounds and answers of chat: deep research and its "
        "documents are not offered. Nothing was charged."
    )


ROUTES = (
    Route("GET", "/v1/chat/models", list_models, "The models that chat here.", needs_key=False),
    Route(
        "POST",
        "/v1/chat/completions",
        complete,
        "Answer what was said, in the wire of OpenAI's clients.",
        generation.ERRORS,
        body=Chat,
        wording=OPENAI,
    ),
    *(
        Route("POST", path, refuse, f"Not offered: {what}.", _REFUSALS)
        for path, what in (
            ("/v1/generation/deep-research", "deep research"),
            ("/v1/generation/file_search_stores", "documents for deep research"),
        )
    ),
)
