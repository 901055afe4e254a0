"""Replicate's wire: predictions of models that are called owner/name, and files for them.

Source: `replicate.com/docs/reference/http`, and its own client.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from darkroom import config, errors
from darkroom.api import waiting, wire
from darkroom.api.call import Call, Route
from darkroom.api.dialects import foreign, models
from darkroom.api.dialects.refusals import REPLICATE
from darkroom.api.routes import generation, uploads
from darkroom.domain import dialects, spellings, tasks, webhook_secrets

# Ours, by its names of them.
_EVENTS = {"start": "started", "output": "output", "logs": "progress", "completed": "ended"}
# What one that is told to stop may take to do so.
_STOP_SECONDS_MAX = 10.0
# A version of its build tool, by which a client knows how the schema is written.
_COG_VERSION = "0.16.0"


async def create(call: Call) -> Response:
    """Queue a prediction of the version, or of the model, that the body names."""
    body = await wire.read_json(call.request)
    version = body.pop("version", body.pop("model", ""))
    if not isinstance(version, str) or not version:
        raise errors.BadParameter("version cannot be empty: name a model.", field="version")
    name, _, pinned = version.partition(":")
    parts = name.split("/")
    if pinned:
        _check_version(models.named(call, parts)[0], pinned)
    return await _create(call, parts, body)


async def create_of_model(call: Call) -> Response:
    """Queue a prediction of the model in the path."""
    return await _create(call, _parts(call), await wire.read_json(call.request))


def _parts(call: Call) -> list[str]:
    return [call.request.path_params["owner"], call.request.path_params["name"]]


def _check_version(model: str, version: str) -> None:
    if foreign.plain(model) != foreign.plain(version):
        raise errors.UnknownModel(
            f"{model} has no version {version[:70]}: it has one, {model}.", field="version"
        )


async def _create(call: Call, parts: list[str], body: dict[str, Any]) -> Response:
    given = body.get("input", {})
    if not isinstance(given, dict):
        raise errors.BadParameter("input is an object of fields.", field="input")
    if body.get("stream"):
        raise errors.BadParameter("stream: no model here streams its output.", field="stream")
    if "cancel-after" in call.request.headers:
        raise errors.BadParameter("Cancel-After is not looked at here.", field="Cancel-After")
    fields = {name: value for name, value in given.items() if value is not None}
    asked = models.asked_for(call, parts, fields)
    _call_back(asked, body)
    batch = await foreign.place(call, asked, dialect="replicate")
    seconds = _seconds(call)
    if seconds is not None and not call.edge.streams.locked():
        async with call.edge.streams:
            account_id = call.principal.account_id
            await waiting.until_ended(call.edge, account_id, batch.task_ids, seconds)
    task = await call.edge.statuses.get(call.principal.account_id, batch.task_ids[0])
    shown = await _prediction(call, task)
    if shown["completed_at"] is None:
        # Its client takes any other state, after it has waited, for an end.
        shown["status"] = "starting"
    headers = {"Idempotent-Replayed": "true"} if batch.replayed else {}
    return wire.Json(spellings.encode(shown), 201, headers)


def _call_back(asked: foreign.Asked, body: dict[str, Any]) -> None:
    """Take the webhook of a body, and the events that it is to hear of."""
    name = "webhook" if body.get("webhook") else "webhook_completed"
    if not body.get(name):
        return
    chosen = body.get("webhook_events_filter", [*_EVENTS]) if name == "webhook" else ["completed"]
    if not isinstance(chosen, list) or not set(map(str, chosen)) <= _EVENTS.keys():
        raise errors.BadParameter(
            f"webhook_events_filter is a list of {', '.join(_EVENTS)}.",
            field="webhook_events_filter",
        )
    if asked.fields.get(asked.kind.count_field or "", 1) != 1:
        raise errors.BadParameter(f"{name} is told of one result: send one for each.", field=name)
    asked.fields |= {"webhook_url": body[name], "webhook_events": [_EVENTS[one] for one in chosen]}
    asked.names["webhook_url"] = name


def _seconds(call: Call) -> int | None:
    """How long the caller prefers to wait: `Prefer: wait` alone is as long as may be."""
    sent = call.request.headers.getlist("prefer")
    if any(one.strip().lower() == "wait" for one in sent):
        return config.PREFER_WAIT_SECONDS_MAX
    return waiting.seconds_preferred(sent)


async def get(call: Call) -> Response:
    """How far a prediction is, and what it made."""
    return wire.Json(spellings.encode(await _prediction(call, await _find(call))), 200, {})


async def _find(call: Call) -> tasks.Task:
    account_id = call.principal.account_id
    task = await call.edge.statuses.get(account_id, call.request.path_params["prediction_id"])
    call.trace.task_id, call.trace.batch_id = task.id, task.batch_id
    return task


async def _prediction(call: Call, task: tasks.Task) -> dict[str, Any]:
    found = await foreign.together(call, task)
    asked = await foreign.wanted(call, task.batch_id)
    return dialects.replicate_answer(found, asked, call.base_url) | foreign.told(found)


async def cancel(call: Call) -> Response:
    """Cancel a prediction, and say what became of it."""
    task, account_id = await _find(call), call.principal.account_id
    task_ids = await foreign.stop(call, task.batch_id)
    await waiting.until_ended(call.edge, account_id, task_ids, _STOP_SECONDS_MAX)
    task = await call.edge.statuses.get(account_id, task.id)
    return wire.Json(spellings.encode(await _prediction(call, task)), 200, {})


async def get_model(call: Call) -> Response:
    """A model, with what it takes."""
    owner, name = _parts(call)
    version = _version(call)
    shown = {
        "url": f"{call.base_url}/v1/models/{version['id']}",
        "owner": owner,
        "name": name,
        "description": call.edge.catalogue.models[version["id"]].name,
        "visibility": "public",
        "github_url": None,
        "paper_url": None,
        "license_url": None,
        "run_count": 0,
        "cover_image_url": None,
        "default_example": None,
        "latest_version": version,
    }
    return wire.Json(spellings.encode(shown), 200, {})


async def get_version(call: Call) -> Response:
    """The one version that a model has."""
    version = _version(call)
    _check_version(version["id"], call.request.path_params["version"])
    return wire.Json(spellings.encode(version), 200, {})


def _version(call: Call) -> dict[str, Any]:
    model, kind = models.named(call, _parts(call))
    kind = kind or foreign.first_kind(call, model)
    since = call.edge.catalogue.rates[model, kind.name].effective_at
    uri = {"type": "string", "format": "uri"}
    is_list = kind.outputs == "images" and kind.count_field
    output = {"type": "array", "items": uri} if is_list else uri
    schemas = {"Input": models.described(kind, has_sides=True), "Output": output}
    return {
        "id": model,
        "created_at": spellings.instant(since),
        "cog_version": _COG_VERSION,
        "openapi_schema": {"openapi": "3.0.2", "components": {"schemas": schemas}},
    }


async def upload(call: Call) -> Response:
    """Store a file, whose address can be named as an input."""
    asset, address = await uploads.store(call, "content")
    stored = await call.edge.files.find(asset.file)
    at = datetime.fromtimestamp(stored.stored_at, UTC) if stored else None
    shown = {
        "id": asset.file,
        "name": asset.file,
        "content_type": asset.media_type,
        "size": asset.size_bytes,
        "etag": asset.file.partition(".")[0],
        "checksums": {"sha256": asset.sha256.hex()},
        "metadata": {},
        "created_at": spellings.instant(at),
        "expires_at": None,
        "urls": {"get": address},
    }
    return wire.Json(spellings.encode(shown), 201, {})


async def get_secret(call: Call) -> Response:
    """The secret with which the account's webhooks are signed."""
    account_id = call.principal.account_id
    async with call.edge.database.transaction() as tx:
        live = await webhook_secrets.live(tx, [account_id])
    return wire.Json(spellings.encode({"key": live[account_id][0].secret}), 200, {})


_KNOWN = (errors.Unauthenticated, errors.RateLimited)
_MODEL = "/replicate/v1/models/{owner}/{name}"
_PREDICTION = "/replicate/v1/predictions/{prediction_id}"
_WIRE = "in the wire of Replicate's clients."


def _route(method: str, path: str, handler: Any, summary: str, *raised: Any) -> Route:
    return Route(method, path, handler, summary, raised, wording=REPLICATE)


ROUTES = (
    _route(
        "POST",
        "/replicate/v1/predictions",
        create,
        f"Queue what a model is to make, {_WIRE}",
        *generation.ERRORS,
    ),
    _route(
        "POST",
        f"{_MODEL}/predictions",
        create_of_model,
        f"Queue what this model is to make, {_WIRE}",
        *generation.ERRORS,
    ),
    _route("GET", _PREDICTION, get, f"How far a task is, {_WIRE}", *_KNOWN, errors.TaskNotFound),
    _route(
        "POST",
        f"{_PREDICTION}/cancel",
        cancel,
        f"Cancel a task, {_WIRE}",
        *(*_KNOWN, errors.TaskNotFound, errors.BatchNotFound),
    ),
    _route(
        "GET",
        _MODEL,
        get_model,
        f"A model with what it takes, {_WIRE}",
        *(*_KNOWN, errors.UnknownModel, errors.NotOffered),
    ),
    _route(
        "GET",
        f"{_MODEL}/versions/{{version}}",
        get_version,
        f"The one version of a model, {_WIRE}",
        *(*_KNOWN, errors.UnknownModel, errors.NotOffered),
    ),
    _route(
        "POST",
        "/replicate/v1/files",
        upload,
        f"Upload a file for an input, {_WIRE}",
        *(*_KNOWN, errors.BadParameter, errors.UploadTooLarge, errors.UnsupportedMedia),
        *(errors.UnsupportedFormat, errors.InputRefused),
    ),
    _route(
        "GET",
        "/replicate/v1/webhooks/default/secret",
        get_secret,
        f"The secret that signs the account's webhooks, {_WIRE}",
        *_KNOWN,
    ),
)
