"""Deletions: the row stays for the books, the bytes go, and no crash leaves them for good."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest
from queueing import Queue, opened

from darkroom import errors
from darkroom.domain import assets, deletions, endings, galleries, tasks
from darkroom.engine import sweep
from darkroom.storage.database import Database
from darkroom.storage.disk import Disk
from ground import Ground


async def _made(queue: Queue, account_id: str, store: Disk, folder: Path) -> tuple[str, str]:
    """A task that has ended well, and its file."""
    [task_id] = await queue.submit(account_id)
    source = folder / "made"
    source.write_bytes(b"abc")
    file, size, digest = await store.take(source, "image/png")
    async with queue.database.transaction() as tx:
        made = [assets.Asset(file, "image/png", size, digest)]
        await assets.add(tx, account_id, made, task_id=task_id)
        await endings.cancel(tx, account_id, task_id)
    return task_id, file


async def _delete(database: Database, account_id: str, task_id: str) -> deletions.Deletion:
    async with database.transaction() as tx:
        return await deletions.delete(tx, account_id, task_id)


async def _state(database: Database, account_id: str, file: str) -> Any:
    async with database.statement() as tx:
        found = await assets.find(tx, account_id, file)
        return found is not None, await assets.is_deleted(tx, file)


def test_a_deleted_task_stays_without_its_files(ground: Ground, tmp_path: Path) -> None:
    account = ground.account().id
    store = Disk(tmp_path / "files")

    async def story(database: Database) -> None:
        queue = await opened(database)
        task_id, file = await _made(queue, account, store, tmp_path)
        assert await _state(database, account, file) == (True, False)
        gone = await _delete(database, account, task_id)
        assert list(gone.files) == [file]
        assert (gone.task.id, gone.task.files, gone.task.status) == (task_id, [], tasks.FAILED)
        assert gone.task.deleted_at is not None
        assert await _state(database, account, file) == (False, True)
        again = await _delete(database, account, task_id)
        assert (again.task.deleted_at, list(again.files)) == (gone.task.deleted_at, [])

    ground.run(story)


def test_only_its_owner_deletes_a_task_and_only_when_it_has_ended(ground: Ground) -> None:
    account, other = ground.account().id, ground.account().id

    async def story(database: Database) -> None:
        queue = await opened(database)
        [task_id] = await queue.submit(account)
        for who, refused in (
            (other, errors.TaskNotFound),
            (account, errors.TaskUnfinished),
        ):
            with pytest.raises(refused):
                await _delete(database, who, task_id)
        await queue.claim()
        with pytest.raises(errors.TaskUnfinished):
            await _delete(database, account, task_id)

    ground.run(story)


def test_what_a_crash_left_is_removed_by_the_sweep(ground: Ground, tmp_path: Path) -> None:
    account = ground.account().id
    store = Disk(tmp_path / "files")

    async def story(database: Database) -> None:
        queue = await opened(database)
        task_id, file = await _made(queue, account, store, tmp_path)
        _, kept = await _made(queue, account, store, tmp_path)
        # Whoever deleted it died here, after the commit and before the removal.
        await _delete(database, account, task_id)
        await store.keep_preview(file, b"small")
        await sweep.remove_deleted(database, store)
        assert not store.path(file).exists()
        assert await store.preview(file) is None
        assert store.path(kept).exists()
        async with database.statement() as tx:
            assert await assets.leftover(tx, files_max=10) == []

    ground.run(story)


def test_a_task_that_goes_on_cannot_be_marked_as_deleted(ground: Ground) -> None:
    account = ground.account().id

    async def story(database: Database) -> str:
        return (await (await opened(database)).submit(account))[0]

    task_id = ground.run(story)
    statement = "UPDATE tasks SET deleted_at = now() WHERE id = %s"
    with psycopg.connect(ground.conninfo) as one, pytest.raises(psycopg.errors.CheckViolation):
        one.execute(statement, (task_id,))


def test_files_past_their_days_go_and_younger_ones_stay(ground: Ground, tmp_path: Path) -> None:
    account, store = ground.account().id, Disk(tmp_path / "files")

    async def made(database: Database) -> list[str]:
        queue = await opened(database)
        return [(await _made(queue, account, store, tmp_path))[1] for _ in range(2)]

    async def swept(database: Database, days: int | None) -> list[bool]:
        await sweep.expire_files(database, days)
        await sweep.remove_deleted(database, store)
        return [store.path(file).exists() for file in (old, young)]

    old, young = ground.run(made)
    with psycopg.connect(ground.conninfo, autocommit=True) as connection:
        aged = "UPDATE assets SET created_at = now() - interval '31 days' WHERE file = %s"
        connection.execute(aged, [old])
    assert ground.run(lambda database: swept(database, None)) == [True, True]
    assert ground.run(lambda database: swept(database, 30)) == [False, True]
    assert ground.run(lambda database: _state(database, account, old)) == (False, True)


ASKED = {"fields": {"prompt": "our new car"}, "files": {}}
NOTHING = {"fields": {}, "files": {}}


async def _asked(database: Database, account_id: str, task_id: str) -> Any:
    async with database.statement() as tx:
        return (await galleries.find(tx, account_id, task_id)).input


def test_what_was_asked_for_goes_with_the_last_task_of_its_request(ground: Ground) -> None:
    account = ground.account().id

    async def story(database: Database) -> None:
        queue = await opened(database)
        first, second = await queue.submit(account, 2, input=ASKED)
        [other] = await queue.submit(account, input=ASKED)
        for task_id in (first, second, other):
            await queue.cancel(account, task_id)
        await _delete(database, account, first)
        assert await _asked(database, account, first) == ASKED
        await _delete(database, account, second)
        assert await _asked(database, account, first) == NOTHING
        assert await _asked(database, account, other) == ASKED

    ground.run(story)


def test_of_two_that_are_deleted_at_once_one_is_the_last(ground: Ground) -> None:
    account = ground.account().id

    async def story(database: Database) -> None:
        queue = await opened(database)
        for _ in range(10):
            made = await queue.submit(account, 4, input=ASKED)
            for task_id in made:
                await queue.cancel(account, task_id)
            await asyncio.gather(*(_delete(database, account, one) for one in made))
            assert await _asked(database, account, made[0]) == NOTHING

    ground.run(story)


def test_inputs_that_came_with_the_request_go_and_uploads_stay(
    ground: Ground, tmp_path: Path
) -> None:
    account, store = ground.account().id, Disk(tmp_path / "files")

    async def stored() -> assets.Asset:
        source = tmp_path / "given"
        source.write_bytes(b"abc")
        file, size, digest = await store.take(source, "image/png")
        return assets.Asset(file, "image/png", size, digest)

    async def story(database: Database) -> None:
        queue = await opened(database)
        upload, brought = await stored(), await stored()
        async with database.transaction() as tx:
            await assets.add(tx, account, [upload], task_id=None)
        named = [f"file:{upload.file}", f"file:{brought.file}", "https://example.com/a.png"]
        asked = tasks.Submission(
            account_id=account,
            api_key_id=None,
            request_id="req_1",
            kind="text-to-image",
            model="M",
            input={"fields": {}, "files": {"images": named}},
            rate_id=queue.rate_ids["M"],
            price_mill=1,
            count=1,
            seed=1,
        )
        async with database.transaction() as tx:
            [batch] = await tasks.submit(tx, [asked])
            await assets.add(tx, account, [brought], task_id=None)
        assert isinstance(batch, tasks.Batch)
        await queue.cancel(account, batch.task_ids[0])
        gone = await _delete(database, account, batch.task_ids[0])
        assert list(gone.files) == [brought.file]
        assert await _state(database, account, upload.file) == (True, False)
        assert await _asked(database, account, batch.task_ids[0]) == NOTHING

    ground.run(story)
