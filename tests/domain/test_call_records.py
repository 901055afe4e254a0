"""Call records: written once, listed to their owner alone, forgotten in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from msgspec.structs import replace

from darkroom import errors
from darkroom.domain import call_records
from darkroom.domain.call_records import CallRecord, Counters, Filter, Place

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ANY = Filter()


def _record(number, account_id="acc_a", **changes):
    record = CallRecord(
        request_id=f"req_{number:04d}",
        at=NOON + timedelta(seconds=number),
        method="GET",
        path="/v1/generation/balance",
        status=200,
        duration_ms=1.5,
        account_id=account_id,
    )
    return replace(record, **changes)


def _run(ground, verb, *given, **named):
    async def story(database):
        async with database.transaction() as tx:
            return await verb(tx, *given, **named)

    return ground.run(story)


def _ids(ground, wanted=ANY, before=None, rows_max=200, account_id="acc_a"):
    page = _page(ground, wanted, account_id, before=before, rows_max=rows_max)
    return [one.request_id for one in page.records]


def _page(ground, wanted=ANY, account_id="acc_a", **more):
    return _run(ground, call_records.list_for, account_id, wanted, **{"rows_max": 200, **more})


def test_a_record_comes_back_as_it_was_written(ground):
    record = _record(1, code=1002, ip="::1", batch_id=2**40, task_id="t", mill=2**40, error="no")
    _run(ground, call_records.write, [replace(record, api_key_id="key_a")])
    [shown] = _run(ground, call_records.find, "acc_a", record.request_id)
    for name in (
        "at",
        "method",
        "path",
        "status",
        "code",
        "ip",
        "batch_id",
        "task_id",
        "mill",
        "error",
    ):
        assert getattr(shown, name) == getattr(record, name), name
    assert (shown.duration_ms, shown.api_key_id) == (1.5, "key_a")


def test_a_record_written_twice_is_there_once(ground):
    _run(ground, call_records.write, [_record(1)])
    _run(ground, call_records.write, [_record(1, status=500), _record(2)])
    assert _ids(ground) == ["req_0002", "req_0001"]
    assert _run(ground, call_records.find, "acc_a", "req_0001")[0].status == 200


def test_records_of_others_and_of_nobody_are_not_listed(ground):
    _run(ground, call_records.write, [_record(1), _record(2, "acc_b"), _record(3, None)])
    assert _ids(ground) == ["req_0001"]
    assert _run(ground, call_records.find, "acc_a", "req_0002") == []
    assert _run(ground, call_records.find, "acc_a", "req_0003") == []


def test_pages_over_records_of_one_instant_have_no_gaps_and_no_repeats(ground):
    _run(ground, call_records.write, [_record(number, at=NOON) for number in range(25)])
    paged, before = [], None
    while page := _ids(ground, before=before, rows_max=4):
        paged += page
        before = Place(NOON, page[-1])
    assert paged == [f"req_{number:04d}" for number in reversed(range(25))]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/v1/a%", ["/v1/a%b"]),
        ("/v1/a_", ["/v1/a_b"]),
        ("/v1/a\\", ["/v1/a\\b"]),
        ("/v1/a", ["/v1/a%b", "/v1/a_b", "/v1/a\\b", "/v1/axb"]),
        ("", ["/v1/a%b", "/v1/a_b", "/v1/a\\b", "/v1/axb"]),
        ("v1", []),
    ],
)
def test_a_path_is_a_prefix_letter_for_letter(ground, path, wanted):
    paths = ["/v1/a%b", "/v1/a_b", "/v1/a\\b", "/v1/axb"]
    records = [_record(number, path=one) for number, one in enumerate(paths)]
    _run(ground, call_records.write, records)
    found = _page(ground, Filter(path=path)).records
    assert [one.path for one in reversed(found)] == wanted


def test_since_is_included_and_until_is_not(ground):
    _run(ground, call_records.write, [_record(number) for number in range(5)])
    wanted = Filter(since=NOON + timedelta(seconds=1), until=NOON + timedelta(seconds=3))
    assert _ids(ground, wanted) == ["req_0002", "req_0001"]


@pytest.mark.parametrize("rows_max", [0, -1, 201])
def test_a_page_out_of_bounds_is_refused(ground, rows_max):
    with pytest.raises(errors.BadParameter) as refused:
        _ids(ground, rows_max=rows_max)
    assert refused.value.field == "limit"


def test_old_records_are_forgotten_a_bounded_number_at_a_time(ground):
    now = datetime.now(UTC)
    old = [_record(number, at=now - timedelta(days=10, seconds=number)) for number in range(5)]
    _run(ground, call_records.write, [*old, _record(9, at=now - timedelta(days=8))])
    removed = [_run(ground, call_records.forget, retention_days=9, rows_max=3) for _ in range(3)]
    assert (removed, _ids(ground)) == ([3, 2, 0], ["req_0009"])


def test_counts_sum_over_servers_and_see_one_that_never_ended(ground):
    _run(ground, call_records.count, "srv_a", Counters(5, 5, 0), closed=False)
    _run(ground, call_records.count, "srv_a", Counters(7, 6, 1), closed=True)
    _run(ground, call_records.count, "srv_b", Counters(3, 1, 0), closed=False)
    counts = _run(ground, call_records.counts)
    assert (counts.received, counts.written, counts.dropped, counts.killed) == (10, 7, 1, 0)
    with psycopg.connect(ground.conninfo) as connection:
        connection.execute("UPDATE call_record_counts SET seen_at = now() - interval '1 hour'")
    assert _run(ground, call_records.counts).killed == 1
