"""Buying in a real browser: at the test checkout, and at Stripe and back."""

from __future__ import annotations

import re

import httpx
import pytest
from console_visitors import Visitor, token_for
from playwright.sync_api import Browser, Page, expect

from ground import Server
from stripes import Stripe

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def test_a_package_is_bought_at_the_test_checkout_and_its_receipt_shown(
    signed_in_page: Page,
) -> None:
    page = signed_in_page
    page.goto("/api/pricing")
    page.get_by_label("Search models and kinds").fill("flux_pro")
    expect(page.locator("#rates tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Buy Basic for $100.00").click()
    expect(page.get_by_text("No money moves.")).to_be_visible()
    page.get_by_role("button", name="in test money").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    expect(page.get_by_label("Credit balance")).to_contain_text("11,200")
    page.get_by_role("link", name="Receipt").click()
    expect(page.get_by_role("heading", name="Receipt TEST-")).to_be_visible()
    page.goto("/api/pricing/statement")
    expect(page.get_by_role("link", name="Test payment: Basic")).to_be_visible()


@pytest.fixture
def buyer(browser: Browser, shop: Server):
    """A page of a browser that is signed in at the shop."""
    token = token_for(shop, shop.ground.account(0).id)
    context = browser.new_context(base_url=shop.url)
    context.set_default_timeout(15_000)
    context.add_cookies([{"name": "darkroom", "value": token, "url": shop.url}])
    yield context.new_page()
    context.close()


def test_a_package_is_bought_at_stripe_and_the_credits_are_there_on_return(buyer: Page) -> None:
    buyer.goto("/api/pricing")
    expect(buyer.get_by_text("Stripe's test mode")).to_be_visible()
    buyer.get_by_role("button", name="Buy Starter for $50.00").click()
    # By way of our page, Stripe's.
    buyer.wait_for_url("**/_config/buyer/cs_test_*")
    buyer.get_by_role("button", name="Pay").click()
    expect(buyer.get_by_role("heading", name="Thank you")).to_be_visible()
    expect(buyer.get_by_label("Credit balance")).to_contain_text("5,000")
    buyer.get_by_role("link", name="Receipt").click()
    expect(buyer.get_by_text("Stripe", exact=True)).to_be_visible()


def test_a_buyer_who_leaves_stripe_s_page_can_go_on_with_it(buyer: Page) -> None:
    buyer.goto("/api/pricing")
    buyer.get_by_role("button", name="Buy Starter for $50.00").click()
    buyer.wait_for_url("**/_config/buyer/cs_test_*")
    buyer.get_by_role("link", name="Back").click()
    expect(buyer.get_by_role("heading", name="You paid nothing")).to_be_visible()
    buyer.get_by_role("link", name="Take it up again").click()
    buyer.get_by_role("button", name="Pay").click()
    expect(buyer.get_by_label("Credit balance")).to_contain_text("5,000")


@pytest.fixture
def customer(shop: Server):
    """An HTTP client that is signed in at the shop, as an account without credits."""
    with Visitor(base_url=shop.url, timeout=30) as one:
        one.account_id = shop.ground.account(0).id
        one.cookies.set("darkroom", token_for(shop, one.account_id))
        yield one


def _begin(customer: Visitor) -> tuple[str, str]:
    """A payment that is begun: its id, and Stripe's page."""
    answer = customer.post_form("/api/pricing/buy", package="starter")
    assert answer.status_code == 303, answer.text
    payment_id = answer.headers["location"].rpartition("/")[2]
    page = customer.get(answer.headers["location"]).text
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', page)
    assert found
    return payment_id, found[1]


def test_the_return_shows_what_is_true_when_it_is_not_paid(customer: Visitor) -> None:
    payment_id, _ = _begin(customer)
    page = customer.get(f"/api/pricing/paid/{payment_id}").text
    assert "being confirmed" in page
    assert "Thank you" not in page


def test_many_returns_at_once_give_the_credits_once(customer: Visitor, shop: Server) -> None:
    payment_id, url = _begin(customer)
    httpx.post(url, data={"means": "visa"})
    for _ in range(5):
        assert "5,000 credits were added" in customer.get(f"/api/pricing/paid/{payment_id}").text
    assert customer.get("/v1/generation/balance").json()["data"] == 5_000


def test_a_stripe_that_is_down_charges_nothing_and_says_so(
    customer: Visitor, stripe_server: Stripe
) -> None:
    stripe_server.do("weather/POST/3")
    answer = customer.post_form("/api/pricing/buy", package="starter")
    assert answer.status_code == 503
    assert "Nothing was charged" in answer.text


def test_the_test_checkout_is_closed_where_stripe_is_set(customer: Visitor) -> None:
    payment_id, _ = _begin(customer)
    assert customer.get(f"/api/pricing/test/{payment_id}").status_code == 404
    assert customer.post_form(f"/api/pricing/test/{payment_id}").status_code == 404
    assert customer.get("/v1/generation/balance").json()["data"] == 0
