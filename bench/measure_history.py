"""Call history: one request found by its id among many records and few; pages over the many."""

from __future__ import annotations

import contextlib
import random
import shutil
import tempfile
import time
from collections.abc import Iterator

import psycopg

import fill
import home
import measure_pages
from caller import Caller
from home import Home
from lines import Budget, Line, of_pairs
from plan import FULL, Plan

_DISK_BYTES_A_ROW = 900
_WARM_UPS = 10
_NAME = "call history search by request id, {:,} rows"
_BUDGET = Budget(False, 2, " ×")


def measure(plan: Plan, one: Home) -> Iterator[Line]:
    """The search through the HTTP route, two tables taking turns; pages over the full one."""
    if not plan.rows_many:
        yield _unmeasured(FULL.rows_many, "left out of a quick pass")
        yield measure_pages.unmeasured("left out of a quick pass")
        return
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < plan.rows_many * _DISK_BYTES_A_ROW:
        yield _unmeasured(plan.rows_many, f"only {free >> 30} GiB of disk are free")
        yield measure_pages.unmeasured(f"only {free >> 30} GiB of disk are free")
        return
    with _filled(one, plan.rows_few) as few, _filled(one, plan.rows_many) as many:
        floor, found = [], []
        for _ in plan.times(plan.searches):
            floor.append(few.milliseconds())
            found.append(many.milliseconds())
        note = f"{len(found)} searches over one connection; floor: {few.rows:,} rows"
        if many.rows < plan.rows_many:
            note += f"; no more than {many.rows:,} of {plan.rows_many:,} rows were ready in time"
        yield of_pairs(_NAME.format(many.rows), _BUDGET, "ms", floor, found, note)
        yield measure_pages.measure(plan, many.home, many.url, many.rows)


def _unmeasured(rows: int, why: str) -> Line:
    return Line(_NAME.format(rows), _BUDGET, "–", "–", None, note=why)


class _Shelf:
    """A server over a filled table of call records."""

    def __init__(
        self, home: Home, url: str, caller: Caller, rows: int, connection: psycopg.Connection
    ) -> None:
        self.home = home
        self.url = url
        self.rows = rows
        self._caller = caller
        self._random = random.Random(rows)
        self._connection = connection

    def milliseconds(self) -> float:
        """How long it takes to find one record, chosen at random."""
        number = self._random.randrange(fill.SHARE, self.rows + 1, fill.SHARE)
        request_id = fill.request_id(self._connection, number)
        began = time.perf_counter()
        count = self._caller.search(request_id)
        took = time.perf_counter() - began
        assert count == 1, f"{request_id} was found {count} times"
        return took * 1000


@contextlib.contextmanager
def _filled(one: Home, rows: int) -> Iterator[_Shelf]:
    with (
        home.another(one, f"history_{rows}") as full,
        psycopg.connect(full.conninfo, autocommit=True) as connection,
    ):
        key = full.keys(1)[0]
        [[account_id]] = connection.execute("SELECT account_id FROM api_keys").fetchall()
        done = fill.fill(connection, account_id, rows)
        with home.served(full, 0) as server:
            shelf = _Shelf(full, server.url, Caller(server.url, key), done, connection)
            for _ in range(_WARM_UPS):
                shelf.milliseconds()
            yield shelf
