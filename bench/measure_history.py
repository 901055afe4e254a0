"""Call history: finding one request by its id among many records and among few."""

from __future__ import annotations

import contextlib
import random
import shutil
import tempfile
import time
from collections.abc import Iterator

import psycopg

import home
from caller import Caller
from home import Home
from lines import Budget, Line, of_pairs
from plan import Plan

# Of every hundred records one is the searching account's.
_SHARE = 100
_DISK_BYTES_A_ROW = 900
_NAME = "call history search by request id, {:,} rows"
_BUDGET = Budget(False, 2, " ×")
# An id is a function of its number, so that the search knows what exists; like real ones they
# begin with their time.
_ID = "'req_' || lpad(to_hex(1735689600000 + n), 12, '0') || substr(md5(n::text), 1, 14)"
# Not logged: what is measured is reading, and the write-ahead log would double the disk it takes.
_FILL = f"""
ALTER TABLE call_records SET UNLOGGED;
ALTER TABLE call_records SET (autovacuum_enabled = off);
INSERT INTO call_records
SELECT {_ID},
       CASE WHEN n %% {_SHARE} = 0 THEN %(account)s
            ELSE 'acc_' || substr(md5((n %% 997)::text), 1, 26) END,
       'key_' || substr(md5((n %% 1999)::text), 1, 26),
       now() - make_interval(secs => (%(rows)s - n) * 0.5),
       CASE WHEN n %% 10 < 3 THEN 'POST' ELSE 'GET' END,
       CASE WHEN n %% 10 < 3 THEN '/v1/generation/text-to-image'
            ELSE '/v1/generation/task_' || substr(md5((n / 10)::text), 1, 26) || '/status' END,
       CASE WHEN n %% 50 = 0 THEN 404 ELSE 200 END,
       CASE WHEN n %% 50 = 0 THEN 1003 ELSE 0 END,
       1 + (n %% 97) / 10.0,
       '203.0.113.' || n %% 250,
       100000000 + n / 10,
       'task_' || substr(md5((n / 10)::text), 1, 26),
       CASE WHEN n %% 10 < 3 THEN 4000 END
  FROM generate_series(1::bigint, %(rows)s::bigint) AS n;
ANALYZE call_records;
"""


def measure(plan: Plan, one: Home) -> Line:
    """The line of the search through the HTTP route, the two tables taking turns."""
    many = plan.rows_many or 10_000_000
    name = _NAME.format(many)
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if not plan.rows_many:
        return Line(name, _BUDGET, "–", "–", None, note="left out of a quick pass")
    if free < plan.rows_many * _DISK_BYTES_A_ROW:
        return Line(name, _BUDGET, "–", "–", None, note=f"only {free >> 30} GiB of disk are free")
    with _filled(one, plan.rows_few) as few, _filled(one, plan.rows_many) as full:
        floor, found = [], []
        for _ in range(plan.searches):
            floor.append(few.milliseconds())
            found.append(full.milliseconds())
    note = f"median of {plan.searches} searches over one connection; floor: {plan.rows_few:,} rows"
    return of_pairs(name, _BUDGET, "ms", floor, found, note)


class _Shelf:
    """A server over a filled table of call records."""

    def __init__(self, caller: Caller, rows: int, connection: psycopg.Connection) -> None:
        self._caller = caller
        self._rows = rows
        self._random = random.Random(rows)
        self._connection = connection

    def milliseconds(self) -> float:
        """How long it takes to find one record, chosen at random."""
        number = self._random.randrange(_SHARE, self._rows + 1, _SHARE)
        [request_id] = self._connection.execute(
            f"SELECT {_ID} FROM (SELECT %s::bigint AS n) AS one", [number]
        ).fetchone() or [None]
        began = time.perf_counter()
        count = self._caller.search(request_id)
        took = time.perf_counter() - began
        assert count == 1, f"{request_id} was found {count} times"
        return took * 1000


@contextlib.contextmanager
def _filled(one: Home, rows: int) -> Iterator[_Shelf]:
    with home.another(one, f"history_{rows}") as full, home.served(full, 0) as server:
        key = full.keys(1)[0]
        with psycopg.connect(full.conninfo, autocommit=True) as connection:
            found = connection.execute("SELECT account_id FROM api_keys").fetchone()
            assert found is not None
            given = {"account": found[0], "rows": rows}
            for statement in _FILL.split(";\n"):
                if statement.strip():
                    connection.execute(statement, given if "%(" in statement else None)
            connection.execute("CHECKPOINT")
            shelf = _Shelf(Caller(server.url, key), rows, connection)
            for _ in range(10):
                shelf.milliseconds()
            yield shelf
