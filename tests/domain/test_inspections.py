"""Inspections and queues: what operators see of everybody's tasks, and what it may cost."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from plans import explained
from queueing import opened

from darkroom import errors, ids
from darkroom.domain import inspections, queues, tasks
from darkroom.domain.inspections import Search
from darkroom.storage import queries


def _found(ground, *, before=None, rows_max=50, **wanted):
    async def story(database):
        async with database.statement() as tx:
            return await inspections.find(tx, Search(**wanted), before=before, rows_max=rows_max)

    return ground.run(story)


@pytest.fixture
def crowd(ground):
    """Two accounts: of the first three tasks failed, ran and wait, of the second two wait."""
    first, second = ground.account(), ground.account()

    async def story(database):
        queue = await opened(database)
        [failed] = await queue.submit(first.id)
        [claimed] = await queue.claim()
        await queue.end(claimed)
        [running] = await queue.submit(first.id)
        await queue.claim()
        [waiting] = await queue.submit(first.id, model="N")
        return [failed, running, waiting, *await queue.submit(second.id, 2)]

    return first, second, ground.run(story)


def test_a_search_finds_by_every_name(ground, crowd):
    first, second, made = crowd
    every = _found(ground).rows
    assert [row.id for row in every] == sorted(made, reverse=True)
    batch = every[0].batch_id
    for wanted, fits in (
        ({"named": made[1]}, [made[1]]),
        ({"named": str(batch)}, made[3:]),
        ({"named": first.email.upper()}, made[2::-1]),
        ({"named": "nobody@example.com"}, []),
        ({"named": "task_none"}, []),
        ({"named": "req_none"}, []),
        ({"named": "9" * 30}, []),
        ({"model": "N"}, [made[2]]),
        ({"status": "PENDING"}, sorted(made[2:], reverse=True)),
        ({"status": "PROCESSING"}, [made[1]]),
        ({"status": "FAILED"}, [made[0]]),
        ({"error_code": 6004}, [made[0]]),
        ({"error_code": 1}, []),
        ({"named": first.email, "status": "PENDING"}, [made[2]]),
        ({"named": second.email, "error_code": 6004}, []),
    ):
        page = _found(ground, **wanted)
        assert [row.id for row in page.rows] == fits, wanted
        assert page.next is None


def test_a_search_is_bounded_in_time(ground, crowd):
    _, _, made = crowd
    at = _found(ground, named=made[2]).rows[0].created_at
    for named in (None, crowd[0].email):
        found = {row.id for row in _found(ground, named=named, since=at).rows}
        assert made[2] in found
        assert made[0] not in found
        found = {row.id for row in _found(ground, named=named, until=at).rows}
        assert made[2] not in found
        assert made[0] in found
    assert _found(ground, until=at - timedelta(days=1)).rows == []


@pytest.mark.parametrize("wanted", [{}, {"named": True}, {"status": "FAILED"}])
def test_pages_of_a_search_are_whole_and_do_not_meet(ground, wanted):
    account = ground.account()

    async def story(database):
        queue = await opened(database)
        made = [*await queue.submit(account.id, 4), *await queue.submit(account.id, 3)]
        await queue.serve(7)
        return made

    made = ground.run(story)
    wanted = wanted | ({"named": account.email} if "named" in wanted else {})
    seen, before = [], None
    while True:
        page = _found(ground, before=before, rows_max=2, **wanted)
        seen += [row.id for row in page.rows]
        before = page.next
        if before is None:
            break
    assert sorted(seen) == sorted(made)


def test_a_task_is_opened_whole(ground, crowd):
    first, _, made = crowd

    async def story(database):
        async with database.statement() as tx:
            found = [await inspections.open_task(tx, one) for one in made[:3]]
            with pytest.raises(errors.TaskNotFound):
                await inspections.open_task(tx, "task_none")
            return found

    failed, running, waiting = ground.run(story)
    assert (failed.email, failed.status, failed.hold_status) == (
        first.email,
        tasks.FAILED,
        "refunded",
    )
    assert (running.status, running.worker_id, running.hold_status) == (
        tasks.PROCESSING,
        "wrk_test",
        "open",
    )
    assert (waiting.status, waiting.is_parked) == (tasks.PENDING, False)


def test_the_queue_is_told_by_model_and_by_account(ground, crowd):
    first, second, _ = crowd

    async def story(database):
        queue = await opened(database)
        await queue.limit(second.id, running_max=2)
        await queue.submit(second.id, 3, model="N")
        await queue.learn("M", 10)
        async with database.statement() as tx:
            return (
                await queues.overview(tx),
                {one.model: one for one in await queues.by_model(tx)},
                {one.account_id: one for one in await queues.by_account(tx)},
                await queues.failures(tx),
            )

    overview, models, accounts, [failed] = ground.run(story)
    assert (overview.queued, overview.parked, overview.running) == (3, 3, 1)
    assert (overview.waiting, overview.is_minimum) == (6, False)
    assert (overview.workers, overview.slots) == (1, 1)
    assert (models["M"].queued, models["M"].parked, models["M"].running) == (2, 0, 1)
    assert (models["N"].queued, models["N"].parked, models["N"].running) == (1, 3, 0)
    assert models["M"].oldest_at is not None
    assert models["M"].slots == 1
    assert models["M"].wait_seconds > 0
    mine = accounts[second.id]
    assert (mine.queued, mine.parked, mine.running, mine.running_max) == (2, 3, 0, 2)
    assert (accounts[first.id].queued, accounts[first.id].running) == (1, 1)
    assert (failed.code, failed.tasks) == (6004, 1)


def test_an_empty_queue_is_nothing(ground):
    async def story(database):
        async with database.statement() as tx:
            return (
                await queues.overview(tx),
                await queues.by_model(tx),
                await queues.by_account(tx),
                await queues.failures(tx),
            )

    overview, *rest = ground.run(story)
    assert (overview.waiting, overview.running, overview.oldest_at) == (0, 0, None)
    assert rest == [[], [], []]


def test_accounts_are_found_by_how_their_address_begins(ground):
    made = [ground.account() for _ in range(3)]

    def find(*given, **named):
        async def story(database):
            async with database.statement() as tx:
                return [one.id for one in await inspections.accounts(tx, *given, **named)]

        return ground.run(story)

    assert find("") == [one.id for one in reversed(made)]
    assert find("", before=made[2].id) == [made[1].id, made[0].id]
    assert find(made[1].email[:-4].upper()) == [made[1].id]
    assert find(made[1].id) == [made[1].id]
    assert set(find("someone-")) == {one.id for one in made}
    assert find("someone_") == []
    assert find("%") == []
    pages = find("someone-", rows_max=2)
    assert set(pages + find("someone-", before=pages[-1])) == {one.id for one in made}


@pytest.fixture(scope="module")
def full(shared_ground):
    """Thirty thousand tasks that ended and ten thousand that wait."""
    account = shared_ground.account()
    with psycopg.connect(shared_ground.conninfo, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "INSERT INTO batches (id, account_id, request_id, kind, model, input, rate_id)"
            " SELECT g, %s, 'req', 'text-to-image', 'M', '{}', 1 FROM generate_series(1, 40000) g",
            (account.id,),
        )
        connection.execute(
            "INSERT INTO tasks (id, batch_id, account_id, position, model, seed, price_mill,"
            " status, finished_at, charged_mill, error_code, start_tag)"
            " SELECT 'task_' || lpad(g::text, 26, '0'), g, %s, 0, 'M', 1, 0,"
            " CASE WHEN g > 30000 THEN 'PENDING' WHEN g %% 100 = 0 THEN 'FAILED'"
            " ELSE 'SUCCESS' END, CASE WHEN g <= 30000 THEN now() END,"
            " CASE WHEN g <= 30000 THEN 0 END, CASE WHEN g %% 100 = 0 THEN 6004 END,"
            " CASE WHEN g %% 2 = 0 THEN g END FROM generate_series(1, 40000) g",
            (account.id,),
        )
        connection.execute("ANALYZE")
        yield connection, account
        connection.execute("DELETE FROM tasks")
        connection.execute("DELETE FROM batches")


def _scans(plan):
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for one in plan.get("Plans", ()):
        yield from _scans(one)


@pytest.mark.parametrize(
    "name",
    [
        *(f"inspections.{verb}" for verb in ("recent", "of_account", "running", "failed")),
        *(f"inspections.{verb}" for verb in ("of_batch", "list", "open")),
        *(f"queues.{verb}" for verb in ("overview", "models", "accounts", "failures")),
        "suspensions.waiting",
    ],
)
@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
def test_no_look_of_an_operator_reads_all_tasks(full, name, mode):
    connection, account = full
    last = "task_" + "39999".rjust(26, "0")
    given = dict.fromkeys(queries.load()[name].parameters) | {
        "rows_max": 50,
        "tasks_max": 100,
        "alive_seconds": 30,
        "before": last,
        "email": account.email,
        "task_id": last,
        "ids": [last],
        "batch_id": 39999,
    }
    assert not {"tasks", "batches"} & set(_scans(explained(connection, name, given, mode)))


def test_a_search_that_has_looked_far_says_so(full, shared_ground):
    page = _found(shared_ground, model="N")
    assert (page.rows, page.is_cut) == ([], True)
    assert page.next == "task_" + "35001".rjust(26, "0")
    rest = _found(shared_ground, model="N", before=page.next)
    assert (rest.rows, rest.is_cut) == ([], True)
    assert _found(shared_ground, model="N", before="task_" + "1000".rjust(26, "0")).next is None


def test_no_search_goes_further_back_than_it_is_asked_to(full, shared_ground):
    connection, _ = full
    [[now]] = connection.execute("SELECT now()").fetchall()
    assert ids.first_at("task", now) > "task_" + "39999".rjust(26, "0")
    assert _found(shared_ground, model="N", since=now).next is None
