"""Call history in the console: found, opened, exported, followed; never another account's."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from console_visitors import Visitor
from playwright.sync_api import Page, expect

from ground import Server, wait_until

SUBMIT = "/v1/generation/text-to-image"
TINY = {"model": "PAINTER", "prompt": "a lake", "resolution": "64x64"}


def _call(server: Server, account_id: str, path: str = SUBMIT, **body: object) -> str:
    """The request id of a call that is in the history by now."""
    with server.client(server.ground.key(account_id)) as caller:
        answer = caller.post(path, json=body) if body else caller.get(path)
        request_id = answer.headers["X-Request-Id"]
        wait_until(
            lambda: caller.get("/v1/history", params={"request_id": request_id}).json()["data"][
                "records"
            ],
            seconds_max=10,
            what="the call record",
        )
    return str(request_id)


def _fill(server: Server, account_id: str, count: int, **more: object) -> None:
    given = {"at": datetime(2026, 1, 1, tzinfo=UTC), "path": "/v1/models", "error": None, **more}
    with psycopg.connect(server.ground.conninfo) as connection:
        connection.execute(
            """INSERT INTO call_records (request_id, account_id, at, method, path, status, code,
                                         duration_ms, error)
               SELECT 'req_' || %(account)s || '_' || lpad(n::text, 5, '0'), %(account)s,
                      %(at)s::timestamptz + make_interval(secs => n), 'GET', %(path)s, 200, 0, 5,
                      %(error)s
                 FROM generate_series(1, %(count)s) AS n""",
            {"account": account_id, "count": count, **given},
        )


def _shown(page: str) -> list[str]:
    return re.findall(r'data-copy="(req_\w+)"', page)


def test_a_request_is_found_by_its_id_its_task_and_its_batch(
    visitor: Visitor, server: Server
) -> None:
    request_id = _call(server, visitor.account_id, **TINY)
    page = visitor.get(f"/api/history/{request_id}").text
    task_id = re.search(r"task_\w+", page)
    batch_id = re.search(r"Tasks of batch (\d+)", page)
    assert task_id
    assert batch_id
    for searched in (request_id, f"  {request_id} ", task_id[0], batch_id[1]):
        answer = visitor.get("/api/history", params={"q": searched})
        assert answer.headers["location"] == f"/api/history/{request_id}"
    assert "a lake" in page
    assert "PAINTER" in page


def test_a_refusal_says_what_it_said_then(visitor: Visitor, server: Server) -> None:
    request_id = _call(server, visitor.account_id, **TINY, seed="<b>x</b>")
    page = visitor.get(f"/api/history/{request_id}").text
    assert "seed" in page
    assert "1002" in page
    assert "<b>x</b>" not in page
    assert "seed" in visitor.get("/api/history").text


def test_another_accounts_requests_are_not_there(
    visitors: Callable[..., Visitor], server: Server
) -> None:
    mine, other = visitors(), visitors()
    request_id = _call(server, mine.account_id, **TINY)
    assert other.get(f"/api/history/{request_id}").status_code == 404
    task_id = re.search(r"task_\w+", mine.get(f"/api/history/{request_id}").text)
    assert task_id
    for searched in (request_id, task_id[0]):
        page = other.get("/api/history", params={"q": searched})
        assert (page.status_code, "Nothing of this account" in page.text) == (200, True)
    for path in ("/api/history", "/api/history/newer", "/api/history.csv"):
        assert request_id not in other.get(path).text


def test_pages_lead_through_the_whole_history_and_back(visitor: Visitor, server: Server) -> None:
    _fill(server, visitor.account_id, 120)
    paths, found = ["/api/history"], []
    while len(found) < 120:
        page = visitor.get(paths[-1]).text
        found += _shown(page)
        older = re.search(r'href="([^"]+)" rel="next"', page)
        if older is None:
            break
        paths.append(older[1].replace("&amp;", "&"))
    assert found == [f"req_{visitor.account_id}_{n:05}" for n in range(120, 0, -1)]
    newer = re.search(r'href="([^"]+)" rel="prev"', page)
    assert newer
    assert _shown(visitor.get(newer[1].replace("&amp;", "&")).text) == found[50:100]


@pytest.mark.parametrize(
    "asked",
    [
        {"method": "POST"},
        {"path": "/v1/generation/text"},
        {"status": "4xx"},
        {"status": "failed", "code": "1002"},
        {"since": "2026-06-01T00:00"},
    ],
)
def test_filters_show_what_fits(visitor: Visitor, server: Server, asked: dict[str, str]) -> None:
    _fill(server, visitor.account_id, 3)
    request_id = _call(server, visitor.account_id, SUBMIT, model="PAINTER")
    everything = dict.fromkeys(("method", "path", "status", "code", "since", "until"), "")
    page = visitor.get("/api/history", params=everything | asked).text
    assert request_id in _shown(page)
    assert not any(visitor.account_id in one for one in _shown(page))


@pytest.mark.parametrize(
    ("name", "value"),
    [("status", "x"), ("code", "y"), ("since", "yesterday"), ("before", "~"), ("after", "x")],
)
def test_a_filter_that_is_none_is_said_on_the_page(visitor: Visitor, name: str, value: str) -> None:
    answer = visitor.get("/api/history", params={name: value})
    assert answer.status_code == 200
    assert 'role="alert"' in answer.text


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "' OR 1=1 --", "req_%", "日本"])
def test_what_is_searched_for_is_shown_as_text(visitor: Visitor, text: str) -> None:
    page = visitor.get("/api/history", params={"q": text, "path": text}).text
    assert "<script>alert" not in page
    assert "Nothing of this account" in page


def test_an_export_has_every_record_and_no_formula(visitor: Visitor, server: Server) -> None:
    _fill(server, visitor.account_id, 450, error="=1+1", path="@x")
    answer = visitor.get("/api/history.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="call-history.csv"'
    rows = [*csv.DictReader(io.StringIO(answer.text))]
    assert [row["request_id"][-5:] for row in rows] == [f"{n:05}" for n in range(450, 0, -1)]
    assert {(row["error"], row["path"]) for row in rows} == {("'=1+1", "'@x")}
    until = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=11)).strftime("%Y-%m-%dT%H:%M:%S")
    few = visitor.get("/api/history.csv", params={"until": until}).text
    assert len(few.splitlines()) == 11


def test_a_follower_gets_what_is_new_once(visitor: Visitor, server: Server) -> None:
    _fill(server, visitor.account_id, 2)
    page = visitor.get("/api/history?live=1").text
    tail = re.search(r'hx-get="([^"]+)"', page)
    assert tail
    first = visitor.get(tail[1].replace("&amp;", "&")).text
    assert _shown(first) == []
    request_id = _call(server, visitor.account_id, "/v1/generation/balance")
    second = visitor.get(tail[1].replace("&amp;", "&")).text
    assert _shown(second)[-1] == request_id
    after = re.search(r'hx-get="([^"]+)"', second)
    assert after
    assert request_id not in _shown(visitor.get(after[1].replace("&amp;", "&")).text)


def test_a_person_follows_the_history_and_opens_a_request(
    signed_in_page: Page, server: Server
) -> None:
    signed_in_page.goto("/settings")
    email = signed_in_page.locator(".page-head p").inner_text()
    with psycopg.connect(server.ground.conninfo) as connection:
        [[account_id]] = connection.execute(
            "SELECT id FROM accounts WHERE email = %s", [email]
        ).fetchall()
    signed_in_page.goto("/api/history")
    expect(signed_in_page.get_by_text("No requests yet")).to_be_visible()
    signed_in_page.goto("/api/history?live=1")
    request_id = _call(server, account_id, **TINY)
    row = signed_in_page.locator("tr", has=signed_in_page.get_by_title(request_id))
    expect(row).to_be_visible(timeout=15_000)
    signed_in_page.get_by_role("button", name="Pause").click()
    row.get_by_role("link").first.click()
    expect(signed_in_page).to_have_url(re.compile(f"/api/history/{request_id}$"))
    expect(signed_in_page.get_by_text("a lake")).to_be_visible()
    signed_in_page.goto("/usage?range=24h")
    expect(signed_in_page.get_by_role("heading", name="Requests", exact=True)).to_be_visible()
