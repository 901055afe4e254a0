"""The webhooks page: endpoints, deliveries with their attempts, the secret; nobody else's."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from console_visitors import Visitor
from playwright.sync_api import Page, expect

from darkroom import config, ids
from ground import Server, wait_until

# Nobody has a name below .example, so every attempt fails at once.
URL = "https://receiver.example/hook"


def _rows(server: Server, query: str, *values: object) -> list[tuple]:
    with psycopg.connect(server.ground.conninfo) as connection:
        return connection.execute(query, values).fetchall()


def _endpoint(visitor: Visitor, url: str = URL, events: Sequence[str] = ("ended",)) -> str:
    """The id of a new endpoint."""
    answer = visitor.post_form("/webhooks", url=url, events=list(events))
    assert (answer.status_code, answer.headers["location"]) == (303, "/webhooks"), answer.text
    return re.findall(r"/webhooks/endpoints/(whe_\w+)/test", visitor.get("/webhooks").text)[-1]


def _write(server: Server, visitor: Visitor, count: int, status: str = "FAILED", **more: str):
    """So many deliveries that have ended, or are due in a day; their ids, the oldest first."""
    made = [f"{ids.new('msg')}" for _ in range(count)]
    with psycopg.connect(server.ground.conninfo) as connection:
        for one in made:
            row = {"url": URL, "type": "webhook.test", "at": datetime.now(UTC)} | more
            connection.execute(
                "INSERT INTO webhook_deliveries (id, account_id, endpoint_id, url, type, data,"
                " status, ended_at, next_at, created_at, expires_at) VALUES (%(id)s,"
                " %(account)s, %(endpoint)s, %(url)s, %(type)s, '{}', %(status)s,"
                " CASE WHEN %(status)s <> 'PENDING' THEN now() END, now() + interval '1 day',"
                " %(at)s, now() + interval '2 days')",
                {"endpoint": None, "id": one, "account": visitor.account_id, "status": status}
                | row,
            )
    return sorted(made)


def _shown(visitor: Visitor, **filters: str) -> list[str]:
    """The ids of the deliveries on the page, in order."""
    answer = visitor.get("/webhooks", params=filters)
    assert answer.status_code == 200, answer.text
    return re.findall(r'<a href="/webhooks/deliveries/(msg_\w+)">', answer.text)


def test_an_endpoint_is_added_and_removed(server: Server, visitor: Visitor) -> None:
    endpoint_id = _endpoint(visitor, events=("started", "ended"))
    page = visitor.get("/webhooks").text
    assert URL in page
    assert "ended, started" in page
    assert visitor.post_form(f"/webhooks/endpoints/{endpoint_id}/remove").status_code == 303
    assert "No endpoint" in visitor.get("/webhooks").text


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"url": "https://10.0.0.1/", "events": "ended"}, "url", "not public"),
        ({"url": "", "events": "ended"}, "url", "https://"),
        ({"url": URL}, "events", "at least one"),
        ({"url": URL, "events": "done"}, "events", "at least one"),
    ],
)
def test_an_endpoint_that_cannot_be_says_so_beside_its_field(
    visitor: Visitor, fields: dict[str, str], field: str, said: str
) -> None:
    answer = visitor.post_form("/webhooks", **fields)
    assert answer.status_code in (400, 422)
    told = re.search(rf'<p class="error" id="{field}-told">([^<]+)</p>', answer.text)
    assert told
    assert said in html.unescape(told[1])
    assert f'value="{fields["url"]}"' in answer.text
    assert "No endpoint" in visitor.get("/webhooks").text


def test_a_disabled_endpoint_says_why_and_is_enabled_again(
    server: Server, visitor: Visitor
) -> None:
    endpoint_id = _endpoint(visitor)
    _rows(
        server,
        "UPDATE webhook_endpoints SET disabled_at = '2026-01-02T03:04:05Z',"
        " disabled_reason = 'It answered 410.' WHERE id = %s RETURNING id",
        endpoint_id,
    )
    page = visitor.get("/webhooks").text
    assert "disabled" in page
    assert "2026-01-02 03:04:05 UTC</time>: It answered 410." in page
    assert visitor.post_form(f"/webhooks/endpoints/{endpoint_id}/enable").status_code == 303
    assert "It answered 410." not in visitor.get("/webhooks").text


def test_a_test_event_opens_to_what_was_sent_and_what_came_back(visitor: Visitor) -> None:
    endpoint_id = _endpoint(visitor)
    answer = visitor.post_form(f"/webhooks/endpoints/{endpoint_id}/test")
    path = answer.headers["location"]
    assert path.startswith("/webhooks/deliveries/msg_")
    page = wait_until(
        lambda: "Attempt 1" in (text := visitor.get(path).text) and text, what="an attempt"
    )
    told = html.unescape(page)
    assert path.rsplit("/", 1)[1] in told
    assert "webhook-signature" in told
    assert f'"endpoint_id": "{endpoint_id}"' in told
    assert "no answer" in told


def test_deliveries_are_filtered_and_paged(server: Server, visitor: Visitor) -> None:
    endpoint_id = _endpoint(visitor)
    failed = _write(server, visitor, 2)
    there = _write(server, visitor, 1, "DELIVERED", endpoint=endpoint_id)
    old = _write(server, visitor, 1, "DELIVERED", at=datetime.now(UTC) - timedelta(days=9))
    waits = _write(server, visitor, 50, "PENDING", type="endpoint.disabled")
    assert _shown(visitor, status="FAILED") == failed[::-1]
    assert _shown(visitor, status="failed") == failed[::-1]
    assert _shown(visitor, endpoint_id=endpoint_id) == there
    assert _shown(visitor, type="webhook.test", status="DELIVERED") == [*old, *there]
    day = f"{datetime.now(UTC) - timedelta(days=5):%Y-%m-%dT%H:%M}"
    assert _shown(visitor, until=day) == old
    assert _shown(visitor, since=day, status="DELIVERED") == there
    assert _shown(visitor, task_id="task_none") == []
    assert _shown(visitor) == waits[::-1]
    [older] = re.findall(r'href="([^"]+)" rel="next"', visitor.get("/webhooks").text)
    text = visitor.get(html.unescape(older)).text
    assert re.findall(r"/deliveries/(msg_\w+)\">", text) == [*old, *there, *failed[::-1]]
    assert 'rel="prev"' in text


def test_an_instant_that_is_none_says_so(visitor: Visitor) -> None:
    answer = visitor.get("/webhooks", params={"since": "yesterday"})
    assert answer.status_code == 400
    assert '<p class="error" id="since-told">' in answer.text


def test_failed_ones_are_sent_again_alone_or_together(server: Server, visitor: Visitor) -> None:
    failed = _write(server, visitor, 3)
    there = _write(server, visitor, 1, "DELIVERED")
    other = _write(server, visitor, 1, type="endpoint.disabled")
    path = f"/webhooks/deliveries/{failed[0]}"
    assert visitor.post_form(f"{path}/resend").headers["location"] == path
    assert _shown(visitor, status="FAILED") == [*other, *failed[:0:-1]]
    visitor.post_form("/webhooks/deliveries/resend", type="webhook.test", status="DELIVERED")
    assert _shown(visitor, status="FAILED") == other
    assert _shown(visitor, status="DELIVERED") == there


def test_the_secret_is_shown_on_demand_and_rotated(visitor: Visitor) -> None:
    assert "whsec_" not in visitor.get("/webhooks").text
    page = visitor.get("/webhooks/secret")
    assert page.headers["cache-control"] == "no-store"
    [old] = re.findall(r"whsec_[\w+/=]+", page.text)
    assert re.search(r"whpk_[\w+/=]+", page.text)
    for hours in ("", "x", "-1", str(config.SECRET_OVERLAP_HOURS_MAX + 1)):
        answer = visitor.post_form("/webhooks/secret", overlap_hours=hours)
        assert answer.status_code == 400
        assert 'id="overlap_hours-told"' in answer.text
    assert visitor.post_form("/webhooks/secret", overlap_hours="2").status_code == 303
    new, kept = re.findall(r"whsec_[\w+/=]+", visitor.get("/webhooks/secret").text)
    assert kept == old != new


def test_what_is_another_account_s_is_not_there(server: Server, visitors) -> None:
    owner, other = visitors(), visitors()
    endpoint_id, [delivery_id] = _endpoint(owner), _write(server, owner, 1)
    for verb in ("remove", "enable", "test"):
        assert other.post_form(f"/webhooks/endpoints/{endpoint_id}/{verb}").status_code == 404
    assert other.get(f"/webhooks/deliveries/{delivery_id}").status_code == 404
    assert other.post_form(f"/webhooks/deliveries/{delivery_id}/resend").status_code == 404
    other.post_form("/webhooks/deliveries/resend")
    assert _shown(other) == []
    assert _shown(owner, status="FAILED") == [delivery_id]
    assert URL not in other.get("/webhooks").text


def test_an_address_is_written_out_as_text(server: Server, visitor: Visitor) -> None:
    _write(server, visitor, 1, url='https://x.example/"><img src=x>')
    assert "<img" not in visitor.get("/webhooks").text
    assert "<img" not in visitor.get("/webhooks", params={"task_id": '"><img src=x>'}).text


def test_a_webhook_s_story_in_a_browser(signed_in_page: Page) -> None:
    page = signed_in_page
    page.goto("/webhooks")
    page.get_by_label("Address").fill(URL)
    page.get_by_label("started").check()
    page.get_by_role("button", name="Add endpoint").click()
    expect(page.get_by_role("cell", name="ended, started")).to_be_visible()
    page.get_by_role("button", name="Send test event").click()
    expect(page.get_by_text("Attempt 1")).to_be_visible()
    page.get_by_role("link", name="Webhooks").first.click()
    page.on("dialog", lambda asked: asked.accept())
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("The endpoint was removed.")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
