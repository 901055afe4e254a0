"""Webhook endpoints: addresses that hear of every task of their account, until they are gone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from darkroom import config, errors, ids
from darkroom.domain import accounts
from darkroom.storage.database import Transaction


class Endpoint(msgspec.Struct, frozen=True):
    """One endpoint; `failing_since` tells since when nothing has arrived, None: the last did."""

    id: str
    account_id: str
    url: str
    events: list[str]
    created_at: datetime
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None


class _Id(msgspec.Struct, frozen=True):
    id: str


class _Gone(msgspec.Struct, frozen=True):
    total: int


async def create(tx: Transaction, account_id: str, url: str, events: Sequence[str]) -> Endpoint:
    """Add an endpoint, which hears of what happens from now on; the address is checked before."""
    await accounts.lock(tx, account_id)
    known = await list_for(tx, account_id)
    if any(one.url == url for one in known):
        raise errors.BadParameter(
            "An endpoint with this address is there already: remove it first to change its events.",
            field="url",
        )
    if len(known) >= config.ENDPOINTS_MAX:
        raise errors.BadParameter(
            f"An account has at most {config.ENDPOINTS_MAX} endpoints: remove one.", field="url"
        )
    return await tx.one(
        Endpoint,
        "webhook_endpoints.insert",
        id=ids.new("whe"),
        account_id=account_id,
        url=url,
        events=list(dict.fromkeys(events)),
    )


async def list_for(tx: Transaction, account_id: str) -> list[Endpoint]:
    """An account's endpoints, the oldest first."""
    return await tx.all(Endpoint, "webhook_endpoints.list", account_id=account_id)


async def remove(tx: Transaction, account_id: str, endpoint_id: str) -> None:
    """Remove an endpoint; what it was still to be told ends as FAILED when it is due."""
    row = await tx.first(
        _Id, "webhook_endpoints.remove", account_id=account_id, endpoint_id=endpoint_id
    )
    if row is None:
        raise errors.EndpointNotFound


async def enable(tx: Transaction, account_id: str, endpoint_id: str) -> Endpoint:
    """Have an endpoint told again, from now on."""
    row = await tx.first(
        Endpoint, "webhook_endpoints.enable", account_id=account_id, endpoint_id=endpoint_id
    )
    if row is None:
        raise errors.EndpointNotFound
    return row


async def disable(tx: Transaction, endpoint_id: str, reason: str) -> list[Endpoint]:
    """Tell an endpoint nothing any more, and the account's others that it is so."""
    return await tx.all(
        Endpoint,
        "webhook_endpoints.disable",
        id=ids.new("msg"),
        endpoint_id=endpoint_id,
        failing_seconds=None,
        reason=reason,
        seconds_max=config.DELIVERY_SECONDS_MAX,
    )


async def disable_failing(tx: Transaction) -> list[Endpoint]:
    """Disable endpoints at which nothing has arrived for days."""
    days = config.ENDPOINT_FAILING_SECONDS_MAX / 86_400
    return await tx.all(
        Endpoint,
        "webhook_endpoints.disable",
        id=ids.new("msg"),
        endpoint_id=None,
        failing_seconds=config.ENDPOINT_FAILING_SECONDS_MAX,
        reason=f"Nothing has arrived for {days:g} days.",
        seconds_max=config.DELIVERY_SECONDS_MAX,
    )


async def listen(tx: Transaction, account_id: str, events: Sequence[str]) -> Endpoint:
    """A new listener, kept for a while: an endpoint that takes its deliveries itself."""
    return await tx.one(
        Endpoint,
        "webhook_endpoints.listen",
        id=ids.new("whe"),
        account_id=account_id,
        events=list(events),
        seconds=config.LISTENER_SECONDS,
    )


async def listen_on(tx: Transaction, account_id: str, listener_id: str) -> Endpoint | None:
    """Keep a listener of the account for a while more; None when it is gone."""
    return await tx.first(
        Endpoint,
        "webhook_endpoints.listen_on",
        account_id=account_id,
        endpoint_id=listener_id,
        seconds=config.LISTENER_SECONDS,
    )


async def forget_listeners(tx: Transaction) -> int:
    """Remove listeners that have gone, with what they have not taken; answers how many."""
    return (await tx.one(_Gone, "webhook_endpoints.forget_listeners")).total
