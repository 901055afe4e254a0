"""Pages of the console over a full database: how long the slowest takes to answer."""

from __future__ import annotations

import http.client
import statistics
import time
from urllib.parse import urlsplit

import psycopg

import fill
from darkroom.domain import sessions, usage
from darkroom.storage.database import Database
from home import Home
from lines import Budget, Line, spread
from plan import Plan

_PATHS = (
    "/settings",
    "/playground",
    "/gallery",
    "/gallery?status=FAILED&words=none",
    "/api/keys",
    "/webhooks",
    "/api/pricing",
    "/api/pricing/statement",
    "/api/history",
    "/api/history?status=failed",
    # No index leads to it: as much is looked at as a page may look at.
    "/api/history?path=/v1/nothing",
    "/usage?range=24h",
    "/usage?range=90d",
    "/docs",
    "/admin",
    "/admin/queue",
    "/admin/tasks",
    "/admin/accounts",
    "/admin/catalogue",
)
_WARM_UPS = 1
_SEARCHES_A_VIEW = 14
_COUNTED_MAX = 5_000
_NAME = "slowest page of the console, p50"
_BUDGET = Budget(False, 50, " ms")


def measure(plan: Plan, full: Home, url: str, records: int) -> Line:
    """The line of the slowest page; each is asked for one after the other by its account."""
    with psycopg.connect(full.conninfo, autocommit=True) as connection:
        [[account_id]] = connection.execute("SELECT id FROM accounts").fetchall()
        fill.fill_tasks(connection, account_id, plan.tasks_many)
        fill.fill_usage(connection, account_id)
        connection.execute("UPDATE accounts SET is_admin = true")
    full.run(_count)
    reader = _Reader(url, _signed_in(full, account_id))
    found = {path: reader.milliseconds(path, plan) for path in _PATHS}
    slowest = max(found, key=lambda path: statistics.median(found[path]))
    told = ", ".join(f"`{path}` {statistics.median(took):.1f}" for path, took in found.items())
    note = f"{records:,} call records and {plan.tasks_many:,} tasks; p50 in ms: {told}"
    median = statistics.median(found[slowest])
    shown = f"{median:.1f} ms `{slowest}`"
    return Line(_NAME, _BUDGET, "–", shown, median, *spread(found[slowest]), note)


def unmeasured(why: str) -> Line:
    """The line where there is no full database."""
    return Line(_NAME, _BUDGET, "–", "–", None, note=why)


async def _count(database: Database) -> None:
    counted = 1
    while counted:
        async with database.transaction() as tx:
            counted = await usage.count(tx, rows_max=_COUNTED_MAX)


def _signed_in(full: Home, account_id: str) -> str:
    async def opened(database: Database) -> str:
        async with database.transaction() as tx:
            token, _ = await sessions.open_for(tx, account_id, ip=None, agent="bench")
        return token

    token: str = full.run(opened)
    return token


class _Reader:
    """One signed-in browser's kept connection."""

    def __init__(self, url: str, token: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._headers = {"Cookie": f"darkroom={token}", "Accept": "text/html"}

    def milliseconds(self, path: str, plan: Plan) -> list[float]:
        """How long a page takes, each time; the first times are not counted."""
        for _ in range(_WARM_UPS):
            self._once(path)
        return [self._once(path) for _ in plan.times(2 + plan.searches // _SEARCHES_A_VIEW)]

    def _once(self, path: str) -> float:
        began = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        answer.read()
        took = time.perf_counter() - began
        assert answer.status == 200, f"{path}: {answer.status}"
        return took * 1000
