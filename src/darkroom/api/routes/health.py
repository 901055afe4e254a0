"""Health: whether the process lives, and whether it can serve."""

from __future__ import annotations

import asyncio
from typing import Any

from darkroom import errors
from darkroom.api.call import Call, Route
from darkroom.storage.files import Files

_FILES_SECONDS_MAX = 3.0
_NO_FILE = f"{'0' * 32}.png"


async def live(call: Call) -> Any:
    """The process answers."""
    return {"live": True}


async def ready(call: Call) -> Any:
    """The process answers, reaches its database, and was not asked to end."""
    if call.edge.leaving.is_set():
        raise errors.Unavailable("This server is about to stop. Send requests to another one.")
    await call.edge.database.check()
    return {
        "ready": True,
        "sandbox": call.edge.config.sandbox,
        "files": await _has_files(call.edge.files),
    }


async def _has_files(store: Files) -> bool:
    """Whether the store of files answers.

    Without it the server still takes submits and tells of tasks; and all servers share it: were
    they all taken out of service for it, nothing would be answered any more.
    """
    try:
        async with asyncio.timeout(_FILES_SECONDS_MAX):
            await store.find(_NO_FILE)
    except (errors.FilesUnavailable, TimeoutError):
        return False
    return True


async def index(call: Call) -> Any:
    """Where to go from here."""
    return {
        "name": "Darkroom",
        "sandbox": call.edge.config.sandbox,
        "models": f"{call.base_url}/v1/models",
        "openapi": f"{call.base_url}/openapi.json",
    }


ROUTES = (
    Route("GET", "/", index, "What this server is, and where to look next.", needs_key=False),
    Route("GET", "/health/live", live, "Answers while the process lives.", needs_key=False),
    Route(
        "GET",
        "/health/ready",
        ready,
        "Answers while the server should be sent requests.",
        (errors.Unavailable,),
        needs_key=False,
    ),
)
