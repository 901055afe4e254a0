"""Previews: what a running task looks like so far."""

from __future__ import annotations

from starlette.responses import Response

from darkroom import errors
from darkroom.api.call import Call, Route
from darkroom.domain import previews

_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}


async def of_task(call: Call) -> Response:
    """The last preview of one task of the caller."""
    task_id = call.request.path_params["task_id"]
    async with call.edge.database.statement() as tx:
        picture = await previews.find(tx, call.principal.account_id, task_id)
    call.trace.task_id = task_id
    return answer(picture)


def answer(picture: bytes) -> Response:
    """A preview as it goes out: nobody keeps it."""
    return Response(picture, headers=_HEADERS, media_type="image/jpeg")


ROUTES = (
    Route(
        "GET",
        "/v1/generation/{task_id}/preview",
        of_task,
        "What a running task looks like so far, where its backend tells that.",
        (errors.Unauthenticated, errors.RateLimited, errors.TaskNotFound, errors.FileNotFound),
    ),
)
