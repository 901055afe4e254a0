"""Origins: found by task, bytes and likeness over an index, told to strangers without the task."""

from __future__ import annotations

import random
from typing import Any

import psycopg
import pytest
from plans import explained
from queueing import KIND, Queue, opened

from darkroom.domain import assets, leases, origins
from darkroom.storage.database import Database
from ground import Ground

LIKENESS = -0x1234_5678_9ABC_DEF1
OTHERS = 30_000


def _asset(file: str, sha256: bytes, likeness: int | None = None) -> assets.Asset:
    return assets.Asset(f"{file}.png", "image/png", 1, sha256, 8, 8, likeness)


async def _made(queue: Queue, account_id: str, *made: assets.Asset) -> str:
    """The id of a task that ended well with these files."""
    [task_id] = await queue.submit(account_id)
    [claimed] = await queue.claim()
    notes = {"digital_source_type": "algorithmicMedia"}
    async with queue.database.transaction() as tx:
        assert await leases.succeed(tx, claimed, made, served_by="b", notes=notes)
    return task_id


async def _asked(database: Database, verb: Any, account_id: str, what: Any) -> Any:
    async with database.statement() as tx:
        return await verb(tx, account_id, what)


def test_a_file_is_found_by_task_bytes_and_likeness(ground: Ground) -> None:
    owner, stranger = ground.account().id, ground.account().id

    async def story(database: Database) -> None:
        queue = await opened(database)
        task_id = await _made(queue, owner, _asset("a", b"A" * 32, LIKENESS))
        for verb, what in (
            (origins.of_task, task_id),
            (origins.of_bytes, b"A" * 32),
            (origins.of_likeness, LIKENESS),
        ):
            found = await _asked(database, verb, owner, what)
            assert (found.task_id, found.model, found.kind) == (task_id, "M", KIND)
            assert (found.source, found.distance) == ("algorithmicMedia", 0)
            assert found.made_at is not None
            assert (await _asked(database, verb, stranger, what)).task_id is None
        assert await _asked(database, origins.of_task, owner, "task_none") is None
        assert await _asked(database, origins.of_bytes, owner, b"B" * 32) is None

    ground.run(story)


def test_what_was_only_brought_was_not_made_here(ground: Ground) -> None:
    owner = ground.account().id

    async def story(database: Database) -> None:
        async with database.transaction() as tx:
            await assets.add(tx, owner, [_asset("a", b"A" * 32)], task_id=None)
        assert await _asked(database, origins.of_bytes, owner, b"A" * 32) is None

    ground.run(story)


def test_of_several_the_callers_own_is_told_and_then_the_nearest(ground: Ground) -> None:
    first, second = ground.account().id, ground.account().id

    async def story(database: Database) -> None:
        queue = await opened(database)
        await _made(queue, first, _asset("a", b"A" * 32, LIKENESS))
        own = await _made(queue, second, _asset("b", b"A" * 32, LIKENESS))
        nearer = await _made(queue, first, _asset("c", b"C" * 32, LIKENESS ^ 1))
        assert (await _asked(database, origins.of_bytes, second, b"A" * 32)).task_id == own
        assert (await _asked(database, origins.of_likeness, second, LIKENESS)).task_id == own
        found = await _asked(database, origins.of_likeness, first, LIKENESS ^ 3)
        assert (found.task_id, found.distance) == (nearer, 1)

    ground.run(story)


def test_whatever_bits_differ_up_to_the_bound_it_is_found(ground: Ground) -> None:
    owner, luck = ground.account().id, random.Random(1)

    def turned(bits: int) -> int:
        other = LIKENESS
        for at in luck.sample(range(64), bits):
            other ^= 1 << at
        return other - (1 << 64) if other >= 1 << 63 else other

    async def story(database: Database) -> None:
        queue = await opened(database)
        await _made(queue, owner, _asset("a", b"A" * 32, LIKENESS))
        for bits in range(12):
            for _ in range(6):
                asked = (turned(bits) + (1 << 63)) % (1 << 64) - (1 << 63)
                found = await _asked(database, origins.of_likeness, owner, asked)
                assert (found.distance if found else None) == (
                    bits if bits <= origins.DISTANCE_MAX else None
                )

    ground.run(story)


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_no_look_for_an_origin_reads_all_files(ground: Ground, mode: str) -> None:
    owner = ground.account().id

    async def story(database: Database) -> str:
        return await _made(await opened(database), owner, _asset("a", b"A" * 32, LIKENESS))

    task_id = ground.run(story)
    common = {"account_id": owner, "looked_at_max": 1000}
    alike = {"likeness": LIKENESS, "distance_max": origins.DISTANCE_MAX, **origins.bands(LIKENESS)}
    asked = {
        "origins.of_bytes": common | {"sha256": b"A" * 32},
        "origins.of_likeness": common | alike,
    }
    with psycopg.connect(ground.conninfo, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO assets (id, account_id, task_id, file, media_type, bytes, sha256,"
            " likeness) SELECT 'x' || n, %s, %s, 'x' || n, 'image/png', 1, sha256(n::text::bytea),"
            " ('x' || left(md5(n::text), 16))::bit(64)::bigint FROM generate_series(1, %s) n",
            (owner, task_id, OTHERS),
        )
        connection.execute("ANALYZE assets")
        for name, values in asked.items():
            plan = explained(connection, name, values, mode)
            assert plan["Actual Rows"] == 1
            assert "Seq Scan" not in _scans(plan, "assets"), plan
            assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 400


def _scans(plan: dict[str, Any], table: str) -> list[str]:
    """How a plan reads a table."""
    own = [plan["Node Type"]] if plan.get("Relation Name") == table else []
    return own + [scan for one in plan.get("Plans", ()) for scan in _scans(one, table)]
