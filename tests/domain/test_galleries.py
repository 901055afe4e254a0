"""Galleries: every task once, newest first, to its owner alone, in a bounded piece of the index."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from plans import explained

from darkroom.domain import galleries
from darkroom.domain.galleries import Filter
from darkroom.domain.kinds.table import KINDS
from ground import Ground, fresh_database

# Requests of the crowded account: far more than one look reads.
REQUESTS = 20_000
LOOKED_AT = 2_000
RARE = 10_000
_LOOK_BLOCKS_MAX = 16_000
_BATCHES = (
    "INSERT INTO batches (id, account_id, request_id, kind, model, input, rate_id, created_at)"
    " SELECT n, %(account_id)s, 'req_' || n, 'text-to-image',"
    "        CASE WHEN n = %(rare)s THEN 'RARE' ELSE 'M' END,"
    "        jsonb_build_object('fields', jsonb_build_object('prompt', 'picture ' || n)), 1,"
    "        now() - make_interval(hours => %(last)s::int - n)"
    "   FROM generate_series(%(first)s::int, %(last)s::int) AS n"
)
_TASKS = (
    "INSERT INTO tasks (id, batch_id, account_id, position, model, seed, price_mill, status,"
    "                   finished_at, charged_mill, created_at)"
    " SELECT 'task_' || b.id || '_' || p, b.id, b.account_id, p, b.model, 7, 0, 'SUCCESS',"
    "        now(), 0, b.created_at"
    "   FROM batches b, generate_series(0, %(each)s::int - 1) AS p"
    "  WHERE b.account_id = %(account_id)s"
)


def _fill(ground: Ground, account_id: str, first: int, last: int, *, each: int = 1) -> None:
    given = {"account_id": account_id, "first": first, "last": last, "each": each, "rare": RARE}
    with psycopg.connect(ground.conninfo) as connection:
        connection.execute(_BATCHES, given)
        connection.execute(_TASKS, given)


def _leaf(ground: Ground, account_id: str, wanted: Filter, place: str | None = None) -> Any:
    async def story(database: Any) -> galleries.Leaf:
        async with database.statement() as tx:
            return await galleries.leaf(tx, account_id, wanted, place)

    return ground.run(story)


def _ids(ground: Ground, account_id: str, **wanted: Any) -> list[str]:
    return [one.id for one in _leaf(ground, account_id, Filter(**wanted)).shown]


@pytest.fixture
def books(database_conninfo: str) -> Ground:
    """A database whose books are not audited: its tasks were made without their money."""
    return Ground(database_conninfo)


def test_pages_have_no_gaps_and_no_repeats(books: Ground) -> None:
    account = books.account().id
    _fill(books, account, 1, 20, each=5)
    paged, place = [], None
    while True:
        leaf = _leaf(books, account, Filter(), place)
        paged += [one.id for one in leaf.shown]
        place = leaf.next
        if place is None:
            break
    assert paged == [f"task_{batch}_{at}" for batch in range(20, 0, -1) for at in range(5)]


def test_tasks_of_others_and_deleted_ones_are_not_listed(books: Ground) -> None:
    mine, other = books.account().id, books.account().id
    _fill(books, mine, 1, 2)
    _fill(books, other, 3, 3)
    with psycopg.connect(books.conninfo) as connection:
        connection.execute("UPDATE tasks SET deleted_at = now() WHERE id = 'task_1_0'")
    assert _ids(books, mine) == ["task_2_0"]


def test_filters_narrow_the_list(books: Ground) -> None:
    account = books.account().id
    _fill(books, account, 1, 24)
    with psycopg.connect(books.conninfo) as connection:
        connection.execute(
            "UPDATE batches SET model = 'N', input = jsonb_build_object('fields',"
            " jsonb_build_object('prompt', '100%_ Sure')) WHERE id = 23"
        )
        connection.execute("UPDATE tasks SET status = 'FAILED' WHERE id = 'task_22_0'")
    assert _ids(books, account, model="N") == ["task_23_0"]
    assert _ids(books, account, status="FAILED") == ["task_22_0"]
    assert _ids(books, account, words="sure") == ["task_23_0"]
    assert _ids(books, account, words="0%_") == ["task_23_0"]
    assert _ids(books, account, words="%t") == []
    assert len(_ids(books, account, words="PICTURE")) == 23
    assert _ids(books, account, kind="image-to-image") == []
    assert len(_ids(books, account, days=1)) == 24


def test_every_kind_that_is_told_something_shows_it(books: Ground) -> None:
    account = books.account().id
    # Of a podcast's script the first turn is shown; as a rule it is one that was written for it.
    scripts = {"scripts": [{"speaker_id": "one", "content": "Good evening."}]}
    told = {one.name: one.example or scripts for one in KINDS.values() if one.texts}
    _fill(books, account, 1, len(told))
    with psycopg.connect(books.conninfo) as connection:
        for at, (kind, fields) in enumerate(told.items(), start=1):
            connection.execute(
                "UPDATE batches SET kind = %s, input = jsonb_build_object('fields', %s::jsonb)"
                " WHERE id = %s",
                (kind, json.dumps(fields), at),
            )
    shown = {one.kind: one.prompt for one in _leaf(books, account, Filter()).shown}
    assert shown.keys() == told.keys()
    for kind, said in shown.items():
        assert said, kind
        texts = [told[kind].get(name) for name in KINDS[kind].texts]
        assert json.dumps(said) in json.dumps(texts)


@pytest.mark.parametrize("place", ["", "x", "1", "1-x", "9" * 40 + "-0"])
def test_a_place_that_is_none_is_the_beginning(books: Ground, place: str) -> None:
    account = books.account().id
    _fill(books, account, 1, 1)
    assert len(_leaf(books, account, Filter(), place).shown) == 1


@pytest.fixture(scope="module")
def crowded(postgres: str, template: str) -> Any:
    """A database in which one account has made many requests, and others as many between them."""
    databases = fresh_database(postgres, template)
    ground = Ground(next(databases))
    account = ground.account().id
    _fill(ground, account, 1, REQUESTS)
    # All of theirs are newer: whoever walks by ids alone meets them first.
    _fill(ground, ground.account().id, REQUESTS + 1, 3 * REQUESTS)
    with psycopg.connect(ground.conninfo, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE tasks, batches, assets")
        yield ground, account, connection
    next(databases, None)


def test_a_rare_task_is_found_look_by_look(crowded: Any) -> None:
    ground, account, _ = crowded
    wanted, place, looks = Filter(model="RARE"), None, 0
    for _ in range(REQUESTS // LOOKED_AT):
        leaf, looks = _leaf(ground, account, wanted, place), looks + 1
        if leaf.shown:
            break
        assert leaf.looked_back_to is not None
        place = leaf.next
    assert [one.id for one in leaf.shown] == [f"task_{RARE}_0"]
    assert looks == (REQUESTS - RARE) // LOOKED_AT + 1


def test_a_look_ends_with_the_days_that_are_asked_for(crowded: Any) -> None:
    ground, account, _ = crowded
    leaf = _leaf(ground, account, Filter(model="RARE", days=7))
    assert (list(leaf.shown), leaf.next) == ([], None)


def _read_whole(plan: Any) -> list[str]:
    """The tables of many rows that a plan reads from end to end."""
    below = [name for child in plan.get("Plans", ()) for name in _read_whole(child)]
    is_whole = plan["Node Type"] == "Seq Scan" and plan["Relation Name"] in ("tasks", "batches")
    return [plan["Relation Name"], *below] if is_whole else below


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
@pytest.mark.parametrize(("model", "blocks_max"), [(None, 300), ("NONE", _LOOK_BLOCKS_MAX)])
def test_a_page_reads_a_bounded_piece_of_the_accounts_index(
    crowded: Any, mode: str, model: str | None, blocks_max: int
) -> None:
    _, account, connection = crowded
    given = dict.fromkeys(("kind", "status", "days", "words"))
    given |= {"account_id": account, "from_batch": 2**62, "from_position": 0, "model": model}
    plan = explained(connection, "galleries.list", given, mode)
    assert not _read_whole(plan)
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < blocks_max


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
def test_the_end_of_a_look_is_found_in_the_index(crowded: Any, mode: str) -> None:
    _, account, connection = crowded
    given = {"account_id": account, "from_batch": 2**62, "days": None}
    plan = explained(connection, "galleries.floor", given, mode)
    assert not _read_whole(plan)
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < LOOKED_AT
