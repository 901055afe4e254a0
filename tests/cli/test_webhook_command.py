"""`darkroom webhook` against the real server, as a script and as a person uses it."""

from __future__ import annotations

from typing import Any

from ground import wait_until

# Nobody has a name below .example, so every attempt fails at once.
URL = "https://receiver.example/hook"


def _tried(served: Any, webhook_id: str) -> dict[str, Any]:
    def told() -> dict[str, Any] | None:
        one = served()("webhook", "show", webhook_id, "--json").json
        return one if one["log"] else None

    found: dict[str, Any] = wait_until(told, what="an attempt")
    return found


def test_endpoints_deliveries_and_secret_from_the_command_line(served) -> None:
    [made] = served()("webhook", "endpoint", "add", URL, "--event", "ended", "--json").json
    endpoint_id = made["endpoint_id"]
    assert (made["url"], made["events"]) == (URL, ["ended"])
    assert URL in served()("webhook", "endpoint", "list").out
    sent = served()("webhook", "endpoint", "test", endpoint_id, "--json").json["webhook_id"]
    one = _tried(served, sent)
    assert one["log"][0]["error"].startswith("connect: ")
    shown = served()("webhook", "show", sent).out
    assert "webhook-signature: v1," in shown
    assert "connect: " in shown
    listed = served()("webhook", "list", "--endpoint", endpoint_id, "--json").json
    assert [two["webhook_id"] for two in listed] == [sent]
    assert sent in served()("webhook", "list", "--status", "pending").out
    assert served()("webhook", "resend", sent, "--json").json == {"resent": 1}
    assert served()("webhook", "resend", "--endpoint", endpoint_id, "--json").json == {"resent": 0}
    first = served()("webhook", "secret").out.strip()
    rotated = served()("webhook", "rotate", "--overlap", "1", "--json").json
    assert [one["secret"] for one in rotated["secrets"]] == [rotated["secret"], first]
    enabled = served()("webhook", "endpoint", "enable", endpoint_id, "--json").json
    assert [one["enabled"] for one in enabled] == [True]
    assert endpoint_id in served()("webhook", "endpoint", "remove", endpoint_id).out
    assert served()("webhook", "endpoint", "list", "--json").json == []


def test_an_unknown_delivery_is_one_sentence(served) -> None:
    assert "No webhook delivery" in served()("webhook", "show", "msg_0").sentence
