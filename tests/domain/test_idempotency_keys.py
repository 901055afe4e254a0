"""Idempotency keys: a key makes one batch, in a group, between groups and for a day."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import psycopg
import pytest

from darkroom import errors, ids
from darkroom.domain import accounts, idempotency_keys, rates, tasks
from darkroom.domain.tasks import Batch, Submission
from darkroom.engine import sweep
from darkroom.storage.database import Database
from ground import Ground

KIND = "text-to-image"
CONFLICT = errors.IdempotencyConflict
POOR = errors.InsufficientCredits


def _asked(account_id: str, key: str | None, said: bytes = b"a", mill: int = 100) -> Submission:
    return Submission(
        account_id=account_id,
        api_key_id=None,
        request_id=ids.new("req"),
        kind=KIND,
        model="M",
        input={"fields": {}, "files": {}},
        rate_id=0,
        price_mill=mill,
        count=2,
        seed=7,
        idempotency_key=key,
        fingerprint=said,
    )


async def _priced(database: Database, asked: Sequence[Submission]) -> list[Submission]:
    async with database.transaction() as tx:
        found = await rates.publish(tx, [rates.Asked("M", KIND, "image", 100)])
    return [msgspec.structs.replace(one, rate_id=found["M", KIND].id) for one in asked]


async def _group(database: Database, asked: Sequence[Submission]) -> list[tasks.Outcome]:
    priced = await _priced(database, asked)
    async with database.transaction() as tx:
        return await tasks.submit(tx, priced)


def _submit(ground: Ground, *groups: Sequence[Submission]) -> list[tasks.Outcome]:
    """The outcomes of groups that follow each other, in one list."""

    async def story(database: Database) -> list[tasks.Outcome]:
        return [one for group in groups for one in await _group(database, group)]

    outcomes: list[tasks.Outcome] = ground.run(story)
    return outcomes


def _spent(ground: Ground, account_id: str) -> int:
    async def story(database: Database) -> int:
        async with database.statement() as tx:
            return (await accounts.get(tx, account_id)).held_mill

    held: int = ground.run(story)
    return held


def _age(ground: Ground, key: str, hours: float) -> None:
    with psycopg.connect(ground.conninfo) as connection:
        connection.execute(
            "UPDATE idempotency_keys SET created_at = created_at - make_interval(secs => %s)"
            " WHERE key = %s",
            (hours * 3600, key),
        )


def _keys(ground: Ground) -> list[str]:
    with psycopg.connect(ground.conninfo) as connection:
        rows = connection.execute("SELECT key FROM idempotency_keys ORDER BY key").fetchall()
    return [key for (key,) in rows]


def _is_replay(one: tasks.Outcome, of: tasks.Outcome) -> bool:
    assert isinstance(one, Batch)
    assert isinstance(of, Batch)
    assert not of.replayed
    same = (one.id, one.task_ids, one.price_mill) == (of.id, of.task_ids, of.price_mill)
    return one.replayed and same and one.id > 0


def test_a_key_sent_again_answers_the_first_batch(ground: Ground) -> None:
    account = ground.account()
    first, again = _submit(ground, [_asked(account.id, "k")], [_asked(account.id, "k")])
    assert _is_replay(again, first)
    assert _spent(ground, account.id) == 200


def test_a_group_resolves_its_own_duplicates_in_their_order(ground: Ground) -> None:
    one, other = ground.account().id, ground.account().id
    asked = [
        _asked(one, "k"),
        _asked(other, "k"),
        _asked(one, None),
        _asked(one, "k"),
        _asked(one, "k", b"b"),
        _asked(one, None),
        _asked(one, "l", b"b"),
        _asked(other, "k"),
    ]
    got = _submit(ground, asked)
    assert _is_replay(got[3], got[0])
    assert _is_replay(got[7], got[1])
    assert isinstance(got[4], CONFLICT)
    assert got[4].field == "Idempotency-Key"
    numbers = [one.id for one in got if isinstance(one, Batch) and not one.replayed]
    assert numbers == sorted({*numbers})
    assert len(numbers) == 5
    assert (_spent(ground, one), _spent(ground, other)) == (800, 200)
    assert _keys(ground) == ["k", "k", "l"]


def test_a_group_replays_what_another_group_made(ground: Ground) -> None:
    account = ground.account().id
    keys = ["a", "b", "c"]
    first = _submit(ground, [_asked(account, key) for key in keys])
    mixed = [_asked(account, key) for key in ("c", "new", "a", "new", "b")]
    got = _submit(ground, mixed)
    assert _is_replay(got[0], first[2])
    assert _is_replay(got[2], first[0])
    assert _is_replay(got[4], first[1])
    assert _is_replay(got[3], got[1])
    assert _keys(ground) == ["a", "b", "c", "new"]


def test_a_refusal_stores_nothing_and_frees_the_key(ground: Ground) -> None:
    account = ground.account(credits_given=1).id
    dear, cheap = _asked(account, "k", b"dear", 600), _asked(account, "k", b"cheap", 400)
    refused, again = _submit(ground, [dear], [dear])
    assert isinstance(refused, POOR)
    assert isinstance(again, POOR)
    assert _keys(ground) == []
    first, conflict, replay = _submit(ground, [cheap], [dear], [cheap])
    assert isinstance(conflict, CONFLICT)
    assert _is_replay(replay, first)


def test_in_a_group_the_one_after_a_refusal_is_judged_by_itself(ground: Ground) -> None:
    account = ground.account(credits_given=1).id
    dear, cheap = _asked(account, "k", b"dear", 600), _asked(account, "k", b"cheap", 400)
    got = _submit(ground, [dear, dear, cheap, cheap, dear])
    assert [type(one) for one in got] == [POOR, POOR, Batch, Batch, CONFLICT]
    assert _is_replay(got[3], got[2])
    assert _spent(ground, account) == 800


def test_a_replay_needs_no_credits(ground: Ground) -> None:
    account = ground.account(credits_given=1).id
    all_of_it = _asked(account, "k", mill=500)
    first, replay, refused = _submit(
        ground, [all_of_it], [all_of_it], [_asked(account, "l", mill=500)]
    )
    assert _is_replay(replay, first)
    assert isinstance(refused, POOR)


@pytest.mark.parametrize(("hours", "replayed"), [(23.9, True), (24, False), (100, False)])
def test_a_key_is_kept_for_a_day(ground: Ground, hours: float, replayed: bool) -> None:
    account = ground.account().id
    [first] = _submit(ground, [_asked(account, "k")])
    _age(ground, "k", hours)
    [second] = _submit(ground, [_asked(account, "k")])
    assert isinstance(second, Batch)
    assert second.replayed is replayed
    # An expired key is a fresh one now, also for another body.
    third, conflict = _submit(ground, [_asked(account, "k")], [_asked(account, "k", b"b")])
    assert _is_replay(third, first if replayed else second)
    assert isinstance(conflict, CONFLICT)


def test_groups_that_race_make_one_batch_for_a_key(ground: Ground) -> None:
    one, other = ground.account().id, ground.account().id
    names = [(one, "k"), (other, "k"), (one, "l")]

    async def story(database: Database) -> list[list[tasks.Outcome]]:
        groups = [await _priced(database, [_asked(*name) for name in names]) for _ in range(10)]
        all_open = asyncio.Barrier(len(groups))

        async def submit(asked: Sequence[Submission]) -> list[tasks.Outcome]:
            async with database.transaction() as tx:
                await all_open.wait()
                return await tasks.submit(tx, asked)

        turned = [one[::-1] if number % 2 else one for number, one in enumerate(groups)]
        return await asyncio.gather(*map(submit, turned))

    batches = [batch for group in ground.run(story) for batch in group]
    assert len({batch.id for batch in batches}) == 3
    assert sum(not batch.replayed for batch in batches) == 3
    assert (_spent(ground, one), _spent(ground, other)) == (400, 200)


def test_a_key_that_stands_is_never_given_another_batch(ground: Ground) -> None:
    account = ground.account().id
    [first, other] = _submit(ground, [_asked(account, "k"), _asked(account, None)])
    assert isinstance(other, Batch)
    taken = idempotency_keys.Kept(account, "k", b"a", other.id, other.task_ids, 200)

    async def story(database: Database) -> None:
        async with database.transaction() as tx:
            await idempotency_keys.keep(tx, [taken])

    with pytest.raises(errors.StatementRefused):
        ground.run(story)
    [again] = _submit(ground, [_asked(account, "k")])
    assert _is_replay(again, first)


def test_a_sweep_forgets_expired_keys_only(ground: Ground) -> None:
    account = ground.account().id
    _submit(ground, [_asked(account, key) for key in ("fresh", "old", "older")])
    _age(ground, "old", 24)
    _age(ground, "older", 500)
    ground.run(sweep.forget_idempotency_keys)
    assert _keys(ground) == ["fresh"]


def test_forgetting_is_bounded(ground: Ground) -> None:
    account = ground.account().id
    _submit(ground, [_asked(account, key) for key in "abc"])
    for key in "abc":
        _age(ground, key, 25)

    async def story(database: Database) -> list[int]:
        async with database.statement() as tx:
            return [await idempotency_keys.forget(tx, rows_max=2) for _ in range(3)]

    assert ground.run(story) == [2, 1, 0]


def test_a_sweep_passes_by_the_key_that_a_submit_makes_anew(ground: Ground) -> None:
    account = ground.account().id
    _submit(ground, [_asked(account, "k")])
    _age(ground, "k", 25)

    async def story(database: Database) -> None:
        again = await _priced(database, [_asked(account, "k")])
        async with database.transaction() as tx:
            [made] = await tasks.submit(tx, again)
            assert (await idempotency_keys.find(tx, {(account, "k")}))[account, "k"]
            await sweep.forget_idempotency_keys(database)
        [replay] = await _group(database, again)
        assert _is_replay(replay, made)

    ground.run(story)


FIELDS = {"model": "M", "prompt": "a lake", "images": ["data:image/png;base64,AA"], "seed": 1}


@pytest.mark.parametrize(
    "same",
    [
        dict(reversed(FIELDS.items())),
        {**FIELDS, "negative_prompt": None},
    ],
)
def test_order_and_nulls_do_not_change_a_fingerprint(same: dict[str, Any]) -> None:
    assert idempotency_keys.fingerprint(KIND, same) == idempotency_keys.fingerprint(KIND, FIELDS)


@pytest.mark.parametrize(
    "other",
    [
        {**FIELDS, "prompt": "a lake "},
        {**FIELDS, "unknown": 1},
        {**FIELDS, "images": ["data:image/png;base64,AB"]},
        {**FIELDS, "seed": 2},
        {name: value for name, value in FIELDS.items() if name != "seed"},
    ],
)
def test_any_other_field_changes_a_fingerprint(other: dict[str, Any]) -> None:
    assert idempotency_keys.fingerprint(KIND, other) != idempotency_keys.fingerprint(KIND, FIELDS)
    kinds = [idempotency_keys.fingerprint(kind, FIELDS) for kind in (KIND, "image-to-image")]
    assert len({*kinds}) == 2
