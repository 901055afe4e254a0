"""Throttles: strangers get so many tries, counted by the database, and all of a group or none."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from darkroom import errors
from darkroom.domain import buckets, throttles
from darkroom.domain.throttles import Throttle

FEW = Throttle("few", 3, 600)
MANY = Throttle("many", 100, 600)


async def _pass(database, *tries) -> bool:
    try:
        async with database.transaction() as tx:
            await throttles.pass_through(tx, *tries)
    except errors.RateLimited:
        return False
    return True


def test_so_many_pass_and_no_more_however_many_come_together(ground) -> None:
    async def story(database):
        return await asyncio.gather(*(_pass(database, (FEW, "a")) for _ in range(12)))

    assert sum(ground.run(story)) == 3


def test_tries_come_back_with_time(ground) -> None:
    async def story(database):
        passed = [await _pass(database, (FEW, "a")) for _ in range(4)]
        with psycopg.connect(ground.conninfo) as connection:
            connection.execute("UPDATE buckets SET filled_at = now() - interval '201 seconds'")
        return [*passed, await _pass(database, (FEW, "a")), await _pass(database, (FEW, "a"))]

    assert ground.run(story) == [True, True, True, False, True, False]


def test_the_refusal_says_when_to_come_again(ground) -> None:
    async def story(database):
        async with database.transaction() as tx:
            for _ in range(4):
                await throttles.pass_through(tx, (FEW, "a"))

    with pytest.raises(errors.RateLimited, match="Try again in 4 minutes") as refused:
        ground.run(story)
    assert 190 <= refused.value.retry_after_seconds <= 200


def test_who_is_refused_by_one_is_counted_by_none(ground) -> None:
    async def story(database):
        for _ in range(10):
            await _pass(database, (FEW, "stranger"), (MANY, "owner"))
        async with database.transaction() as tx:
            wanted = buckets.Limit("x", throttles._id(MANY, "owner"), 100)
            return (await buckets.take(tx, {wanted: 0}))[wanted.id].tokens

    assert 97 <= ground.run(story) < 98


def test_others_are_not_counted_and_case_does_not_matter(ground) -> None:
    async def story(database):
        one = [await _pass(database, (FEW, name)) for name in ("a@B.c", "A@b.c", "a@b.C", "a@b.c")]
        return [*one, await _pass(database, (FEW, "b@b.c"))]

    assert ground.run(story) == [True, True, True, False, True]


def test_a_very_long_name_is_kept_short(ground) -> None:
    async def story(database):
        return await _pass(database, (FEW, "x" * 1_000_000))

    assert ground.run(story)
    with psycopg.connect(ground.conninfo) as connection:
        [chars] = connection.execute("SELECT max(length(id)) FROM buckets").fetchone()
    assert chars < 60


@pytest.mark.parametrize(
    "throttle", [one for one in vars(throttles).values() if isinstance(one, Throttle)]
)
def test_every_throttle_is_full_again_when_its_bucket_is_forgotten(throttle: Throttle) -> None:
    assert throttle.seconds <= 3600
