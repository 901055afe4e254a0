"""Chat, deep research and its corpus: known to clients of the wire, not offered by this server."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from darkroom import errors
from darkroom.api import wire
from darkroom.api.call import Call, Route
from darkroom.domain import spellings

_REFUSALS = (errors.Unauthenticated, errors.RateLimited, errors.NotOffered)


async def list_models(call: Call) -> Response:
    """The models of chat: none."""
    return wire.Json(spellings.encode({"models": []}), 200, {})


async def refuse(call: Call) -> Any:
    """Say that there is no such thing here, before a body is read."""
    raise errors.NotOffered(
        "This server makes pictures, clips and sounds: chat, deep research and its documents are "
        "not offered. Nothing was charged."
    )


ROUTES = (
    Route(
        "GET",
        "/v1/chat/models",
        list_models,
        "The models of chat: none, since chat is not offered.",
        needs_key=False,
    ),
    *(
        Route("POST", path, refuse, f"Not offered: {what}.", _REFUSALS)
        for path, what in (
            ("/v1/chat/completions", "chat"),
            ("/v1/generation/deep-research", "deep research"),
            ("/v1/generation/file_search_stores", "documents for deep research"),
        )
    ),
)
