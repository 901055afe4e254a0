"""The operator's desk: admins alone see it, every act is written down, every refusal is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest
from console_visitors import Visitor, token_for
from desk_stories import admin_id, deeds, status_of, story, submit, succeeded
from playwright.sync_api import Page, expect

from darkroom import ids
from darkroom.console.app import PAGES
from darkroom.domain import accounts, payments
from darkroom.domain.packages import Package
from darkroom.storage.database import Database
from ground import Server, wait_until

DESK = [page for page in PAGES if page.path.startswith("/admin")]


@pytest.mark.parametrize("page", DESK, ids=lambda page: f"{page.method} {page.path}")
def test_the_desk_is_nobody_s_but_an_admin_s(visitor: Visitor, page: Any) -> None:
    path = re.sub(r"{\w+}", "FLUX_PRO", page.path)
    answer = visitor.get(path) if page.method == "GET" else visitor.post_form(path)
    assert answer.status_code == 404
    assert page.who == "admin"


@pytest.mark.parametrize(
    "path", sorted({page.path for page in DESK if page.method == "GET" and "{" not in page.path})
)
def test_every_page_of_the_desk_is_shown(admin: Visitor, path: str) -> None:
    answer = admin.get(path)
    assert answer.status_code == 200
    assert "<h1>" in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/admin/accounts/acc_none",
        "/admin/tasks/task_none",
        "/admin/catalogue/NONE",
        "/admin/acts/none",
    ],
)
def test_what_is_not_there_is_not_found(admin: Visitor, path: str) -> None:
    assert admin.get(path, headers={"Accept": "text/html"}).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        *(f"/admin/accounts/acc_none/{verb}" for verb in ("grant", "limits", "suspend", "resume")),
        *("/admin/accounts/acc_none/admin", "/admin/accounts/acc_none/keys/key_none/revoke"),
        *("/admin/tasks/task_none/cancel", "/admin/tasks/task_none/retry"),
        "/admin/upstreams/upc_none",
        *(f"/admin/catalogue/NONE/{verb}" for verb in ("hide", "offer", "withdraw")),
    ],
)
def test_nothing_is_done_to_what_is_not_there(admin: Visitor, path: str) -> None:
    fields = {"credits": "1", "reason": "x", "running_max": "1", "waiting_max": "1", "weight": "1"}
    assert admin.post_form(path, **fields).status_code == 404


def test_an_account_is_made_granted_and_limited(admin: Visitor, server: Server) -> None:
    email = f"{ids.new('x')}@example.com"
    made = admin.post_form("/admin/accounts", email=email, credits="12.5")
    assert made.status_code == 303, made.text
    here = made.headers["location"]
    assert "12.5" in admin.get(here).text
    assert admin.post_form(f"{here}/grant", credits="0.001", note="a mill").status_code == 303
    assert "12.501" in admin.get(here).text
    limits = {"running_max": "3", "waiting_max": "0", "weight": "2.5", "requests_per_minute": "60"}
    assert admin.post_form(f"{here}/limits", **limits).status_code == 303
    verbs = [act.verb for act in deeds(server, account_id=here.rpartition("/")[2])]
    assert verbs == ["account.limit", "account.grant", "account.grant", "account.create"]
    found = admin.get("/admin/accounts", params={"q": email[:12]}).text
    assert email in found
    assert admin.post_form("/admin/accounts", email=email).status_code == 422


@pytest.mark.parametrize(
    ("path", "fields", "said"),
    [
        ("grant", {"credits": "1.0001"}, "at most three decimals"),
        ("grant", {"credits": "-1"}, "more than 0"),
        ("grant", {"credits": "x"}, "at most three decimals"),
        ("limits", {"running_max": "0", "waiting_max": "1", "weight": "1"}, "from 1 to"),
        ("limits", {"running_max": "1", "waiting_max": "1", "weight": "101"}, "0.01 to 100"),
        ("suspend", {"reason": " "}, "needs a reason"),
    ],
)
def test_a_slip_is_told_at_its_field(
    admin: Visitor, server: Server, path: str, fields: dict[str, str], said: str
) -> None:
    account = server.ground.account(0)
    answer = admin.post_form(f"/admin/accounts/{account.id}/{path}", **fields)
    assert answer.status_code == 422
    assert said in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert deeds(server, account_id=account.id) == []


def test_a_suspended_account_is_refused_until_it_is_resumed(
    admin: Visitor, visitors: Callable[..., Visitor], server: Server
) -> None:
    account = server.ground.account()
    key, owner = server.ground.key(account.id), visitors(account.id)
    here = f"/admin/accounts/{account.id}"
    task_id = submit(server, key)
    assert admin.post_form(f"{here}/suspend", reason="unpaid").status_code == 303

    def balance() -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.get(f"{server.url}/v1/generation/balance", headers=headers)

    refused = wait_until(lambda: (answer := balance()).status_code == 403 and answer)
    assert "suspended" in refused.json()["message"]
    page = owner.get("/settings", headers={"Accept": "text/html"})
    assert (page.status_code, "suspended" in page.text) == (403, True)
    succeeded(admin, task_id)
    assert admin.post_form(f"{here}/resume").status_code == 303
    wait_until(lambda: balance().status_code == 200)
    assert owner.get("/settings").status_code == 200


def test_a_key_is_revoked_by_an_admin_and_only_on_its_account_s_page(
    admin: Visitor, server: Server
) -> None:
    account, other = server.ground.account(), server.ground.account()
    key = server.ground.key(account.id)
    found = re.search(r"/keys/(key_\w+)/revoke", admin.get(f"/admin/accounts/{account.id}").text)
    assert found
    elsewhere = f"/admin/accounts/{other.id}/keys/{found[1]}/revoke"
    assert admin.post_form(elsewhere).status_code == 404
    assert admin.post_form(f"/admin/accounts/{account.id}/keys/{found[1]}/revoke").is_redirect
    assert key not in admin.get(f"/admin/accounts/{account.id}").text
    wait_until(
        lambda: (
            httpx.get(f"{server.url}/v1/generation/balance", headers={"x-api-key": key}).status_code
            == 401
        )
    )
    assert [act.subject for act in deeds(server, verb="key.revoke", account_id=account.id)] == [
        found[1]
    ]


def test_rights_of_an_admin_are_given_and_taken(admin: Visitor, server: Server) -> None:
    account = server.ground.account()
    here = f"/admin/accounts/{account.id}"
    assert admin.post_form(f"{here}/admin", is_admin="yes").status_code == 303
    assert admin.post_form(f"{here}/suspend", reason="x").status_code == 422
    assert admin.post_form(f"{here}/admin", is_admin="no").status_code == 303
    assert [act.after for act in deeds(server, account_id=account.id)] == [
        *({"is_admin": False}, {"is_admin": True})
    ]


def test_a_task_is_found_and_its_story_told(admin: Visitor, server: Server) -> None:
    account = server.ground.account()
    task_id = submit(server, server.ground.key(account.id), prompt="<b>bold</b>")
    succeeded(admin, task_id)
    page = story(admin, task_id)
    assert account.email in page
    wait_until(lambda: '<span class="badge">PAINTER</span>' in admin.get("/admin/workers").text)
    assert "&lt;b&gt;bold" in page
    assert "settle" in page
    assert admin.get("/admin/tasks", params={"q": task_id}).headers["location"].endswith(task_id)
    found = re.search(r"<code>(req_\w+)</code>", page)
    assert found

    def listed(**asked: str) -> bool:
        return task_id in admin.get("/admin/tasks", params=asked).text

    wait_until(lambda: listed(q=found[1]), what="the call record")
    assert listed(q=account.email)
    assert listed(q=account.email, status="SUCCESS", model="PAINTER")
    assert not listed(q=account.email, status="FAILED")
    assert not listed(q=account.email, until="2020-01-01T00:00")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"status": "DONE"}, "status is one of"),
        ({"code": "x"}, "not a whole number"),
        ({"since": "tomorrow"}, "is no instant"),
    ],
)
def test_a_search_that_makes_no_sense_is_told(
    admin: Visitor, asked: dict[str, str], said: str
) -> None:
    answer = admin.get("/admin/tasks", params=asked)
    assert answer.status_code == 422
    assert said in answer.text


def test_a_waiting_task_is_canceled_and_run_again(admin: Visitor, server: Server) -> None:
    account = server.ground.account(credits_given=1)
    limits = {"running_max": "1", "waiting_max": "10", "weight": "1", "requests_per_minute": "0"}
    assert admin.post_form(f"/admin/accounts/{account.id}/limits", **limits).is_redirect
    key = server.ground.key(account.id)
    # The first keeps the lane while the second waits in it.
    submit(server, key, resolution="512x512")
    task_id = submit(server, key)
    assert admin.post_form(f"/admin/tasks/{task_id}/retry").status_code == 400
    assert admin.post_form(f"/admin/tasks/{task_id}/cancel").status_code == 303
    assert status_of(admin, task_id) == "FAILED"
    assert admin.post_form(f"/admin/tasks/{task_id}/cancel").status_code == 400
    again = admin.post_form(f"/admin/tasks/{task_id}/retry")
    assert again.status_code == 303
    new_id = again.headers["location"].rpartition("/")[2]
    succeeded(admin, new_id)
    assert new_id in story(admin, task_id)
    # All credits are spent now.
    assert admin.post_form(f"/admin/tasks/{task_id}/retry").status_code == 402


def test_payments_are_shown_with_who_paid(admin: Visitor, visitor: Visitor, server: Server) -> None:
    async def bought(database: Database) -> str:
        async with database.transaction() as tx:
            package = Package("starter", "Starter", 5000, 5_000_000, 0)
            made = await payments.create(
                tx, visitor.account_id, package, checkout="test", is_test=True
            )
            await payments.pay_test(tx, visitor.account_id, made.id)
            return (await accounts.get(tx, visitor.account_id)).email

    email = server.ground.run(bought)

    def listed(**asked: str) -> bool:
        return email in re.sub(
            r'value="[^"]*"', "", admin.get("/admin/payments", params=asked).text
        )

    assert listed()
    assert listed(email=email, status="paid")
    assert not listed(email=email, status="open")
    assert not listed(email="nobody@example.com")


def test_a_call_in_doubt_is_shown_until_somebody_says_what_became_of_it(
    admin: Visitor, server: Server
) -> None:
    task_id = submit(server, server.ground.key(server.ground.account().id))
    succeeded(admin, task_id)
    call_id = ids.new("upc")
    with psycopg.connect(server.ground.conninfo, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO upstream_calls (id, task_id, attempt, model, backend, state, error)"
            " VALUES (%s, %s, 1, 'FLUX_PRO', 'openai', 'unknown', 'The answer was lost.')",
            (call_id, task_id),
        )

    def doubtful() -> str:
        return admin.get("/admin/upstreams", params={"state": "in doubt"}).text

    assert call_id in doubtful()
    assert "The answer was lost." in story(admin, task_id)
    assert admin.post_form(f"/admin/upstreams/{call_id}", is_billed="yes").status_code == 303
    assert call_id not in doubtful()
    assert call_id in admin.get("/admin/upstreams", params={"backend": "openai"}).text
    assert call_id not in admin.get("/admin/upstreams", params={"state": "refused"}).text
    [act] = deeds(server, subject=task_id)
    assert act.verb == "upstream.review"
    assert act.after == {"call": call_id, "is_billed": True}
    assert admin.post_form(f"/admin/upstreams/{call_id}", is_billed="no").status_code == 404


def test_an_audit_is_run_when_it_is_asked_for(admin: Visitor, server: Server) -> None:
    assert admin.post_form("/admin/audit").status_code == 303
    wait_until(lambda: "The books are right" in admin.get("/admin/audit").text)
    assert deeds(server, verb="audit.ask")


def test_settings_are_shown_with_their_source_and_no_secret(admin: Visitor) -> None:
    page = admin.get("/admin/settings").text
    assert "DARKROOM_PORT" in page
    assert "<code>--port</code>" in page
    assert "environment" in page


def test_an_admin_finds_a_failed_task_and_runs_it_again(browser_page: Page, server: Server) -> None:
    account = server.ground.account()
    # Nobody can fetch its input.
    task_id = submit(
        server,
        server.ground.key(account.id),
        kind="image-to-image",
        images=["https://nowhere.invalid/a.png"],
    )
    token = token_for(server, admin_id(server))
    browser_page.context.add_cookies([{"name": "darkroom", "value": token, "url": server.url}])
    browser_page.on("dialog", lambda dialog: dialog.accept())
    browser_page.goto("/admin")
    browser_page.get_by_role("navigation", name="Desk").get_by_role("link", name="Tasks").click()
    browser_page.get_by_label("Find").fill(account.email)
    browser_page.get_by_role("button", name="Search").click()
    browser_page.get_by_role("link", name=task_id).click()
    status = browser_page.locator(".facts .badge").first
    for _ in range(40):
        if status.text_content() == "FAILED":
            break
        browser_page.reload()
    expect(status).to_have_text("FAILED")
    browser_page.get_by_role("button", name="Run again").click()
    expect(browser_page.get_by_role("status").first).to_contain_text("Submitted again as batch")
    browser_page.get_by_role("link", name=account.email).click()
    browser_page.get_by_label("Credits").fill("7")
    browser_page.get_by_role("button", name="Grant").click()
    expect(browser_page.get_by_text("The credits are granted.")).to_be_visible()
    browser_page.get_by_role("navigation", name="Desk").get_by_role("link", name="Acts").click()
    expect(browser_page.get_by_role("row").filter(has_text="account.grant").first).to_be_visible()
