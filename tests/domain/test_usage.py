"""Usage: requests and tasks counted once, in the transaction that makes them facts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from queueing import opened

from darkroom import errors
from darkroom.domain import call_records, leases, usage
from darkroom.domain.call_records import CallRecord


def _usage(ground, account_id, span="24h", **asked):
    async def story(database):
        async with database.transaction() as tx:
            await usage.count(tx, rows_max=100)
            return await usage.over(tx, account_id, span, **asked)

    return ground.run(story)


def _write(ground, records):
    async def story(database):
        async with database.transaction() as tx:
            await call_records.write(tx, records)

    ground.run(story)


def _record(number, *, ago=timedelta(), status=200, code=0, key="key_a", milliseconds=10.0):
    return CallRecord(
        f"req_{number}",
        datetime.now(UTC) - ago,
        "GET",
        "/v1/models",
        status,
        milliseconds,
        account_id="acc_a",
        api_key_id=key,
        code=code,
    )


def test_requests_are_counted_by_time_outcome_code_and_key(ground):
    _write(
        ground,
        [
            _record(1),
            _record(2, key=None),
            _record(3, status=404, code=1003),
            _record(4, code=1003, key="key_b"),
            _record(5, status=503, code=1007, ago=timedelta(hours=2)),
            _record(6, ago=timedelta(days=3)),
            _record(7, ago=timedelta(days=80)),
        ],
    )
    day = _usage(ground, "acc_a")
    assert len(day.moments) == 24
    assert day.moments[-1].at == max(one.at for one in day.moments)
    totals = [day.total(lambda m, n=name: getattr(m, n)) for name in ("well", "refused", "failed")]
    assert totals == [2, 2, 1]
    assert {(one.status, one.code): one.total for one in day.refusals} == {
        (404, 1003): 1,
        (200, 1003): 1,
        (503, 1007): 1,
    }
    assert {one.api_key_id: (one.requests, one.refused) for one in day.keys} == {
        "key_a": (3, 2),
        "key_b": (1, 1),
        None: (1, 0),
    }
    spans = {span: _usage(ground, "acc_a", span) for span in ("7d", "30d", "90d")}
    assert {span: one.total(lambda m: m.well) for span, one in spans.items()} == {
        "7d": 3,
        "30d": 3,
        "90d": 4,
    }
    only = _usage(ground, "acc_a", api_key_id="key_b")
    assert (only.total(lambda m: m.well), only.total(lambda m: m.refused)) == (0, 1)
    assert _usage(ground, "acc_b").total(lambda m: m.well) == 0


def test_a_record_that_is_written_again_is_not_counted_again(ground):
    for _ in range(3):
        _write(ground, [_record(1), _record(2)])
    _write(ground, [_record(2), _record(3)])
    for span in usage.RANGES:
        assert _usage(ground, "acc_a", span).total(lambda m: m.well) == 3


def test_percentiles_are_within_a_step_of_the_durations(ground):
    _write(ground, [_record(n, milliseconds=float(n)) for n in range(1, 1001)])
    for asked in ({}, {"api_key_id": "key_a"}):
        found = _usage(ground, "acc_a", **asked).latency
        assert found.p50 == pytest.approx(500, rel=0.1)
        assert found.p95 == pytest.approx(950, rel=0.1)
        assert found.p99 == pytest.approx(990, rel=0.1)
    assert _usage(ground, "acc_a", api_key_id="key_b").latency is None
    odd = [_record(2000 + n, milliseconds=n, key="key_c") for n in (0.0, 1e9)]
    _write(ground, odd)
    assert _usage(ground, "acc_a", api_key_id="key_c").latency.p99 > 1e6


def test_every_end_of_a_task_is_counted_once_and_a_refused_end_never(ground):
    account_id = ground.account().id

    async def story(database):
        queue = await opened(database)
        await queue.submit(account_id, 3)
        await queue.submit(account_id, 1, model="N")
        good, bad, *_ = await queue.claim(2)
        async with database.transaction() as tx:
            assert await leases.succeed(tx, good, [], served_by="b", notes={})
        await queue.end(bad)
        late = errors.BackendFailed()
        for one in (good, bad):
            async with database.transaction() as tx:
                assert not await leases.fail(tx, one, late, served_by="b")
        await queue.cancel(account_id, (await queue.submit(account_id))[0])

    ground.run(story)
    for span in usage.RANGES:
        found = _usage(ground, account_id, span)
        assert (found.total(lambda m: m.tasks), found.total(lambda m: m.tasks_failed)) == (3, 2)
        assert found.total(lambda m: m.charged_mill) == 1
        assert {one.code: one.total for one in found.failures} == {6004: 1, 6005: 1}
        [model] = found.models
        assert (model.model, model.tasks, model.failed, model.charged_mill) == ("M", 3, 2, 1)
        assert model.runs is not None
        assert _usage(ground, account_id, span, model="N").total(lambda m: m.tasks) == 0


def test_old_counts_are_forgotten_a_bounded_number_at_a_time(ground):
    _write(ground, [_record(n, ago=timedelta(days=9, hours=n)) for n in range(5)])
    assert _usage(ground, "acc_a").total(lambda m: m.well) == 0

    async def story(database):
        removed = []
        for _ in range(4):
            async with database.transaction() as tx:
                removed.append(await usage.forget(tx, rows_max=4))
        return removed

    # Five hours, each of all keys and of one.
    assert ground.run(story) == [4, 4, 2, 0]
    assert _usage(ground, "acc_a", "30d").total(lambda m: m.well) == 5
    with psycopg.connect(ground.conninfo) as connection:
        [[left]] = connection.execute("SELECT count(*) FROM usage_calls WHERE hours = 1").fetchall()
    assert left == 0


def test_counting_takes_a_bounded_number_and_loses_none(ground):
    _write(ground, [_record(n, key=f"key_{n}") for n in range(10)])

    async def story(database):
        async def counted():
            async with database.transaction() as tx:
                return await usage.count(tx, rows_max=3)

        return [await counted() for _ in range(3)], await asyncio.gather(counted(), counted())

    one_by_one, together = ground.run(story)
    assert (one_by_one, sorted(together)) == ([3, 3, 3], [0, 1])
    assert _usage(ground, "acc_a").total(lambda m: m.well) == 10
