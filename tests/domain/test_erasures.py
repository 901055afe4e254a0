"""Erasures: nobody gets into a deleted account, all that it made goes, and its books stay."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest
from delivering import fill, run
from queueing import opened

from darkroom import errors
from darkroom.domain import accounts, api_keys, assets, erasures, suspensions, tasks
from darkroom.engine import sweep
from darkroom.storage.database import Database
from darkroom.storage.disk import Disk
from ground import Ground

# What is kept of an account, by table: who knows it by another column is counted by that.
_HISTORIES = ("webhook_deliveries", "call_records", "moderations", "webhook_secrets", "sessions")
_HOOK = "https://example.com/hook"


def _counts(ground: Ground, account_id: str) -> dict[str, int]:
    return {
        table: run(ground, f"SELECT count(*) AS n FROM {table} WHERE account_id = %s", account_id)[
            0
        ].n
        for table in _HISTORIES
    }


async def _begin(database: Database, account_id: str) -> None:
    async with database.transaction() as tx:
        await erasures.begin(tx, account_id)


def _wait(ground: Ground) -> None:
    """Let the moment pass in which a server may know a key still."""
    run(ground, "UPDATE erasures SET begun_at = begun_at - interval '1 minute'")


def _is_open(ground: Ground) -> bool:
    return run(ground, "SELECT ended_at FROM erasures")[0].ended_at is None


def _lived(ground: Ground, account_id: str) -> None:
    """Histories of an account, as its requests leave them."""
    fill(ground, account_id, 3)
    run(ground, "INSERT INTO webhook_secrets (account_id, secret) VALUES (%s, '\\x00')", account_id)
    run(
        ground,
        "INSERT INTO call_records (request_id, account_id, at, method, path, status, duration_ms)"
        " SELECT 'req_' || %s || n, %s, now(), 'GET', '/', 200, 1 FROM generate_series(1, 5) n",
        account_id,
        account_id,
    )
    run(
        ground,
        "INSERT INTO moderations (id, account_id, request_id, kind, mode, verdict)"
        " VALUES ('mod' || %s, %s, 'req', 'text-to-image', 'enforce', 'flagged')",
        account_id,
        account_id,
    )
    run(
        ground,
        "INSERT INTO sessions (id, account_id, hash, expires_at)"
        " VALUES ('s' || %s, %s, %s::bytea, now() + interval '1 day')",
        account_id,
        account_id,
        account_id.encode(),
    )


def test_all_that_an_account_made_goes_and_its_books_stay(ground: Ground, tmp_path: Path) -> None:
    mine, other = ground.account(), ground.account()
    key = ground.key(mine.id)
    store = Disk(tmp_path / "files")
    for one in (mine, other):
        _lived(ground, one.id)

    async def made(database: Database, account_id: str) -> str:
        queue = await opened(database)
        fields = {"fields": {"prompt": "a secret"}, "files": {}}
        ended, _ = await queue.submit(account_id, 2, input=fields, webhook_url=_HOOK)
        [claimed] = await queue.claim()
        await queue.end(claimed)
        source = tmp_path / "made"
        source.write_bytes(b"abc")
        file, size, digest = await store.take(source, "image/png")
        async with database.transaction() as tx:
            one = [assets.Asset(file, "image/png", size, digest, likeness=7)]
            await assets.add(tx, account_id, one, task_id=ended)
        return file

    files = [ground.run(lambda database, who=one.id: made(database, who)) for one in (mine, other)]
    ground.run(lambda database: _begin(database, mine.id))

    async def swept(database: Database) -> None:
        await sweep.empty_suspended(database)
        await sweep.empty_suspended(database)
        await sweep.erase_accounts(database)
        await sweep.remove_deleted(database, store)

    ground.run(swept)
    assert _is_open(ground), "a server may know a key still"
    _wait(ground)
    ground.run(swept)
    ground.run(swept)
    assert not _is_open(ground)
    assert _counts(ground, mine.id) == dict.fromkeys(_HISTORIES, 0)
    assert all(_counts(ground, other.id).values())
    assert [len(list(tmp_path.glob(f"files/**/{file}"))) for file in files] == [0, 1]
    known = run(ground, "SELECT account_id, likeness FROM assets ORDER BY account_id")
    assert {row.account_id: row.likeness for row in known} == {mine.id: None, other.id: 7}
    asked = (
        "SELECT b.account_id, input::text, webhook_url, t.deleted_at"
        " FROM batches b JOIN tasks t ON batch_id = b.id"
    )
    for row in run(ground, asked):
        is_other = row.account_id == other.id
        told = ("a secret" in row.input, row.webhook_url == _HOOK, row.deleted_at is None)
        assert told == (is_other, is_other, is_other)

    async def seen(database: Database) -> Any:
        async with database.statement() as tx:
            found = await api_keys.find(tx, [key])
            return found, await accounts.find(tx, mine.email), await accounts.get(tx, mine.id)

    found, by_email, kept = ground.run(seen)
    assert (dict(found), by_email) == ({}, None)
    assert kept.email == f"{mine.id}@deleted.invalid"
    # One ran and failed, one was canceled: both refunded, and what was granted is there.
    assert (kept.available_mill, kept.held_mill) == (mine.available_mill, 0)


def test_what_runs_is_waited_for(ground: Ground) -> None:
    account = ground.account()

    async def story(database: Database) -> None:
        queue = await opened(database)
        [task_id] = await queue.submit(account.id)
        [claimed] = await queue.claim()
        await _begin(database, account.id)
        await asyncio.to_thread(_wait, ground)
        await sweep.erase_accounts(database)
        async with database.statement() as tx:
            [task] = (await tasks.get_many(tx, [(account.id, task_id)])).values()
        assert (task.status, task.deleted_at) == (tasks.PROCESSING, None)
        await queue.end(claimed)
        await sweep.erase_accounts(database)
        async with database.statement() as tx:
            [task] = (await tasks.get_many(tx, [(account.id, task_id)])).values()
        assert (task.status, task.deleted_at is None) == (tasks.FAILED, False)

    ground.run(story)
    assert not _is_open(ground)


def test_much_goes_in_parts(ground: Ground) -> None:
    account = ground.account()

    async def story(database: Database) -> list[int]:
        queue = await opened(database)
        for _ in range(5):
            await queue.submit(account.id)
        await _begin(database, account.id)
        await sweep.empty_suspended(database)
        await asyncio.to_thread(_wait, ground)
        left = []
        while await _go_on(database):
            rows = await asyncio.to_thread(
                run, ground, "SELECT id FROM tasks WHERE deleted_at IS NULL"
            )
            left.append(len(rows))
        return left

    async def _go_on(database: Database) -> bool:
        async with database.transaction() as tx:
            return await erasures.go_on(tx, rows_max=2)

    assert ground.run(story) == [3, 1, 0, 0]


def test_an_admin_s_is_refused_and_a_deleted_one_never_comes_back(ground: Ground) -> None:
    admin, gone = ground.account(), ground.account()

    async def story(database: Database) -> None:
        async with database.transaction() as tx:
            await accounts.set_admin(tx, admin.id, is_admin=True)
        with pytest.raises(errors.BadParameter, match="admin"):
            await _begin(database, admin.id)
        await _begin(database, gone.id)
        await _begin(database, gone.id)
        for power in (
            lambda tx: suspensions.end(tx, gone.id),
            lambda tx: suspensions.begin(tx, gone.id, "why", cancel_waiting=False),
        ):
            with pytest.raises(errors.BadParameter, match="deleted"):
                async with database.transaction() as tx:
                    await power(tx)
        async with database.transaction() as tx:
            assert (await accounts.create(tx, gone.email)).id != gone.id

    ground.run(story)
    with psycopg.connect(ground.conninfo) as connection:
        assert connection.execute("SELECT count(*) FROM erasures").fetchone() == (1,)
