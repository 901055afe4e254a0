"""Deliveries: what is to be told to which address, claimed under a lease and ended once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from darkroom import config, errors, ids
from darkroom.storage.database import Transaction, jsonb

PENDING, DELIVERED, FAILED = "PENDING", "DELIVERED", "FAILED"


class Destination(NamedTuple):
    """Where deliveries of an account queue: one host, its port included."""

    account_id: str
    host: str


# Before all destinations.
FIRST = Destination("", "")


class Seen(msgspec.Struct, frozen=True):
    """A destination that was looked at, and whether something is due for it now.

    The search ended at the one that `is_last` for as many as it may look at.
    """

    account_id: str
    host: str
    is_due: bool
    is_last: bool

    @property
    def destination(self) -> Destination:
        return Destination(self.account_id, self.host)


class Claimed(msgspec.Struct, frozen=True):
    """One delivery leased to a daemon; `number` fences what is recorded of the attempt.

    `failures` counts the attempts before that failed, without those that nobody lived to record.
    `wire`, `base_url` and `request_id` are those of the submit; `asked` is what was asked for in a
    dialect, which it names. `refused` says why it is not to be
    sent any more; then there is no attempt.
    """

    id: str
    account_id: str
    task_id: str | None
    endpoint_id: str | None
    url: str
    host: str
    type: str
    data: dict[str, Any] | None
    number: int
    failures: int
    at_seconds: int
    request_id: str | None
    base_url: str | None
    asked: dict[str, Any] | None
    wire: str
    refused: str | None

    @property
    def destination(self) -> Destination:
        return Destination(self.account_id, self.host)


class Outcome(msgspec.Struct, frozen=True):
    """What came of an attempt: `error` None when it arrived.

    The delivery is then `status`; PENDING: due again after the pause. `failure` tells why it is
    FAILED. Without a request nothing was sent.
    """

    id: str
    number: int
    status: str
    pause_seconds: float = 0.0
    seconds: float = 0.0
    request_headers: Mapping[str, str] | None = None
    request_body: str | None = None
    answer_status: int | None = None
    answer_headers: Mapping[str, str] | None = None
    answer_body: str | None = None
    error: str | None = None
    failure: str | None = None
    # An endpoint that said that it is no more.
    gone_endpoint_id: str | None = None


class Delivery(msgspec.Struct, frozen=True):
    """A delivery as its owner sees it; `is_sending` while an attempt is under way."""

    id: str
    type: str
    status: str
    url: str
    endpoint_id: str | None
    task_id: str | None
    attempts: int
    next_at: datetime
    is_sending: bool | None
    error: str | None
    created_at: datetime
    ended_at: datetime | None


class Attempt(msgspec.Struct, frozen=True):
    """One attempt: what was sent, and what came back or went wrong."""

    number: int
    at: datetime
    seconds: float
    request_headers: dict[str, str]
    request_body: str
    answer_status: int | None
    answer_headers: dict[str, str] | None
    answer_body: str | None
    error: str | None


class Filter(msgspec.Struct, frozen=True):
    """Which deliveries; None means any."""

    status: str | None = None
    type: str | None = None
    endpoint_id: str | None = None
    task_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class _Gone(msgspec.Struct, frozen=True):
    total: int


class _Resent(msgspec.Struct, frozen=True):
    total: int
    told: str


class _Made(msgspec.Struct, frozen=True):
    id: str
    told: str


async def due(tx: Transaction, *, after: Destination) -> list[Seen]:
    """Destinations after a place for which something is due, in their order."""
    return await tx.all(
        Seen,
        "deliveries.due",
        after_account_id=after.account_id,
        after_host=after.host,
        looked_at_max=config.DESTINATIONS_LOOKED_AT_MAX,
    )


async def claim(
    tx: Transaction, wanted: Mapping[Destination, int], *, lease_seconds: float
) -> list[Claimed]:
    """Lease due deliveries, up to so many for each destination, the longest due first."""
    return await tx.all(
        Claimed,
        "deliveries.claim",
        account_ids=[one.account_id for one in wanted],
        hosts=[one.host for one in wanted],
        counts=list(wanted.values()),
        lease_seconds=lease_seconds,
    )


async def beat(
    tx: Transaction, under_way: Collection[tuple[str, int]], *, lease_seconds: float
) -> None:
    """Renew the leases of (delivery id, attempt's number) pairs that are still the attempt's."""
    await tx.run(
        "deliveries.beat",
        ids=[delivery_id for delivery_id, _ in under_way],
        numbers=[number for _, number in under_way],
        lease_seconds=lease_seconds,
    )


async def record(tx: Transaction, outcomes: Sequence[Outcome]) -> None:
    """Keep what came of attempts; what a later attempt has overtaken changes no delivery."""
    text = msgspec.json.encode(outcomes).decode()
    await tx.run("deliveries.record", outcomes=text)


async def forget(tx: Transaction, *, retention_days: int, rows_max: int) -> int:
    """Remove up to `rows_max` ended deliveries older than the retention; answers how many."""
    gone = await tx.one(
        _Gone, "deliveries.forget", retention_days=retention_days, rows_max=rows_max
    )
    return gone.total


async def list_for(
    tx: Transaction, account_id: str, wanted: Filter, *, before: str | None, rows_max: int
) -> list[Delivery]:
    """The account's deliveries, newest first, from behind the one with the id `before` on."""
    if not 1 <= rows_max <= 200:
        raise errors.BadParameter("limit is 1 to 200.", field="limit")
    # A statement that serves all of them would read all that the account was ever told.
    name = "deliveries.list"
    if wanted.task_id is not None:
        name = "deliveries.of_task"
    elif wanted.status == FAILED:
        name = "deliveries.list_failed"
    return await tx.all(
        Delivery,
        name,
        account_id=account_id,
        before=before,
        rows_max=rows_max,
        **msgspec.structs.asdict(wanted),
    )


async def of_tasks(
    tx: Transaction, account_id: str, task_ids: Collection[str], *, rows_max: int
) -> list[Delivery]:
    """The first deliveries about these tasks of the account, in their order."""
    return await tx.all(
        Delivery,
        "deliveries.of_tasks",
        account_id=account_id,
        task_ids=list(task_ids),
        rows_max=rows_max,
    )


async def get(tx: Transaction, account_id: str, delivery_id: str) -> Delivery:
    """One delivery of the account; another's is not found either."""
    found = await tx.first(
        Delivery, "deliveries.get", account_id=account_id, delivery_id=delivery_id
    )
    if found is None:
        raise errors.DeliveryNotFound
    return found


async def attempts(tx: Transaction, account_id: str, delivery_id: str) -> list[Attempt]:
    """The recorded attempts of a delivery; a missing number's process did not live to record it."""
    return await tx.all(
        Attempt, "deliveries.attempts", account_id=account_id, delivery_id=delivery_id
    )


async def resend(
    tx: Transaction, account_id: str, wanted: Filter, *, delivery_id: str | None, rows_max: int
) -> int:
    """Have deliveries sent again at once, under their old ids; answers how many."""
    resent = await tx.one(
        _Resent,
        "deliveries.resend",
        account_id=account_id,
        delivery_id=delivery_id,
        rows_max=rows_max,
        seconds_max=config.DELIVERY_SECONDS_MAX,
        **msgspec.structs.asdict(wanted),
    )
    return resent.total


async def test(tx: Transaction, account_id: str, endpoint_id: str) -> Delivery:
    """Send an endpoint a delivery that tells nothing."""
    made = await tx.first(
        _Made,
        "deliveries.test",
        id=ids.new("msg"),
        account_id=account_id,
        endpoint_id=endpoint_id,
        data=jsonb({"endpoint_id": endpoint_id}),
        seconds_max=config.DELIVERY_SECONDS_MAX,
    )
    if made is None:
        raise errors.EndpointNotFound
    return await get(tx, account_id, made.id)
