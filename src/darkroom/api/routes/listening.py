"""Listening: an account's deliveries over a stream, for a receiver that nobody can reach."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from starlette.responses import Response

from darkroom import config, errors
from darkroom.api import query
from darkroom.api.call import Call, Edge, Route
from darkroom.api.routes.events import Stream
from darkroom.domain import (
    deliveries,
    messages,
    signing_keys,
    spellings,
    webhook_endpoints,
    webhooks,
)
from darkroom.domain.deliveries import Destination, Outcome
from darkroom.domain.webhook_endpoints import Endpoint
from darkroom.signing import SigningKey

# A listener is a developer's: asking costs less than a connection that listens for each.
_POLL_SECONDS = 0.25


async def listen(call: Call) -> Response:
    """A stream of the account's deliveries from now on, or on from where a stream broke off."""
    asked = query.texts(call)
    events = asked.get("events", webhooks.ENDED).split(",")
    if not {*events} <= {*webhooks.EVENTS}:
        raise errors.BadParameter(
            f"events is one or more of {','.join(webhooks.EVENTS)}.", field="events"
        )
    if call.edge.streams.locked():
        raise errors.Unavailable(
            f"The server has {config.EVENT_STREAMS_MAX} streams open. Try again shortly.",
            retry_after_seconds=5,
        )
    account_id = call.principal.account_id
    async with call.edge.database.statement() as tx:
        key = await signing_keys.ours(tx)
        listener = None
        if known := asked.get("listener_id"):
            listener = await webhook_endpoints.listen_on(tx, account_id, known)
        if listener is None:
            listener = await webhook_endpoints.listen(tx, account_id, events)
    return Stream(_told(call.edge, listener, key, call.base_url), call.edge.streams)


async def _told(
    edge: Edge, listener: Endpoint, key: SigningKey, base_url: str
) -> AsyncIterator[bytes]:
    """The stream's bytes: each delivery is recorded as arrived once it is written."""
    yield _event("listening", {"listener_id": listener.id, "events": listener.events})
    kept_at = spoken_at = began_at = time.monotonic()
    while not edge.stop.is_set() and time.monotonic() - began_at < config.EVENT_STREAM_SECONDS_MAX:
        taken = await _take(edge, listener, key, base_url)
        for message in taken:
            data = {"headers": message.headers, "body": message.body.decode()}
            yield _event("delivery", data)
        now = time.monotonic()
        if taken:
            await _record(edge, taken)
            spoken_at = now
            continue
        if now - spoken_at >= config.KEEP_ALIVE_SECONDS:
            spoken_at = now
            yield b": keep-alive\n\n"
        if now - kept_at >= config.LISTENER_SECONDS / 4:
            kept_at = now
            async with edge.database.statement() as tx:
                kept = await webhook_endpoints.listen_on(tx, listener.account_id, listener.id)
            if kept is None:
                return  # stalled for so long that it was forgotten: who comes again begins anew
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(edge.stop.wait(), _POLL_SECONDS)


async def _take(
    edge: Edge, listener: Endpoint, key: SigningKey, base_url: str
) -> list[messages.Message]:
    there = Destination(listener.account_id, f"@{listener.id}")
    async with edge.database.statement() as tx:
        claimed = await deliveries.claim(
            tx, {there: config.LISTENER_TAKES_MAX}, lease_seconds=edge.config.lease_seconds
        )
        told = [one for one in claimed if one.refused is None]
        facts = await messages.read(tx, told)
    return [messages.write(one, facts, key, base_url) for one in told]


async def _record(edge: Edge, taken: list[messages.Message]) -> None:
    outcomes = [
        Outcome(
            one.delivery.id,
            one.delivery.number,
            deliveries.DELIVERED,
            request_headers=one.headers,
            request_body=one.body.decode(),
        )
        for one in taken
    ]
    async with edge.database.statement() as tx:
        await deliveries.record(tx, outcomes)


def _event(name: str, data: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), spellings.encode(data))


ROUTES = (
    Route(
        "GET",
        "/v1/webhooks/listen",
        listen,
        "The account's deliveries from now on, as Server-Sent Events, for development.",
        (
            errors.Unauthenticated,
            errors.RateLimited,
            errors.BadParameter,
            errors.Unavailable,
        ),
    ),
)
