"""Rates: a price to the mill, in versions that never change."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom.domain import rates
from darkroom.domain.rates import Asked, Rate
from darkroom.domain.sizes import Size

MILL_MAX = 10**9


def _rate(mill, unit):
    return Rate(1, "M", "text-to-image", unit, mill, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("mill", "unit", "size", "price"),
    [
        (4000, "image", Size(64, 64), 4000),
        (4000, "image", Size(4096, 4096), 4000),
        (1000, "megapixel", Size(1000, 1000), 1000),
        (1000, "megapixel", Size(1920, 1080), 2074),
        (1, "megapixel", Size(64, 64), 1),
        (0, "megapixel", Size(4096, 4096), 0),
        (0, "image", Size(64, 64), 0),
        # In floating point 100 x 1.1 is a little more than 110.
        (100, "megapixel", Size(1000, 1100), 110),
    ],
)
def test_a_price_is_whole_mill_rounded_up(mill, unit, size, price):
    assert rates.price_mill(_rate(mill, unit), size) == price


# Many round ones: it is there that a float falls on the wrong side of a whole mill.
mills = st.integers(0, MILL_MAX) | st.integers(0, 10_000).map(lambda hundreds: hundreds * 100)
sides = st.integers(64, 16384) | st.integers(1, 160).map(lambda hundreds: hundreds * 100)


@settings(database=None, deadline=None, max_examples=300)
@given(mills, sides, sides)
def test_a_price_by_the_megapixel_is_exact_to_the_mill(mill, width, height):
    exact, rest = divmod(mill * width * height, 1_000_000)
    assert rates.price_mill(_rate(mill, "megapixel"), Size(width, height)) == exact + (rest > 0)


def _publish(ground, *asked):
    async def story(database):
        async with database.transaction() as tx:
            return await rates.publish(tx, asked)

    return ground.run(story)


def test_a_price_that_stays_keeps_its_version(ground):
    asked = [Asked("A", "text-to-image", "image", 5), Asked("A", "image-to-image", "image", 6)]
    first = _publish(ground, *asked)
    assert _publish(ground, *asked) == first
    assert first["A", "image-to-image"].mill == 6


def test_a_price_that_changes_is_a_new_version_and_the_old_one_stays(ground):
    old = _publish(ground, Asked("A", "text-to-image", "image", 5))["A", "text-to-image"]
    new = _publish(ground, Asked("A", "text-to-image", "megapixel", 5))["A", "text-to-image"]
    assert new.id > old.id
    with psycopg.connect(ground.conninfo) as connection:
        kept = connection.execute("SELECT id, unit, mill FROM rates ORDER BY id").fetchall()
    assert kept == [(old.id, "image", 5), (new.id, "megapixel", 5)]


def test_a_price_that_comes_back_is_a_version_of_its_own(ground):
    versions = [
        _publish(ground, Asked("A", "text-to-image", "image", mill))["A", "text-to-image"]
        for mill in (5, 6, 5)
    ]
    assert len({one.id for one in versions}) == 3
    assert versions[-1].mill == 5


def test_a_model_that_is_no_longer_asked_for_keeps_its_rate(ground):
    _publish(ground, Asked("A", "text-to-image", "image", 5))
    assert _publish(ground, Asked("B", "text-to-image", "image", 7)).keys() == {
        ("A", "text-to-image"),
        ("B", "text-to-image"),
    }


@pytest.mark.parametrize("change", ["UPDATE rates SET mill = 1", "DELETE FROM rates"])
def test_a_version_never_changes(ground, change):
    _publish(ground, Asked("A", "text-to-image", "image", 5))
    with (
        psycopg.connect(ground.conninfo) as connection,
        pytest.raises(psycopg.errors.IntegrityError, match="append-only"),
    ):
        connection.execute(change)
