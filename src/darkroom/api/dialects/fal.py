"""fal's wire: a queue where every model has an address, and the answers of its models.

Source: `docs.fal.ai/model-apis/model-endpoints/queue` and `…/webhooks`, and its own client.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.responses import Response

from darkroom import config, errors
from darkroom.api import waiting, wire
from darkroom.api.call import Call, Route
from darkroom.api.dialects import foreign, models
from darkroom.api.dialects.refusals import FAL
from darkroom.api.routes import events, generation
from darkroom.domain import dialects, spellings, tasks

_WEBHOOK = "fal_webhook"
_TIMEOUT = "x-fal-request-timeout"


async def submit(call: Call) -> Response:
    """Put a request into the queue of a model."""
    batch = await foreign.place(call, await _asked(call), dialect="fal")
    request_id = batch.task_ids[0]
    there = f"{call.base_url}/fal/{call.request.path_params['app']}/requests/{request_id}"
    answer = {
        "status": "IN_QUEUE",
        "request_id": request_id,
        "response_url": there,
        "status_url": f"{there}/status",
        "cancel_url": f"{there}/cancel",
    }
    headers = {"Idempotent-Replayed": "true"} if batch.replayed else {}
    return wire.Json(spellings.encode(answer), 200, headers)


async def run(call: Call) -> Response:
    """What a model makes, when it is made."""
    async with waiting.place(call.edge):
        batch = await foreign.place(call, await _asked(call), dialect="fal")
        done = await waiting.held(call, batch.task_ids, config.HELD_SECONDS_MAX)
    return await _result(call, done)


async def _asked(call: Call) -> foreign.Asked:
    app = call.request.path_params["app"]
    asked = models.asked_for(call, app.split("/"), await wire.read_json(call.request))
    if (seconds := _seconds(call.request.headers.get(_TIMEOUT))) is not None:
        asked.fields["deadline_seconds"] = seconds
        asked.names["deadline_seconds"] = _TIMEOUT
    if address := call.request.query_params.get(_WEBHOOK):
        if asked.fields.get(asked.kind.count_field or "", 1) != 1:
            raise errors.BadParameter(
                f"{_WEBHOOK} is told of one result: send a request for each.", field=_WEBHOOK
            )
        asked.fields["webhook_url"] = address
        asked.names["webhook_url"] = _WEBHOOK
    return asked


def _seconds(text: str | None) -> int | None:
    """Whole seconds, as long as a request may wait to begin."""
    if text is None:
        return None
    try:
        return math.ceil(float(text))
    except (ValueError, OverflowError) as exc:
        raise errors.BadParameter(f"{_TIMEOUT} is a number of seconds.", field=_TIMEOUT) from exc


async def _find(call: Call) -> list[tasks.Task]:
    """The tasks of a request, in their order; while the first goes on that one alone."""
    account_id = call.principal.account_id
    task = await call.edge.statuses.get(account_id, call.request.path_params["request_id"])
    call.trace.task_id, call.trace.batch_id = task.id, task.batch_id
    if task.deleted_at is not None:
        raise errors.TaskNotFound
    return await foreign.together(call, task)


async def get_status(call: Call) -> Response:
    """How far a request is."""
    return wire.Json(spellings.encode(_status(call, await _find(call))), 200, {})


def _status(call: Call, found: Sequence[tasks.Task]) -> dict[str, Any]:
    first = next((one for one in found if not one.is_ended), found[0])
    path = call.request.scope["path"].partition("/requests/")[0]
    there = f"{call.base_url}{path}/requests/{found[0].id}"
    told: dict[str, Any] = {
        "request_id": found[0].id,
        "response_url": there,
        "status_url": f"{there}/status",
        "cancel_url": f"{there}/cancel",
        "logs": [],
    }
    if first.status == tasks.PENDING:
        position = first.place.position if first.place else 0
        return told | {"status": "IN_QUEUE", "queue_position": position}
    if not first.is_ended:
        return told | {"status": "IN_PROGRESS"}
    told |= {"status": "COMPLETED", "metrics": {"inference_time": _taken(found)}}
    if all(one.error for one in found):
        told |= {"error": found[0].error, "error_type": "runner_error"}
    return told


def _taken(done: Sequence[tasks.Task]) -> float:
    """Seconds from the first begin to the last end."""
    begun = [one.started_at for one in done if one.started_at]
    ended = [one.finished_at for one in done if one.finished_at]
    return round((max(ended) - min(begun)).total_seconds(), 3) if begun and ended else 0.0


async def follow(call: Call) -> Response:
    """A request as it goes, as Server-Sent Events until its end."""
    [first, *_] = await _find(call)
    if call.edge.streams.locked():
        raise errors.Unavailable("Too many streams are open here.", retry_after_seconds=5)

    async def told() -> AsyncIterator[bytes]:
        account_id, seconds = call.principal.account_id, config.EVENT_STREAM_SECONDS_MAX
        said = b""
        async for task in waiting.watch(call.edge, account_id, first.id, seconds_max=seconds):
            text = spellings.encode(_status(call, [task]))
            if text != said:
                said = text
                yield b"data: %b\n\n" % text

    return events.Stream(told(), call.edge.streams)


async def get_result(call: Call) -> Response:
    """What a request made; a refusal says why it did not."""
    return await _result(call, await _find(call))


async def _result(call: Call, found: Sequence[tasks.Task]) -> Response:
    if not all(one.is_ended for one in found):
        raise errors.TaskUnfinished("Request is still in progress.")
    made = [one for one in found if one.error is None]
    if not made:
        generation.check_success(found[0])
    asked = await foreign.wanted(call, found[0].batch_id)
    shown = dialects.fal_result(made, asked, call.base_url) | foreign.told(found)
    return wire.Json(spellings.encode(shown), 200, {})


async def cancel(call: Call) -> Response:
    """Take a request back; one that has ended stays as it is."""
    found = await _find(call)
    if all(one.is_ended for one in found):
        return wire.Json(spellings.encode({"status": "ALREADY_COMPLETED"}), 400, {})
    await foreign.stop(call, found[0].batch_id)
    return wire.Json(spellings.encode({"status": "CANCELLATION_REQUESTED"}), 202, {})


async def describe(call: Call) -> Response:
    """What a model takes, as an OpenAPI document: fal's own clients and gateways ask for it."""
    endpoint = call.request.query_params.get("endpoint_id", "")
    if not endpoint:
        raise errors.UnknownModel("endpoint_id says of which model, such as darkroom/painter.")
    model, kind = models.named(call, endpoint.split("/"))
    kind = kind or foreign.first_kind(call, model)
    schema = models.described(kind, has_sides=False)
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    path = {"post": {"summary": kind.summary, "requestBody": body, "responses": {}}}
    answer = {
        "openapi": "3.0.4",
        "info": {"title": endpoint[:200], "version": "1"},
        "paths": {f"/{endpoint}": path},
    }
    return wire.Json(spellings.encode(answer), 200, {})


_FOUND = (errors.Unauthenticated, errors.RateLimited, errors.TaskNotFound)
_REQUEST = "/fal/{app}/requests/{request_id}"
_MADE = (
    *(errors.InputRefused, errors.ContentRefused, errors.Unavailable),
    errors.TaskUnfinished,
)


def _route(method: str, path: str, handler: Any, summary: str, *raised: Any) -> Route:
    return Route(method, path, handler, summary, raised, wording=FAL)


ROUTES = (
    Route(
        "GET",
        "/fal/api/openapi/queue/openapi.json",
        describe,
        "What a model takes, for fal's clients.",
        (errors.BadParameter, errors.UnknownModel, errors.NotOffered),
        needs_key=False,
        wording=FAL,
    ),
    _route(
        "GET", f"{_REQUEST}/status", get_status, "How far a request is, as fal says it.", *_FOUND
    ),
    _route(
        "GET",
        f"{_REQUEST}/status/stream",
        follow,
        "A request followed as it goes, as fal's clients want it.",
        *_FOUND,
        errors.Unavailable,
    ),
    _route("GET", _REQUEST, get_result, "What a request made, as fal says it.", *_FOUND, *_MADE),
    _route("PUT", f"{_REQUEST}/cancel", cancel, "Take a request of fal's wire back.", *_FOUND),
    _route(
        "POST",
        "/fal/run/{app}",
        run,
        "Have a model run at once, in the wire of fal's clients.",
        *generation.ERRORS,
    ),
    _route(
        "POST",
        "/fal/{app}",
        submit,
        "Put a request into a model's queue, in the wire of fal's clients.",
        *generation.ERRORS,
    ),
)
