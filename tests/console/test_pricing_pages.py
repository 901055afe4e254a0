"""Pricing, buying, receipts and the statement, page by page."""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal

import psycopg
import pytest

from darkroom.console.pricing import dollars
from darkroom.console.statement import harmless
from darkroom.domain import ledger


def _buy(visitor, package="starter"):
    """The id of a payment that was begun at the test checkout."""
    answer = visitor.post_form("/api/pricing/buy", package=package)
    assert answer.status_code == 303, answer.text
    return re.fullmatch(r"/api/pricing/test/(pay_\w+)", answer.headers["location"])[1]


def _pay(visitor, package="starter"):
    payment_id = _buy(visitor, package)
    answer = visitor.post_form(f"/api/pricing/test/{payment_id}")
    assert answer.headers["location"] == f"/api/pricing/paid/{payment_id}"
    return payment_id


def _balance(visitor):
    return visitor.get("/v1/generation/balance").json()["data"]


def test_pricing_shows_balance_packages_and_rates(visitor):
    page = visitor.get("/api/pricing").text
    assert "Test checkout: no money moves" in page
    assert "$50.00" in page
    assert "$6,000.00" in page
    assert "Flux Pro" in page
    assert "1,000" in page


@pytest.mark.parametrize("is_htmx", [False, True])
def test_rates_are_searched_with_and_without_scripts(visitor, is_htmx):
    headers = {"HX-Request": "true"} if is_htmx else {}
    page = visitor.get("/api/pricing?q=FLUX_pro text", headers=headers).text
    assert page.count("<tr>") == 2
    assert ("<html" in page) is not is_htmx
    none = visitor.get("/api/pricing?q=<b>nothing", headers=headers).text
    assert "No model fits “&lt;b&gt;nothing”" in none


def test_the_test_checkout_says_that_no_money_moves_and_pays_once(visitor):
    payment_id = _buy(visitor)
    assert "No money moves." in visitor.get(f"/api/pricing/test/{payment_id}").text
    assert _balance(visitor) == 1000
    for _ in range(2):
        answer = visitor.post_form(f"/api/pricing/test/{payment_id}")
        page = visitor.get(answer.headers["location"]).text
        assert "5,000 credits were added" in page
        assert "6,000" in page
    assert _balance(visitor) == 6000


def test_a_purchase_that_was_left_costs_nothing_and_can_be_taken_up(visitor):
    payment_id = _buy(visitor)
    page = visitor.get(f"/api/pricing/left/{payment_id}").text
    assert "nothing was charged" in page
    assert f"/api/pricing/test/{payment_id}" in page
    assert _balance(visitor) == 1000


def test_a_package_that_is_not_sold_is_refused(visitor):
    answer = visitor.post_form("/api/pricing/buy", package="free")
    assert answer.status_code == 400
    assert "not sold" in answer.text


def test_payments_are_listed_with_their_receipts(visitor):
    payment_id = _pay(visitor, "basic")
    page = visitor.get("/api/pricing/payments").text
    assert payment_id in page
    receipt = visitor.get(f"/api/pricing/payments/{payment_id}").text
    number = re.search(r"TEST-\d{6}", receipt)[0]
    assert number in page
    for said in ("$100.00", "10,200", "No money moved", "Test checkout", payment_id):
        assert said in receipt


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/pricing/payments/{}"),
        ("GET", "/api/pricing/paid/{}"),
        ("GET", "/api/pricing/left/{}"),
        ("GET", "/api/pricing/pay/{}"),
        ("GET", "/api/pricing/test/{}"),
        ("POST", "/api/pricing/test/{}"),
    ],
)
def test_another_account_s_payment_is_not_found(visitors, method, path):
    theirs = path.format(_buy(visitors()))
    stranger = visitors()
    answer = stranger.get(theirs) if method == "GET" else stranger.post_form(theirs)
    assert answer.status_code == 404
    for odd in ("nothing", "%00", "%FF"):
        answer = stranger.get("/api/pricing/payments/" + odd, headers={"Accept": "text/html"})
        assert answer.status_code == 404


def test_payments_and_the_statement_are_paged(visitor, server):
    count = 120
    with psycopg.connect(server.ground.conninfo) as connection:
        connection.execute(
            "INSERT INTO payments (id, account_id, package, cents, currency, mill, checkout,"
            " is_test, status) SELECT 'pay_' || %s || n, %s, 'P' || n, 100, 'usd', 1, 'test',"
            " true, 'expired' FROM generate_series(1, %s) n",
            [visitor.account_id, visitor.account_id, count],
        )

    async def granted(database):
        for n in range(count):
            async with database.transaction() as tx:
                await ledger.grant(tx, visitor.account_id, 1, f"gift {n}.")

    server.ground.run(granted)
    for path, pattern in (
        ("/api/pricing/payments", r"<td>P\d+</td>"),
        ("/api/pricing/statement?type=grant", r"gift \d+\."),
    ):
        seen = []
        while path:
            page = visitor.get(path).text
            seen += re.findall(pattern, page)
            older = re.search(r'href="([^"]+)" rel="next"', page)
            path = older and older[1].replace("&amp;", "&")
        assert len(seen) == count
        assert len(set(seen)) == count


@pytest.mark.parametrize(
    "asked", ["type=x", "since=yesterday", "until=2026-13-01", "before=1", "before=2026-01-01.x"]
)
def test_a_statement_of_odd_filters_is_refused(visitor, asked):
    assert visitor.get(f"/api/pricing/statement?{asked}").status_code == 400


def _exported(visitor, asked=""):
    answer = visitor.get(f"/api/pricing/statement.csv{asked}")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment")
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_the_statement_is_exported_whole_and_harmless(visitor, server):
    mine = visitor.account_id

    async def granted(database):
        async with database.transaction() as tx:
            await ledger.grant(tx, mine, 1_500, "=cmd|' /C calc'!A0")
            every = [ledger.Hold(f"t{n}{mine}", mine, 1) for n in range(2_100)]
            await ledger.hold(tx, every)
        async with database.transaction() as tx:
            await ledger.settle(tx, f"t0{mine}", 1)

    server.ground.run(granted)
    _pay(visitor)
    rows = _exported(visitor)
    assert len(rows) == 2_104
    assert len({row["entry"] for row in rows}) == len(rows)
    assert rows[0]["type"] == "purchase"
    assert rows[0]["note"] == "Test payment: Starter"
    assert rows[1] | {"entry": "", "time": ""} == {
        "entry": "", "time": "", "type": "settle", "available": "0", "held": "-0.001",
        "charged": "0.001", "task_id": f"t0{mine}", "payment_id": "", "note": "",
    }  # fmt: skip
    assert sum(float(row["available"]) for row in rows) == pytest.approx(_balance(visitor))
    [gift] = [row for row in _exported(visitor, "?type=grant") if row["available"] == "1.5"]
    assert gift["note"] == "'=cmd|' /C calc'!A0"
    assert _exported(visitor, "?until=2020-01-01") == []
    assert len(_exported(visitor, "?since=2020-01-01&type=settle")) == 1


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\tx", "\rx", "\nx"])
def test_no_cell_is_a_formula(text):
    assert harmless(text) == f"'{text}"
    assert harmless(f"a{text}") == f"a{text}"


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0.04", "$0.04"),
        ("0.005", "$0.005"),
        ("0.0083333", "$0.00833"),
        ("0", "$0.00"),
        ("12", "$12.00"),
        ("1234.5", "$1,234.50"),
    ],
)
def test_small_amounts_keep_their_decimals(amount, text):
    assert dollars(Decimal(amount)) == text
