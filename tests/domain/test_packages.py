"""Packages: the shipped ones, an operator's own, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from importlib import resources

import pytest

from darkroom import errors
from darkroom.domain import packages


def _shipped():
    text = resources.files("darkroom.domain").joinpath("packages.toml").read_text("utf-8")
    return packages.parse(text, "shipped")


def _one(line: str):
    return packages.parse(f'[a]\nname = "A"\n{line}', "mine")


def test_shipped_packages_go_from_50_to_6000_dollars():
    shipped = _shipped()
    assert [shipped[0].cents, shipped[-1].cents] == [5_000, 600_000]
    assert [one.cents for one in shipped] == sorted(one.cents for one in shipped)


def test_a_larger_shipped_package_is_never_the_worse_bargain():
    shipped = _shipped()
    rates = [Decimal(one.mill) / one.cents for one in shipped]
    assert rates == sorted(rates)


def test_credits_and_prices_are_exact():
    [one] = _one("usd = 0.57\ncredits = 0.001\nbonus = 1.5")
    assert (one.cents, one.mill, one.bonus_mill) == (57, 1_501, 1_500)


@pytest.mark.parametrize(
    "line",
    [
        "usd = 0.49\ncredits = 1",
        "usd = 1.005\ncredits = 1",
        "usd = 1000000.00\ncredits = 1",
        "usd = 1\ncredits = 0",
        "usd = 1\ncredits = -1\nbonus = 5",
        "usd = 1\ncredits = 2\nbonus = -1",
        "usd = 1\ncredits = 1.0001",
        "usd = 1\ncredits = 1\neuro = 1",
        "credits = 1",
    ],
)
def test_a_package_that_cannot_be_sold_is_refused(line):
    with pytest.raises(errors.ConfigInvalid, match="mine"):
        _one(line)


def test_an_empty_list_of_packages_is_refused():
    with pytest.raises(errors.ConfigInvalid, match="no package"):
        packages.parse("", "mine")


def test_a_credit_is_worth_what_the_cheapest_package_says():
    assert packages.worth(_shipped(), 4_000) == Decimal("0.04")


def test_a_package_that_is_not_sold_is_refused():
    with pytest.raises(errors.BadParameter, match="not sold"):
        packages.get(_shipped(), "nothing")
