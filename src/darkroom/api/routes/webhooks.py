"""Webhooks: an account's endpoints, its secret, its deliveries, and the server's public keys."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from starlette.responses import Response

from darkroom import config, errors
from darkroom.api import query, wire
from darkroom.api.call import Call, Route
from darkroom.domain import (
    deliveries,
    signing_keys,
    spellings,
    webhook_endpoints,
    webhook_secrets,
)

_ROWS_DEFAULT = 50
_KEYS_CACHED_SECONDS = 3600


class NewEndpoint(msgspec.Struct, kw_only=True):
    """An address that is to hear of the account's tasks."""

    url: Annotated[str, msgspec.Meta(min_length=1, description="Where to POST.")]
    events: Annotated[
        Annotated[
            list[Literal["ended", "started", "progress", "output"]], msgspec.Meta(min_length=1)
        ],
        msgspec.Meta(description="Of what: ended, started, progress, output."),
    ] = msgspec.field(default_factory=lambda: ["ended"])


class Chosen(msgspec.Struct, kw_only=True):
    """Which deliveries are to be sent again; what is left out is any."""

    status: Annotated[
        Literal["FAILED", "DELIVERED", "PENDING"], msgspec.Meta(description="How they stand.")
    ] = "FAILED"
    endpoint_id: str | None = None
    task_id: str | None = None
    type: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def add_endpoint(call: Call) -> Any:
    """Add an endpoint; from now on it hears of the account's tasks."""
    given = wire.convert(await wire.read_json(call.request), NewEndpoint)
    host = call.edge.outbound.check_webhook(given.url, field="url")
    call.principal.check_callback(host, field="url")
    async with call.edge.database.transaction() as tx:
        made = await webhook_endpoints.create(
            tx, call.principal.account_id, given.url, given.events
        )
    return _endpoint(made)


async def list_endpoints(call: Call) -> Any:
    """The account's endpoints, the oldest first."""
    async with call.edge.database.statement() as tx:
        found = await webhook_endpoints.list_for(tx, call.principal.account_id)
    return [_endpoint(one) for one in found]


async def remove_endpoint(call: Call) -> Any:
    """Remove an endpoint; what it was still to be told ends as FAILED."""
    endpoint_id = _id(call, "endpoint_id", errors.EndpointNotFound)
    async with call.edge.database.statement() as tx:
        await webhook_endpoints.remove(tx, call.principal.account_id, endpoint_id)
    return {"endpoint_id": endpoint_id, "removed": True}


async def enable_endpoint(call: Call) -> Any:
    """Have an endpoint told again that was disabled."""
    endpoint_id = _id(call, "endpoint_id", errors.EndpointNotFound)
    async with call.edge.database.statement() as tx:
        return _endpoint(await webhook_endpoints.enable(tx, call.principal.account_id, endpoint_id))


async def test_endpoint(call: Call) -> Any:
    """Send an endpoint a delivery of the type `webhook.test`."""
    endpoint_id = _id(call, "endpoint_id", errors.EndpointNotFound)
    async with call.edge.database.transaction() as tx:
        return _delivery(await deliveries.test(tx, call.principal.account_id, endpoint_id))


async def get_secret(call: Call) -> Any:
    """The live secrets of the account, and the server's public key."""
    account_id = call.principal.account_id
    async with call.edge.database.statement() as tx:
        live = await webhook_secrets.live(tx, [account_id])
        key = await signing_keys.ours(tx)
    return _secrets(live[account_id], key.public)


async def rotate_secret(call: Call) -> Any:
    """Make a new secret; the one before it signs as well for a while."""
    overlap = query.number(call, "overlap_hours", config.SECRET_OVERLAP_HOURS)
    if overlap > config.SECRET_OVERLAP_HOURS_MAX:
        raise errors.BadParameter(
            f"overlap_hours is at most {config.SECRET_OVERLAP_HOURS_MAX}.",
            field="overlap_hours",
        )
    async with call.edge.database.transaction() as tx:
        live = await webhook_secrets.rotate(tx, call.principal.account_id, overlap_hours=overlap)
        key = await signing_keys.ours(tx)
    return _secrets(live, key.public)


async def list_deliveries(call: Call) -> Any:
    """The account's deliveries, newest first."""
    asked = query.texts(call)
    rows_max = query.number(call, "limit", _ROWS_DEFAULT)
    async with call.edge.database.statement() as tx:
        rows = await deliveries.list_for(
            tx,
            call.principal.account_id,
            wanted(asked),
            before=asked.get("before"),
            rows_max=rows_max,
        )
    return {
        "deliveries": [_delivery(one) for one in rows],
        "next": rows[-1].id if len(rows) == rows_max else None,
    }


def wanted(asked: Mapping[str, str]) -> deliveries.Filter:
    """Which deliveries a query asks for; the account's pages ask as its programs do."""
    since, until = asked.get("since"), asked.get("until")
    return deliveries.Filter(
        status=asked["status"].upper() if "status" in asked else None,
        type=asked.get("type"),
        endpoint_id=asked.get("endpoint_id"),
        task_id=asked.get("task_id"),
        since=None if since is None else query.parsed("since", since),
        until=None if until is None else query.parsed("until", until),
    )


async def get_delivery(call: Call) -> Any:
    """One delivery with its attempts: what was sent, and what came back."""
    delivery_id = _id(call, "webhook_id", errors.DeliveryNotFound)
    async with call.edge.database.statement() as tx:
        one = await deliveries.get(tx, call.principal.account_id, delivery_id)
        made = await deliveries.attempts(tx, call.principal.account_id, delivery_id)
    return _delivery(one) | {"log": [_attempt(attempt) for attempt in made]}


async def resend_delivery(call: Call) -> Any:
    """Have one delivery sent again at once, under its old id; not while it is being sent."""
    delivery_id = _id(call, "webhook_id", errors.DeliveryNotFound)
    account_id = call.principal.account_id
    async with call.edge.database.transaction() as tx:
        await deliveries.resend(
            tx, account_id, deliveries.Filter(), delivery_id=delivery_id, rows_max=1
        )
        return _delivery(await deliveries.get(tx, account_id, delivery_id))


async def resend_deliveries(call: Call) -> Any:
    """Have many deliveries sent again, the oldest first, a bounded number at a time."""
    given = wire.convert(await wire.read_json(call.request), Chosen)
    async with call.edge.database.transaction() as tx:
        count = await deliveries.resend(
            tx,
            call.principal.account_id,
            deliveries.Filter(**msgspec.structs.asdict(given)),
            delivery_id=None,
            rows_max=config.RESENT_TOGETHER_MAX,
        )
    return {"resent": count, "more": count == config.RESENT_TOGETHER_MAX}


async def get_keys(call: Call) -> Response:
    """The public keys that verify `v1a` signatures, as a JSON Web Key Set (RFC 7517)."""
    async with call.edge.database.statement() as tx:
        key = await signing_keys.ours(tx)
    body = spellings.encode({"keys": [key.jwk()]})
    headers = {"Cache-Control": f"public, max-age={_KEYS_CACHED_SECONDS}"}
    return Response(body, headers=headers, media_type="application/json")


def _id(call: Call, name: str, missing: type[errors.Refusal]) -> str:
    text: str = call.request.path_params[name]
    if "\x00" in text:
        raise missing
    return text


def _endpoint(one: webhook_endpoints.Endpoint) -> dict[str, Any]:
    return {
        "endpoint_id": one.id,
        "url": one.url,
        "events": one.events,
        "enabled": one.disabled_at is None,
        "created_at": spellings.instant(one.created_at),
        "failing_since": spellings.instant(one.failing_since),
        "disabled_at": spellings.instant(one.disabled_at),
        "disabled_reason": one.disabled_reason,
    }


def _secrets(live: list[webhook_secrets.Secret], public_key: str) -> dict[str, Any]:
    return {
        "secret": live[0].secret,
        "secrets": [
            {
                "secret": one.secret,
                "created_at": spellings.instant(one.created_at),
                "expires_at": spellings.instant(one.expires_at),
            }
            for one in live
        ],
        "public_key": public_key,
    }


def _delivery(one: deliveries.Delivery) -> dict[str, Any]:
    is_waiting = one.status == deliveries.PENDING and not one.is_sending
    return {
        "webhook_id": one.id,
        "type": one.type,
        "status": one.status,
        "url": one.url,
        "endpoint_id": one.endpoint_id,
        "task_id": one.task_id,
        "attempts": one.attempts,
        "sending": bool(one.is_sending),
        "next_at": spellings.instant(one.next_at) if is_waiting else None,
        "error": one.error,
        "created_at": spellings.instant(one.created_at),
        "ended_at": spellings.instant(one.ended_at),
    }


def _attempt(one: deliveries.Attempt) -> dict[str, Any]:
    answer = None
    if one.answer_status is not None:
        answer = {
            "status": one.answer_status,
            "headers": one.answer_headers,
            "body": one.answer_body,
        }
    return {
        "number": one.number,
        "at": spellings.instant(one.at),
        "seconds": round(one.seconds, 3),
        "request": {"headers": one.request_headers, "body": one.request_body},
        "answer": answer,
        "error": one.error,
    }


_COMMON = (errors.Unauthenticated, errors.RateLimited)
_BODY = (errors.BadParameter, errors.UnsupportedMedia, errors.BodyTooLarge)
ROUTES = (
    Route(
        "POST",
        "/v1/webhooks/endpoints",
        add_endpoint,
        "Add an endpoint, which hears of every task of the account.",
        (*_COMMON, *_BODY, errors.PermissionDenied, errors.WebhookRefused),
        body=NewEndpoint,
    ),
    Route("GET", "/v1/webhooks/endpoints", list_endpoints, "The account's endpoints.", _COMMON),
    Route(
        "DELETE",
        "/v1/webhooks/endpoints/{endpoint_id}",
        remove_endpoint,
        "Remove an endpoint; what it was still to be told ends as FAILED.",
        (*_COMMON, errors.EndpointNotFound),
    ),
    Route(
        "POST",
        "/v1/webhooks/endpoints/{endpoint_id}/enable",
        enable_endpoint,
        "Have an endpoint told again that was disabled.",
        (*_COMMON, errors.EndpointNotFound),
    ),
    Route(
        "POST",
        "/v1/webhooks/endpoints/{endpoint_id}/test",
        test_endpoint,
        "Send an endpoint a delivery of the type webhook.test.",
        (*_COMMON, errors.EndpointNotFound),
    ),
    Route(
        "GET",
        "/v1/webhooks/secret",
        get_secret,
        "The secrets that sign the account's deliveries, and the server's public key.",
        _COMMON,
    ),
    Route(
        "POST",
        "/v1/webhooks/secret/rotate",
        rotate_secret,
        "Make a new secret; the old one signs as well for overlap_hours.",
        (*_COMMON, errors.BadParameter),
    ),
    Route(
        "GET",
        "/v1/webhooks/deliveries",
        list_deliveries,
        "The account's deliveries, newest first, by status, type, endpoint, task and time.",
        (*_COMMON, errors.BadParameter),
    ),
    Route(
        "POST",
        "/v1/webhooks/deliveries/resend",
        resend_deliveries,
        "Send many deliveries again: those of a status, type, endpoint, task and time.",
        (*_COMMON, *_BODY),
        body=Chosen,
    ),
    Route(
        "GET",
        "/v1/webhooks/deliveries/{webhook_id}",
        get_delivery,
        "One delivery with its attempts: what was sent, and what came back.",
        (*_COMMON, errors.DeliveryNotFound),
    ),
    Route(
        "POST",
        "/v1/webhooks/deliveries/{webhook_id}/resend",
        resend_delivery,
        "Send one delivery again at once, under the same id.",
        (*_COMMON, errors.DeliveryNotFound),
    ),
    Route(
        "GET",
        "/.well-known/jwks.json",
        get_keys,
        "The server's public keys, which verify the v1a signatures of webhooks.",
        needs_key=False,
    ),
)
