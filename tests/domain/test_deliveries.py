"""Deliveries: leased to one at a time, fenced by the attempt, looked for by whole destinations."""

from __future__ import annotations

import asyncio

import psycopg
from delivering import HOST, claim, fill, outcome, record, run
from msgspec.structs import replace
from plans import explained

from darkroom import config
from darkroom.domain import deliveries, webhook_endpoints
from darkroom.domain.deliveries import FIRST, Destination


def test_claims_that_race_lease_every_delivery_once(ground):
    account = ground.account()
    fill(ground, account.id, 200)
    there = Destination(account.id, HOST)

    async def story(database):
        return await asyncio.gather(*(claim(database, {there: 30}) for _ in range(10)))

    claimed = [one for group in ground.run(story) for one in group]
    assert len({one.id for one in claimed}) == len(claimed) >= 30
    assert {(one.number, one.failures, one.refused) for one in claimed} == {(1, 0, None)}


def test_a_lease_that_ran_out_is_anothers_and_the_late_record_changes_nothing(ground):
    account = ground.account()
    fill(ground, account.id)
    there = Destination(account.id, HOST)

    async def story(database):
        [late] = await claim(database, {there: 1}, lease_seconds=0)
        [again] = await claim(database, {there: 1})
        assert await claim(database, {there: 1}) == []
        await record(database, outcome(late, "FAILED", error="late", failure="late"))
        assert run(ground, "SELECT status FROM webhook_deliveries") == [("PENDING",)]
        await record(database, outcome(again))
        await record(database, outcome(again, "FAILED"))
        return late, again

    late, again = ground.run(story)
    assert (late.id, late.number, again.id, again.number) == (again.id, 1, late.id, 2)
    assert run(ground, "SELECT status, attempts FROM webhook_deliveries") == [("DELIVERED", 2)]
    assert run(ground, "SELECT number FROM webhook_attempts ORDER BY number") == [(1,), (2,)]


def test_attempts_that_nobody_lived_to_record_count_for_nothing(ground):
    account = ground.account()
    fill(ground, account.id)
    there = Destination(account.id, HOST)

    async def story(database):
        for _ in range(12):
            [one] = await claim(database, {there: 1}, lease_seconds=0)
        await record(database, outcome(one, "PENDING", error="HTTP 500"))
        [again] = await claim(database, {there: 1})
        return one, again

    one, again = ground.run(story)
    assert (one.number, one.failures, again.number, again.failures) == (12, 0, 13, 1)


def test_a_beat_keeps_what_is_under_way_and_nothing_else(ground):
    account = ground.account()
    fill(ground, account.id, 2)
    there = Destination(account.id, HOST)

    async def story(database):
        claimed = await claim(database, {there: 2}, lease_seconds=0)
        async with database.statement() as tx:
            held = [(claimed[0].id, 1), (claimed[1].id, 7)]
            await deliveries.beat(tx, held, lease_seconds=60)
        return claimed, await claim(database, {there: 2})

    [kept, lost], again = ground.run(story)
    assert [one.id for one in again] == [lost.id] != [kept.id]


def test_a_failure_waits_for_its_pause_and_counts_on(ground):
    account = ground.account()
    fill(ground, account.id)
    there = Destination(account.id, HOST)

    async def story(database):
        [one] = await claim(database, {there: 1})
        await record(database, outcome(one, "PENDING", pause_seconds=60.0, error="HTTP 500"))
        assert await claim(database, {there: 1}) == []
        run(ground, "UPDATE webhook_deliveries SET next_at = now()")
        [again] = await claim(database, {there: 1})
        return again

    assert ground.run(story).number == 2


def test_what_cannot_arrive_any_more_is_not_sent(ground):
    account = ground.account()

    async def story(database):
        async with database.transaction() as tx:
            made = [
                await webhook_endpoints.create(
                    tx, account.id, f"https://{name}.example/", ["ended"]
                )
                for name in "ab"
            ]
            await webhook_endpoints.disable(tx, made[0].id, "a test")
            await webhook_endpoints.remove(tx, account.id, made[1].id)
        fill(ground, account.id, endpoint_id=made[0].id, host="a.example")
        fill(ground, account.id, endpoint_id=made[1].id, host="b.example")
        fill(ground, account.id, expires_seconds=0, host="c.example")
        wanted = {Destination(account.id, f"{name}.example"): 5 for name in "abc"}
        return await claim(database, wanted)

    refused = sorted(str(one.refused) for one in ground.run(story) if one.type == "webhook.test")
    assert refused == [
        "It did not arrive in time.",
        "The endpoint is disabled.",
        "The endpoint was removed.",
    ]


def test_destinations_with_something_due_are_found_in_their_order(ground):
    one, other = sorted((ground.account().id, ground.account().id))
    fill(ground, other, 3, "b.example")
    fill(ground, one, 3, "b.example")
    fill(ground, one, 2, "a.example:8080")
    fill(ground, one, 1, "later.example", due_seconds=60)

    async def story(database):
        async with database.statement() as tx:
            every = await deliveries.due(tx, after=FIRST)
            rest = await deliveries.due(tx, after=every[1].destination)
        return every, rest

    every, rest = ground.run(story)
    found = [(seen.account_id, seen.host) for seen in every if seen.is_due]
    assert found == [(one, "a.example:8080"), (one, "b.example"), (other, "b.example")]
    assert rest == every[2:]


def test_a_dead_receivers_hundred_thousand_cost_a_search_nothing(ground):
    dead, alive = sorted((ground.account().id, ground.account().id))
    fill(ground, dead, 100_000, "dead.example")
    fill(ground, alive, 1)
    run(ground, "ANALYZE webhook_deliveries")
    search = {"after_account_id": "", "after_host": "", "looked_at_max": 1000}
    taken = {
        "account_ids": [dead, alive],
        "hosts": ["dead.example", HOST],
        "counts": [3, 8],
        "lease_seconds": 0,
    }
    with psycopg.connect(ground.conninfo) as connection:
        for mode in ("force_custom_plan", "force_generic_plan"):
            for name, given, rows in (
                ("deliveries.due", search, 2),
                ("deliveries.claim", taken, 4),
            ):
                plan = explained(connection, name, given, mode)
                assert plan["Actual Rows"] == rows, (name, mode)
                blocks = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
                assert blocks < 500, (name, mode, blocks)


def test_a_few_failures_are_found_among_all_that_arrived(ground):
    account = ground.account()
    fill(ground, account.id, 50_000)
    run(
        ground,
        """UPDATE webhook_deliveries SET ended_at = now(),
                  status = CASE WHEN id IN (SELECT id FROM webhook_deliveries ORDER BY id LIMIT 3)
                                THEN 'FAILED' ELSE 'DELIVERED' END""",
    )
    run(ground, "ANALYZE webhook_deliveries")
    given = dict.fromkeys(("before", "type", "endpoint_id", "since", "until"))
    given |= {"account_id": account.id, "rows_max": 50}
    with psycopg.connect(ground.conninfo) as connection:
        for mode in ("force_custom_plan", "force_generic_plan"):
            plan = explained(connection, "deliveries.list_failed", given, mode)
            assert plan["Actual Rows"] == 3, mode
            assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 50, mode

    async def story(database):
        async with database.statement() as tx:
            wanted = deliveries.Filter(status="FAILED")
            return await deliveries.list_for(tx, account.id, wanted, before=None, rows_max=2)

    found = ground.run(story)
    assert [one.status for one in found] == ["FAILED", "FAILED"]
    assert found[0].id > found[1].id


def test_a_search_stops_at_its_bound_and_says_where(ground):
    account = ground.account()
    run(
        ground,
        """INSERT INTO webhook_deliveries (id, account_id, url, type, data, expires_at, next_at)
           SELECT 'msg_' || n, %s, 'https://h' || lpad(n::text, 5, '0') || '.example/', 'a', '{}',
                  'infinity', now() + interval '1 day' FROM generate_series(1, 1500) AS n""",
        account.id,
    )

    async def story(database):
        async with database.statement() as tx:
            first = await deliveries.due(tx, after=FIRST)
            return first, await deliveries.due(tx, after=first[-1].destination)

    [last], rest = ground.run(story)
    assert (last.is_due, last.is_last, last.host) == (False, True, "h01000.example")
    assert config.DESTINATIONS_LOOKED_AT_MAX == 1000
    assert rest == []


def test_old_deliveries_are_forgotten_with_their_attempts_a_bounded_number_at_a_time(ground):
    account = ground.account()
    there = Destination(account.id, HOST)
    fill(ground, account.id, 5)

    async def story(database):
        claimed = await claim(database, {there: 4})
        await record(database, *map(outcome, claimed))
        run(ground, "UPDATE webhook_deliveries SET created_at = now() - interval '91 days'")
        async with database.statement() as tx:
            return [await deliveries.forget(tx, retention_days=90, rows_max=3) for _ in range(3)]

    assert ground.run(story) == [3, 1, 0]
    assert [one.status for one in run(ground, "SELECT * FROM webhook_deliveries")] == ["PENDING"]
    assert run(ground, "SELECT * FROM webhook_attempts") == []


def test_an_outcome_that_cannot_be_told_apart_from_sql_is_kept(ground):
    account = ground.account()
    fill(ground, account.id)
    there = Destination(account.id, HOST)

    async def story(database):
        [one] = await claim(database, {there: 1})
        told = replace(outcome(one, answer_body="'; \\u0041 \ufffd \U0001f4f7"), answer_status=200)
        await record(database, told)

    ground.run(story)
    [one] = run(ground, "SELECT * FROM webhook_attempts")
    assert one.answer_body == "'; \\u0041 \ufffd \U0001f4f7"
