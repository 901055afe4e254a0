"""What a submit reads does not grow with the accounts that there are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from plans import explained

from ground import Ground

_ACCOUNTS = 3_000


def _read(plan: Any) -> Iterator[tuple[str, str]]:
    yield plan["Node Type"], plan.get("Relation Name", "")
    for child in plan.get("Plans", ()):
        yield from _read(child)


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
def test_a_submit_reads_its_own_accounts_alone(ground: Ground, mode: str):
    with psycopg.connect(ground.conninfo) as connection:
        connection.execute(
            "WITH made AS (INSERT INTO accounts (id, email)"
            " SELECT 'acc_' || n, n || '@many' FROM generate_series(1, %s) AS n RETURNING id)"
            " INSERT INTO lanes (account_id) SELECT id FROM made",
            (_ACCOUNTS,),
        )
        connection.execute("ANALYZE accounts, lanes")
        asked = [
            {
                "id": n,
                "batch_id": n,
                "account_id": f"acc_{n}",
                "model": "M",
                "kind": "text-to-image",
            }
            for n in range(1, 9)
        ]
        batches = [one | {"request_id": "req", "input": {}, "rate_id": 1} for one in asked]
        rows = {"position": 0, "seed": 1, "price": 0, "priority": 0, "size": 0, "mill": 0}
        given = {
            "batches": json.dumps(batches),
            "tasks": json.dumps([one | rows for one in asked]),
            "holds": json.dumps([one | rows for one in asked]),
            "unknown_seconds": 5.0,
        }
        for name in ("ledger.hold", "tasks.submit"):
            plan = explained(connection, name, given, mode)
            read = {one for one in _read(plan) if one[1] in ("accounts", "lanes")}
            assert ("Seq Scan", "accounts") not in read, json.dumps(plan)[:4000]
            assert ("Seq Scan", "lanes") not in read, json.dumps(plan)[:4000]
        connection.rollback()
