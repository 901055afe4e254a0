"""Chat: completions at once, in the wire that clients of language models speak; research: none."""

from __future__ import annotations

from typing import Any

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from darkroom import config, errors
from darkroom.api import problems, waiting, wire
from darkroom.api.call import Call, Route
from darkroom.api.routes import generation
from darkroom.domain import endings, ledger, spellings, tasks
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
    return await problems.answer(_completed(call), call.trace, problems.envelope_over_http)


async def _completed(call: Call) -> Response:
    if not _talkers(call.edge.catalogue):
        raise errors.NotOffered(
            "Chat is not offered: no model of this server has one. The operator can put any "
            "service of OpenAI's wire behind a model's key. Nothing was charged."
        )
    if call.edge.streams.locked():
        raise errors.Unavailable("Too many answers are waited for here.", retry_after_seconds=1)
    async with call.edge.streams:
        batch, model = await generation.place(call, CHAT)
        task = await _ended(call, batch.task_ids[0])
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


async def _ended(call: Call, task_id: str) -> tasks.Task:
    """The task at its end; one that takes too long, or that nobody waits for, is told to stop."""
    account_id, edge, is_gone = call.principal.account_id, call.edge, False
    async for task in waiting.watch(edge, account_id, task_id, seconds_max=config.CHAT_SECONDS_MAX):
        if task.is_ended:
            return task
        if is_gone := await call.request.is_disconnected():
            break
    async with edge.database.transaction() as tx:
        canceled = await endings.cancel(tx, account_id, task_id)
    if canceled.task.is_ended and canceled.task.error is None:
        return canceled.task
    if is_gone:
        raise ClientDisconnect
    raise errors.Unavailable(
        f"{task_id} had not ended when the server waited no longer, {config.CHAT_SECONDS_MAX:g} "
        "seconds at the most, and was told to stop: its status tells its end and its cost."
    )


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
    ),
    *(
        Route("POST", path, refuse, f"Not offered: {what}.", _REFUSALS)
        for path, what in (
            ("/v1/generation/deep-research", "deep research"),
            ("/v1/generation/file_search_stores", "documents for deep research"),
        )
    ),
)
