"""What the tests of deliveries share: rows that are due, claims, and what came of them."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from darkroom.domain import deliveries
from darkroom.domain.deliveries import Claimed, Destination, Outcome

HOST = "example.com"


def run(ground, query: str, *values: Any) -> list[Any]:
    """What a query answers."""
    with psycopg.connect(ground.conninfo, row_factory=namedtuple_row) as connection:
        cursor = connection.execute(query, values)
        return cursor.fetchall() if cursor.description else []


def fill(ground, account_id: str, count: int = 1, host: str = HOST, **more: Any) -> None:
    """Write deliveries that are due."""
    run(
        ground,
        """INSERT INTO webhook_deliveries (id, account_id, url, type, data, next_at, expires_at,
                                           endpoint_id)
           SELECT 'msg_' || gen_random_uuid(), %s, 'https://' || %s || '/hook', 'webhook.test',
                  '{}', now() + make_interval(secs => %s), now() + make_interval(secs => %s), %s
             FROM generate_series(1, %s)""",
        account_id,
        host,
        more.get("due_seconds", 0),
        more.get("expires_seconds", 60),
        more.get("endpoint_id"),
        count,
    )


async def claim(database, wanted: dict[Destination, int], lease_seconds: float = 60):
    """What a daemon gets."""
    async with database.statement() as tx:
        return await deliveries.claim(tx, wanted, lease_seconds=lease_seconds)


async def record(database, *outcomes: Outcome) -> None:
    async with database.statement() as tx:
        await deliveries.record(tx, outcomes)


def outcome(one: Claimed, status: str = "DELIVERED", **more: Any) -> Outcome:
    return Outcome(
        one.id, one.number, status, request_headers={"a": "b"}, request_body="{}", **more
    )
