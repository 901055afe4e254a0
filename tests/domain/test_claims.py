"""Claims: the queue's order, what is loaded first within a bound, one short look at an index."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import psycopg
import pytest
from plans import explained
from queueing import KIND, MODELS, WORKER, Queue, opened

from darkroom import config
from darkroom.domain import leases
from darkroom.engine.patience import Patience

WAITING = 1_000_000
_BLOCKS_MAX = 1_000


def _story(ground, told):
    async def story(database):
        return await told(await opened(database))

    return ground.run(story)


def test_what_is_loaded_comes_before_what_is_not(ground):
    account = ground.account()

    async def told(queue: Queue):
        [cold] = await queue.submit(account.id, model="M")
        warm = await queue.submit(account.id, 2, model="N")
        claims = [await queue.claim(loaded=["N"]) for _ in range(3)]
        return [(one.id, one.overtook) for [one] in claims], cold, warm

    claims, cold, warm = _story(ground, told)
    assert claims == [(warm[0], True), (warm[1], True), (cold, False)]


def test_nobody_is_overtaken_more_often_than_the_bound(ground):
    """Two workers that have the other model loaded, and a queue that never runs out of it."""
    one, other = ground.account(), ground.account()

    async def told(queue: Queue):
        patiences = [Patience(), Patience()]
        [cold] = await queue.submit(one.id, model="M")
        for before in range(100):
            await queue.submit(other.id, model="N")
            patience = patiences[before % 2]
            wanted = patience.wanted(MODELS, ["N"])
            claimed = await queue.claim(loaded=wanted.loaded)
            patience.count(claimed)
            if claimed[0].id == cold:
                return before
            await queue.end(claimed[0])
        return None

    overtaken = _story(ground, told)
    assert 0 < overtaken <= len((0, 1)) * config.OVERTAKEN_MAX


def test_a_task_far_back_is_not_preferred_however_loaded_its_model_is(ground):
    account = ground.account()

    async def told(queue: Queue):
        await queue.submit(account.id, config.CLAIM_LOOKED_AT_MAX + 1, model="M")
        await queue.submit(account.id, model="N")
        [claimed] = await queue.claim(loaded=["N"])
        return claimed.model

    assert _story(ground, told) == "M"


def test_claims_of_many_workers_at_once_get_every_task_once(ground):
    account = ground.account()

    async def told(queue: Queue):
        ids = await queue.submit(account.id, 60)
        found: list[str] = []
        while len(found) < len(ids):
            rounds = await asyncio.gather(*(queue.claim(3) for _ in range(8)))
            found += [claimed.id for claims in rounds for claimed in claims]
        return sorted(found) == sorted(ids)

    assert _story(ground, told)


def _fill(connection: psycopg.Connection, account_id: str, rate_id: int) -> None:
    """A million waiting tasks: those of the first account parked, one of a crowd queued."""
    connection.execute("SET session_replication_role = replica")
    connection.execute(
        "INSERT INTO batches (id, account_id, request_id, kind, model, input, rate_id)"
        " SELECT n, %s, 'req', %s, 'M', '{\"fields\": {}, \"files\": {}}', %s"
        "   FROM generate_series(1, %s) AS n",
        (account_id, KIND, rate_id, WAITING // 10),
    )
    connection.execute(
        "INSERT INTO tasks (id, batch_id, account_id, position, model, seed, price_mill, start_tag)"
        " SELECT 'task_' || lpad(n::text, 26, '0'), 1, %s, 0, 'M', 0, 0,"
        "        CASE WHEN n %% 2 = 0 THEN n END"
        "   FROM generate_series(1, %s) AS n",
        (account_id, WAITING),
    )
    connection.execute("ANALYZE tasks, batches")


def _nodes(plan: Any) -> list[Any]:
    return [plan, *(one for child in plan.get("Plans", ()) for one in _nodes(child))]


@pytest.fixture(scope="module")
def crowded(postgres: str, template: str):
    """A connection to a database in which a million tasks wait."""
    from ground import Ground, fresh_database

    databases = fresh_database(postgres, template)
    ground = Ground(next(databases))
    account = ground.account()

    async def rates(database):
        return (await opened(database)).rate_ids["M"]

    rate_id = ground.run(rates)
    with psycopg.connect(ground.conninfo) as connection:
        _fill(connection, account.id, rate_id)
        connection.commit()
        yield connection, account.id
    next(databases, None)


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
def test_a_claim_is_one_short_index_scan_on_a_million_waiting_tasks(crowded, mode: str):
    connection, _ = crowded
    given = {
        "models": [*MODELS],
        "loaded": ["N"],
        "first_max": config.CLAIM_LOOKED_AT_MAX + 1,
        "tasks_max": 1,
        "worker_id": WORKER,
        "lease_seconds": 60.0,
        "avoid_seconds": 2.0,
    }
    plan = explained(connection, "tasks.claim", given, mode)
    nodes = _nodes(plan)
    assert [one.get("Index Name") for one in nodes].count("tasks_queued") == 1
    on_tasks = {one["Node Type"] for one in nodes if one.get("Relation Name") == "tasks"}
    assert on_tasks <= {"Index Scan", "ModifyTable"}, json.dumps(plan)[:4000]
    blocks = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    assert blocks < _BLOCKS_MAX
    connection.rollback()


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
def test_a_claim_of_what_is_alike_is_one_too(crowded, mode: str):
    connection, _ = crowded
    given = {
        "task_id": "task_" + str(WAITING).zfill(26),
        "own": ["prompt"],
        "first_max": config.ALIKE_LOOKED_AT_MAX,
        "tasks_max": 7,
        "worker_id": WORKER,
        "lease_seconds": 60.0,
    }
    plan = explained(connection, "tasks.claim_alike", given, mode)
    nodes = _nodes(plan)
    assert [one.get("Index Name") for one in nodes].count("tasks_queued") == 1
    on_tasks = {one["Node Type"] for one in nodes if one.get("Relation Name") == "tasks"}
    assert on_tasks <= {"Index Scan", "ModifyTable"}, json.dumps(plan)[:4000]
    assert "Seq Scan" not in [
        one["Node Type"] for one in nodes if one.get("Relation Name") == "batches"
    ]
    assert plan["Actual Rows"] == given["tasks_max"]
    blocks = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    assert blocks < _BLOCKS_MAX
    connection.rollback()


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
def test_admitting_the_next_reads_a_short_piece_of_an_index(crowded, mode: str):
    connection, account_id = crowded
    connection.execute(
        "UPDATE lanes SET admitted = 1, parked = %s WHERE account_id = %s",
        (WAITING // 2, account_id),
    )
    connection.execute("UPDATE accounts SET running_max = 3 WHERE id = %s", (account_id,))
    plan = explained(connection, "lanes.admit", {"account_id": account_id}, mode)
    assert "Seq Scan" not in [
        one["Node Type"] for one in _nodes(plan) if one.get("Relation Name") == "tasks"
    ]
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < _BLOCKS_MAX
    [[admitted]] = connection.execute(
        "SELECT admitted FROM lanes WHERE account_id = %s", (account_id,)
    ).fetchall()
    assert admitted == 3
    connection.rollback()


def test_a_place_in_the_queue_is_told_without_reading_it_all(crowded):
    connection, _ = crowded
    asked = ["task_" + str(number).zfill(26) for number in (2, 3, 999_999, 1_000_000)]
    given = {"ids": asked, "counted_max": config.QUEUE_COUNTED_MAX, "alive_seconds": 30.0}
    plan = explained(connection, "tasks.waiting", given, "force_generic_plan")
    assert "Seq Scan" not in [
        one["Node Type"] for one in _nodes(plan) if one.get("Relation Name") == "tasks"
    ]
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 10 * _BLOCKS_MAX
    connection.rollback()


def test_the_wanted_models_are_the_only_ones_claimed(ground):
    account = ground.account()

    async def told(queue: Queue):
        await queue.submit(account.id, model="N")
        return await queue.claim(models=["M"]), leases.Wanted(["M"]).loaded

    assert _story(ground, told) == ([], ())
