"""The statement: every page reads a bounded piece of an index, in a ledger of any size."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest
from plans import explained

ENTRIES = 30_000
OLD = datetime(2020, 1, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def ledger_of_many(shared_ground):
    """A connection to a ledger with a hold each minute, and one purchase of long ago."""
    account = shared_ground.account(credits_given=0)
    with psycopg.connect(shared_ground.conninfo) as connection:
        connection.execute(
            "INSERT INTO ledger_entries (account_id, type, available_mill, held_mill, hold_id,"
            " created_at) SELECT %s, 'hold', -1, 1, 'h' || n, %s + n * interval '1 minute'"
            " FROM generate_series(1, %s) n",
            [account.id, OLD, ENTRIES],
        )
        connection.execute(
            "INSERT INTO ledger_entries (account_id, type, available_mill, held_mill,"
            " system_account, system_mill, payment_id, created_at)"
            " VALUES (%s, 'purchase', 1, 0, 'sold', -1, 'p', %s)",
            [account.id, OLD],
        )
        connection.execute("ANALYZE ledger_entries")
        yield connection, account.id
        connection.rollback()


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("ledger.statement", {}),
        ("ledger.statement", {"type": "hold"}),
        ("ledger.statement", {"before_at": OLD.replace(day=20), "before_id": 7}),
        ("ledger.statement", {"until": OLD.replace(day=16)}),
        ("ledger.statement_rare", {"type": "purchase"}),
    ],
)
def test_a_page_of_the_statement_reads_a_bounded_piece(ledger_of_many, mode, name, wanted):
    connection, account_id = ledger_of_many
    given = dict.fromkeys(("before_at", "before_id", "since", "until", "type"))
    given |= {"account_id": account_id, "rows_max": 51, **wanted}
    plan = explained(connection, name, given, mode)
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 120, plan
    assert plan["Actual Rows"] == (1 if name == "ledger.statement_rare" else 51)
