"""Call records are written off the request path, whatever one of them is like."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import msgspec

from darkroom import config, ids
from darkroom.api.recorder import Recorder
from darkroom.domain import call_records
from darkroom.domain.call_records import CallRecord, Counts
from darkroom.storage.database import Database


def record(**changes: object) -> CallRecord:
    plain = CallRecord(ids.new("req"), datetime.now(UTC), "GET", "/v1/models", 200, 1.0)
    return msgspec.structs.replace(plain, **changes)


def counted(ground, records: list[CallRecord]) -> Counts:
    """What the database counts after a recorder took these, ran and was stopped."""

    async def story(database: Database) -> Counts:
        recorder = Recorder(database)
        for one in records:
            recorder.add(one)
        stop = asyncio.Event()
        stop.set()
        await recorder.run(stop)
        async with database.statement() as tx:
            return await call_records.counts(tx)

    return ground.run(story)


def test_every_record_is_written_and_counted(ground) -> None:
    assert counted(ground, [record() for _ in range(5)]) == Counts(5, 5, 0, 0)


def test_a_record_that_the_database_refuses_holds_up_no_other(ground) -> None:
    odd = record(status=99_999)
    assert counted(ground, [record(), odd, record(), odd]) == Counts(4, 2, 2, 0)


def test_a_repeat_after_a_lost_answer_changes_nothing(ground) -> None:
    twice = record()
    assert counted(ground, [twice, twice]).written == 2


def test_a_full_buffer_drops_and_counts(ground) -> None:
    more = config.CALL_RECORDS_WAITING_MAX + 3
    assert counted(ground, [record() for _ in range(more)]).dropped == 3
