"""What time broke is mended: leftover folders and call records past their days."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from darkroom.domain import call_records
from darkroom.domain.call_records import CallRecord, Filter
from darkroom.engine import sweep
from darkroom.storage.database import Database


def test_clear_work_removes_folders_of_yesterday_only(tmp_path: Path) -> None:
    old, fresh = tmp_path / "old", tmp_path / "fresh"
    for folder in (old, fresh):
        folder.mkdir()
        (folder / "picture.png").touch()
    before = time.time() - 90_000
    os.utime(old, (before, before))
    asyncio.run(sweep.clear_work(tmp_path))
    assert [one.name for one in tmp_path.iterdir()] == ["fresh"]


def test_clear_work_goes_on_past_what_vanishes_under_it(tmp_path: Path) -> None:
    for name in ("a", "z"):
        (tmp_path / name).symlink_to(tmp_path / "gone")
    old = tmp_path / "old"
    old.mkdir()
    os.utime(old, (0, 0))
    asyncio.run(sweep.clear_work(tmp_path))
    assert not old.exists()


def test_clear_work_needs_no_folder(tmp_path: Path) -> None:
    asyncio.run(sweep.clear_work(tmp_path / "none"))


def test_call_records_are_forgotten_after_their_days(ground) -> None:
    account = ground.account()
    now = datetime.now(UTC)
    ages = [0, 29, 31, 400]

    async def story(database: Database) -> int:
        records = [
            CallRecord(f"req_{age}", now - timedelta(days=age), "GET", "/v1", 200, 1.0, account.id)
            for age in ages
        ]
        async with database.transaction() as tx:
            await call_records.write(tx, records)
        await sweep.forget_call_records(database, 30)
        async with database.statement() as tx:
            left = await call_records.list_for(tx, account.id, Filter(), before=None, rows_max=10)
        return [one.request_id for one in left.records]

    assert ground.run(story) == ["req_0", "req_29"]
