"""Usage in the console and over the API: the same figures, drawn and told."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from console_visitors import Visitor

from ground import Server, wait_until


def _called(server: Server, visitor: Visitor, key: str, count: int) -> None:
    with server.client(key) as caller:
        for _ in range(count):
            caller.get("/v1/generation/task_0/status")
        wait_until(
            lambda: (
                sum(one["refused"] for one in caller.get("/v1/usage").json()["data"]["moments"])
                == count
            ),
            seconds_max=30,
            what="the counts",
        )


def test_requests_are_drawn_and_told_within_seconds(visitor: Visitor, server: Server) -> None:
    _called(server, visitor, server.ground.key(visitor.account_id), 7)
    for span in ("24h", "7d", "30d", "90d"):
        page = visitor.get("/usage", params={"range": span}).text
        assert "<svg" in page
        assert re.search(r'<td class="right">7</td>', page)
        assert "Nothing in this time." in page  # no task has ended
    with server.client(server.ground.key(visitor.account_id)) as caller:
        told = caller.get("/v1/usage", params={"range": "24h"}).json()["data"]
        assert len(told["moments"]) == 24
        assert {"status": 404, "code": 1003, "requests": 7} in told["refusals"]
        [key] = [one for one in told["keys"] if one["refused"]]
        assert key["refused"] == 7
        only = caller.get("/v1/usage", params={"api_key_id": key["api_key_id"]}).json()["data"]
        assert only["latency_ms"]["p50"] > 0
        assert caller.get("/v1/usage", params={"range": "1y"}).status_code == 400


def test_usage_is_the_accounts_own(visitors: Callable[..., Visitor], server: Server) -> None:
    mine, other = visitors(), visitors()
    key = server.ground.key(mine.account_id)
    _called(server, mine, key, 3)
    assert "1003" not in other.get("/usage").text
    with server.client(key) as caller:
        [one] = caller.get("/v1/usage").json()["data"]["keys"]
    page = other.get("/usage", params={"api_key_id": one["api_key_id"]})
    assert "1003" not in page.text


@pytest.mark.parametrize(
    "asked", [{"range": "x"}, {"model": "<b>"}, {"api_key_id": "\x00"}, {"model": "a b"}]
)
def test_whatever_is_asked_for_is_a_page(visitor: Visitor, asked: dict[str, str]) -> None:
    answer = visitor.get("/usage", params=asked)
    assert answer.status_code == 200
    assert "<b>" not in answer.text
