"""Pricing: the balance, the packages for sale, and what every model costs."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from starlette.responses import Response

from darkroom.api.call import Edge
from darkroom.console.visit import Page, Visit
from darkroom.domain import accounts, packages, payments
from darkroom.domain.packages import Package
from darkroom.domain.rates import Rate

_WANTED_CHARS_MAX = 100
# A credit is worth fractions of a cent.
_PLACES = Decimal("0.00001")


class Rated(msgspec.Struct, frozen=True):
    """A line of the consumption table."""

    key: str
    name: str
    kind: str
    unit: str
    mill: int
    input_mill: int
    dollars: str


class Offered(msgspec.Struct, frozen=True):
    """A package with what its credits cost."""

    package: Package
    credit_dollars: str
    saves_percent: int


async def show(visit: Visit) -> Response:
    """What there is, what can be had, and what it buys; for htmx only the table."""
    wanted = visit.request.query_params.get("q", "").strip()[:_WANTED_CHARS_MAX]
    found = rated(visit.edge, wanted)
    if visit.is_htmx:
        return visit.fragment("pricing/rates.html", rates=found, wanted=wanted)
    async with visit.edge.database.statement() as tx:
        account = await accounts.get(tx, visit.account_id)
        owed = await payments.owed(tx, visit.account_id)
    return visit.page(
        "pricing.html",
        account=account,
        owed_mill=owed,
        offers=offered(visit.edge),
        credit_dollars=dollars(packages.worth(visit.edge.packages, 1000)),
        sells=sells(visit.edge),
        rates=found,
        wanted=wanted,
    )


def sells(edge: Edge) -> str:
    """How packages are sold here: live, stripe-test, test, or not at all (empty)."""
    if edge.stripe is not None:
        return "stripe-test" if edge.stripe.is_test else "live"
    return "test" if edge.config.test_checkout else ""


def offered(edge: Edge) -> list[Offered]:
    """The packages, each with how much less its credits cost than those of the cheapest."""
    first = edge.packages[0]
    return [
        Offered(
            one,
            dollars(Decimal(one.cents) * 10 / one.mill),
            round(100 - Decimal(one.cents * first.mill * 100) / (one.mill * first.cents)),
        )
        for one in edge.packages
    ]


def rated(edge: Edge, wanted: str) -> list[Rated]:
    """The rates in force of every model and kind that has all the words wanted."""
    words = wanted.lower().split()
    return [
        Rated(key, model.name, kind, rate.unit, rate.mill, rate.input_mill, _dollars(edge, rate))
        for key, model in edge.catalogue.models.items()
        for kind in model.kinds
        if (rate := edge.catalogue.rates.get((key, kind))) is not None
        and all(word in f"{key} {model.name} {kind}".lower() for word in words)
    ]


def _dollars(edge: Edge, rate: Rate) -> str:
    answered = dollars(_worth(edge, rate.mill))
    if not rate.input_mill:
        return answered
    return f"{dollars(_worth(edge, rate.input_mill))} in, {answered} out"


def _worth(edge: Edge, mill: int) -> Decimal:
    return packages.worth(edge.packages, mill)


def dollars(amount: Decimal) -> str:
    """A small amount of dollars, with as many decimals as it has, two at the least: $0.005."""
    text = f"{amount.quantize(_PLACES):,f}".rstrip("0")
    whole, _, rest = text.partition(".")
    return f"${whole}.{rest:0<2}"


PAGES = (Page("GET", "/api/pricing", show),)
