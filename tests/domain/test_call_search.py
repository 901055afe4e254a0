"""The call history searched: exact filters, pages both ways, and a bound on what is looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from plans import explained

from darkroom import config
from darkroom.domain import call_records
from darkroom.domain.call_records import Filter, Place

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ROWS = 60_000
# One in so many was not found, was made with the second key, or was a DELETE; one alone failed.
NOT_FOUND, OTHER_KEY, DELETED, LONE = 50, 7, 30_000, 123


@pytest.fixture
def full(ground):
    """A database with a long history of one account, a record a second."""
    with psycopg.connect(ground.conninfo, autocommit=True) as connection:
        connection.execute(
            """INSERT INTO call_records (request_id, account_id, api_key_id, at, method, path,
                                         status, code, duration_ms)
               SELECT 'req_' || lpad(n::text, 8, '0'), 'acc_a',
                      CASE WHEN n %% %(other)s = 0 THEN 'key_b' ELSE 'key_a' END,
                      %(noon)s::timestamptz + make_interval(secs => n),
                      CASE WHEN n %% %(deleted)s = 0 THEN 'DELETE' ELSE 'GET' END,
                      '/v1/generation/task_' || n || '/status',
                      CASE WHEN n = %(lone)s THEN 500 WHEN n %% %(missing)s = 0 THEN 404
                           ELSE 200 END,
                      CASE WHEN n = %(lone)s THEN 5000 WHEN n %% %(missing)s = 0 THEN 1003
                           WHEN n %% %(missing)s = 1 THEN 1002 ELSE 0 END, 1
                 FROM generate_series(1, %(rows)s) AS n""",
            {
                "other": OTHER_KEY,
                "noon": NOON,
                "deleted": DELETED,
                "lone": LONE,
                "missing": NOT_FOUND,
                "rows": ROWS,
            },
        )
        connection.execute("ANALYZE call_records")
    return ground


def _page(ground, wanted=Filter(), **more):  # noqa: B008 - it is frozen
    async def story(database):
        async with database.statement() as tx:
            return await call_records.list_for(tx, "acc_a", wanted, **{"rows_max": 100} | more)

    return ground.run(story)


def _numbers(page):
    return [int(one.request_id[4:]) for one in page.records]


def _all(ground, wanted, *, rising=False):
    """Every record that pages of a filter lead to, and how many pages that took."""
    found, pages, place = [], 0, Place(NOON) if rising else None
    while place or not pages:
        page = _page(ground, wanted, **{"after" if rising else "before": place})
        assert len(page.records) <= 100
        found = _numbers(page) + found if rising else found + _numbers(page)
        place, pages = page.newer if rising else page.older, pages + 1
    return found, pages


# Each filter, and which of the numbers fit it.
FILTERS = [
    (Filter(statuses=(404, 404)), lambda n: n % NOT_FOUND == 0),
    (Filter(statuses=(500, 599)), lambda n: n == LONE),
    (Filter(statuses=(400, 499), api_key_id="key_b"), lambda n: n % 350 == 0),
    (Filter(is_failed=True), lambda n: n % NOT_FOUND in (0, 1) or n == LONE),
    (Filter(code=1002), lambda n: n % NOT_FOUND == 1),
    (Filter(api_key_id="key_c"), lambda n: False),
    (Filter(method="DELETE"), lambda n: n % DELETED == 0),
    (Filter(path="/v1/generation/task_123/"), lambda n: n == 123),
    (
        Filter(
            api_key_id="key_b",
            since=NOON + timedelta(seconds=700),
            until=NOON + timedelta(seconds=1400),
        ),
        lambda n: n % OTHER_KEY == 0 and 700 <= n < 1400,
    ),
]


def test_pages_of_a_filter_lead_to_all_that_fits_and_to_nothing_else(full):
    for wanted, is_one in FILTERS:
        fitting = [n for n in range(ROWS, 0, -1) if is_one(n)]
        for rising in (False, True):
            found, pages = _all(full, wanted, rising=rising)
            assert found == fitting, wanted
            assert pages <= 2 + len(found) // 100 + ROWS // config.HISTORY_LOOKED_AT_MAX


def test_a_page_says_how_far_it_looked(full):
    page = _page(full, Filter(path="/v1/generation/task_123/"))
    assert page.looked_to == NOON + timedelta(seconds=ROWS - config.HISTORY_LOOKED_AT_MAX + 1)
    assert _page(full, Filter(statuses=(500, 500))).looked_to is None
    assert _page(full, Filter(method="GET")).looked_to is None


def test_a_page_leads_back_to_the_one_before_it(full):
    first = _page(full)
    second = _page(full, before=first.older)
    assert (first.newer, second.newer) == (None, second.records[0].place)
    back = _page(full, after=second.newer)
    assert (_numbers(back), back.older) == (_numbers(first), first.older)
    assert _numbers(_page(full, before=back.older)) == _numbers(second)


def test_who_watches_sees_what_came_since(full):
    async def story(database):
        async with database.statement() as tx:
            place = Place(NOON + timedelta(seconds=ROWS - 60), f"req_{ROWS - 60:08}")
            every = await call_records.newer(tx, "acc_a", Filter(), after=place, rows_max=100)
            lost = Filter(statuses=(404, 404))
            few = await call_records.newer(tx, "acc_a", lost, after=place, rows_max=100)
            return [one.request_id for one in every], [one.request_id for one in few]

    every, few = full.run(story)
    assert every == [f"req_{n:08}" for n in range(ROWS, ROWS - 60, -1)]
    assert few == [f"req_{ROWS:08}", f"req_{ROWS - 50:08}"]


# Each filter, and how many blocks its page may read.
BLOCKS = [
    (Filter(), 40),
    (Filter(is_failed=True), 2_000),
    (Filter(statuses=(500, 599)), 500),
    (Filter(statuses=(503, 503)), 20),
    (Filter(api_key_id="key_c"), 20),
    (Filter(api_key_id="key_b"), 200),
]


def test_what_matches_little_is_found_without_looking_through_the_rest(full):
    with psycopg.connect(full.conninfo) as connection:
        for wanted, blocks_max in BLOCKS:
            given = {
                "account_id": "acc_a",
                "rows_max": 50,
                "looked_at_max": 50,
                **call_records._bounds(wanted, None, None),
                **call_records._fitting(wanted),
            }
            for name in ("call_records.list", "call_records.list_rising"):
                for mode in ("force_custom_plan", "force_generic_plan"):
                    plan = explained(connection, name, given, mode)
                    blocks = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
                    assert blocks < blocks_max, (wanted, name, mode, blocks)
