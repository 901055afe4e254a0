"""Webhook endpoints, their health, listeners, and the secrets and the key that sign."""

from __future__ import annotations

import asyncio

import pytest
from delivering import HOST, claim, fill, outcome, record, run

from darkroom import signing
from darkroom.domain import deliveries, messages, signing_keys, webhook_endpoints, webhook_secrets
from darkroom.domain.deliveries import FIRST, Destination


def test_an_endpoint_fails_since_its_first_failure_until_something_arrives(ground):
    account = ground.account()
    there = Destination(account.id, HOST)

    async def story(database):
        async with database.transaction() as tx:
            one = await webhook_endpoints.create(tx, account.id, f"https://{HOST}/hook", ["ended"])
        fill(ground, account.id, 4, endpoint_id=one.id)
        claimed = await claim(database, {there: 4})
        since = []
        for status, error in (
            ("PENDING", "HTTP 500"),
            ("PENDING", "HTTP 500"),
            ("DELIVERED", None),
            ("FAILED", "x"),
        ):
            await record(database, outcome(claimed.pop(), status, error=error))
            since += run(ground, "SELECT failing_since FROM webhook_endpoints")
        return [row.failing_since for row in since]

    first, same, well, again = ground.run(story)
    assert first == same is not None
    assert well is None
    assert again > first


def test_an_endpoint_that_failed_for_days_is_disabled_and_the_others_are_told(ground):
    account, other = ground.account(), ground.account()

    async def story(database):
        async with database.transaction() as tx:
            made = [
                await webhook_endpoints.create(
                    tx, account.id, f"https://{name}.example/", ["ended"]
                )
                for name in "abc"
            ]
            await webhook_endpoints.create(tx, other.id, "https://d.example/", ["ended"])
        run(
            ground,
            "UPDATE webhook_endpoints SET failing_since = now() - interval '5 days 1 minute' "
            "WHERE id = ANY(%s)",
            [made[0].id, made[1].id],
        )
        async with database.statement() as tx:
            gone = await webhook_endpoints.disable_failing(tx)
            assert await webhook_endpoints.disable_failing(tx) == []
        return made, gone

    made, gone = ground.run(story)
    assert {one.id for one in gone} == {made[0].id, made[1].id}
    told = run(ground, "SELECT * FROM webhook_deliveries WHERE type = 'endpoint.disabled'")
    assert {one.endpoint_id for one in told} == {made[2].id}
    assert {one.data["endpoint_id"] for one in told} == {made[0].id, made[1].id}
    assert {one.data["reason"] for one in told} == {"Nothing has arrived for 5 days."}


def test_accounts_get_their_first_secret_once(ground):
    accounts = [ground.account().id for _ in range(3)]

    async def ask(database):
        async with database.statement() as tx:
            return await webhook_secrets.live(tx, accounts)

    async def story(database):
        return await asyncio.gather(*(ask(database) for _ in range(8)))

    first, *others = ground.run(story)
    assert all(one == first for one in others)
    secrets = [one.secret for rows in first.values() for one in rows]
    assert len(set(secrets)) == len(secrets) == 3


def test_a_listener_that_has_gone_is_forgotten_with_what_it_left(ground):
    account = ground.account()

    async def story(database):
        async with database.statement() as tx:
            gone = await webhook_endpoints.listen(tx, account.id, ["ended"])
            there = await webhook_endpoints.listen(tx, account.id, ["ended"])
        for one in (gone, there):
            fill(ground, account.id, host=f"@{one.id}", endpoint_id=one.id)
        run(
            ground,
            "UPDATE webhook_endpoints SET listens_until = now() - interval '1 s' WHERE id = %s",
            gone.id,
        )
        async with database.statement() as tx:
            seen = await deliveries.due(tx, after=FIRST)
            assert not any(one.is_due for one in seen)  # no daemon takes a listener's
            assert await webhook_endpoints.forget_listeners(tx) == 1
        return there

    there = ground.run(story)
    assert [one.id for one in run(ground, "SELECT id FROM webhook_endpoints")] == [there.id]
    left = run(ground, "SELECT endpoint_id FROM webhook_deliveries")
    assert [one.endpoint_id for one in left] == [there.id]


def test_a_delivery_that_cannot_be_written_holds_up_no_other(ground):
    """A secret that is none: its account's delivery breaks where it is written, by itself."""
    broken, well = ground.account().id, ground.account().id
    fill(ground, broken)
    fill(ground, well)
    run(ground, "INSERT INTO webhook_secrets (account_id, secret) VALUES (%s, 'no')", broken)

    async def story(database):
        claimed = await claim(database, {Destination(one, HOST): 1 for one in (broken, well)})
        async with database.statement() as tx:
            key = await signing_keys.ours(tx)
            facts = await messages.read(tx, claimed)
        return {one.account_id: one for one in claimed}, facts, key

    claimed, facts, key = ground.run(story)
    assert messages.write(claimed[well], facts, key, "").body
    with pytest.raises(signing.KeyUnusable):
        messages.write(claimed[broken], facts, key, "")


def test_processes_that_begin_together_make_one_signing_key(ground):
    async def ask(database):
        async with database.statement() as tx:
            return (await signing_keys.ours(tx)).public

    async def story(database):
        return await asyncio.gather(*(ask(database) for _ in range(8)))

    assert len({*ground.run(story)}) == 1
