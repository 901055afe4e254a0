"""Webhook routes: endpoints, secrets and deliveries, each only its owner's."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from wire_calls import TEXT_TO_IMAGE, TINY, finished, refused, rows, status, submit, succeeded

from darkroom import config, signing
from ground import wait_until

ENDPOINTS, SECRET, DELIVERIES = (
    f"/v1/webhooks/{name}" for name in ("endpoints", "secret", "deliveries")
)
# Nobody has a name below .example, so every attempt fails at once.
URL = "https://receiver.example/hook"


def add(caller: httpx.Client, url: str = URL, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = succeeded(caller.post(ENDPOINTS, json={"url": url, **more}))
    return made


def tried(caller: httpx.Client, webhook_id: str) -> dict[str, Any]:
    """A delivery once its first attempt is recorded."""

    def told() -> dict[str, Any] | None:
        one = succeeded(caller.get(f"{DELIVERIES}/{webhook_id}"))
        return one if one["log"] and not one["sending"] else None

    one: dict[str, Any] = wait_until(told, what=f"an attempt at {webhook_id}")
    return one


def test_an_endpoint_is_added_listed_and_removed(caller):
    made = add(caller)
    assert made["endpoint_id"].startswith("whe_")
    assert (made["url"], made["events"], made["enabled"]) == (URL, ["ended"], True)
    assert succeeded(caller.get(ENDPOINTS)) == [made]
    path = f"{ENDPOINTS}/{made['endpoint_id']}"
    assert succeeded(caller.delete(path)) == {"endpoint_id": made["endpoint_id"], "removed": True}
    assert succeeded(caller.get(ENDPOINTS)) == []
    refused(caller.delete(path), 404, 1003)


@pytest.mark.parametrize(
    ("url", "said"),
    [("http://a.example/", "webhook_url error"), ("https://10.0.0.1/", "not public")],
)
def test_an_endpoint_that_may_not_be_called_is_refused(caller, url, said):
    refused(caller.post(ENDPOINTS, json={"url": url}), 422, 1002, said, "url")
    assert succeeded(caller.get(ENDPOINTS)) == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": ""}, "url"),
        ({"url": URL, "events": []}, "events"),
        ({"url": URL, "events": ["done"]}, "events"),
    ],
)
def test_a_malformed_endpoint_is_refused_by_its_field(caller, body, field):
    refused(caller.post(ENDPOINTS, json=body), 400, 1002, "", field)


def test_an_address_is_one_endpoint_and_an_account_has_so_many(caller):
    add(caller)
    refused(caller.post(ENDPOINTS, json={"url": URL}), 400, 1002, "there already", "url")
    for number in range(1, config.ENDPOINTS_MAX):
        add(caller, f"https://receiver{number}.example/")
    another = {"url": "https://another.example/"}
    refused(caller.post(ENDPOINTS, json=another), 400, 1002, "at most", "url")


def test_a_secret_is_made_once_and_rotates_with_an_overlap(caller):
    first = succeeded(caller.get(SECRET))
    assert succeeded(caller.get(SECRET)) == first
    assert first["secret"].startswith("whsec_")
    second = succeeded(caller.post(f"{SECRET}/rotate"))
    assert [one["secret"] for one in second["secrets"]] == [second["secret"], first["secret"]]
    assert [one["expires_at"] is None for one in second["secrets"]] == [True, False]
    third = succeeded(caller.post(f"{SECRET}/rotate"))
    assert [one["secret"] for one in third["secrets"]] == [third["secret"], second["secret"]]
    alone = succeeded(caller.post(f"{SECRET}/rotate?overlap_hours=0"))
    assert len(alone["secrets"]) == 1
    assert len({one["secret"] for one in (first, second, third, alone)}) == 4
    refused(caller.post(f"{SECRET}/rotate?overlap_hours=-1"), 400, 1002, "", "overlap_hours")


def test_the_public_key_is_the_same_for_all_and_needs_no_key(callers, server):
    one, other = callers(), callers()
    public = succeeded(one.get(SECRET))["public_key"]
    assert succeeded(other.get(SECRET))["public_key"] == public
    assert succeeded(other.get(SECRET))["secret"] != succeeded(one.get(SECRET))["secret"]
    [key] = httpx.get(f"{server.url}/.well-known/jwks.json").json()["keys"]
    assert (key["kty"], key["crv"], key["alg"]) == ("OKP", "Ed25519", "EdDSA")


def test_a_test_delivery_is_signed_tried_and_kept_with_its_attempt(caller):
    endpoint = add(caller)
    sent = succeeded(caller.post(f"{ENDPOINTS}/{endpoint['endpoint_id']}/test"))
    assert (sent["type"], sent["endpoint_id"]) == ("webhook.test", endpoint["endpoint_id"])
    one = tried(caller, sent["webhook_id"])
    [attempt] = one["log"]
    assert (one["status"], one["attempts"], attempt["number"]) == ("PENDING", 1, 1)
    assert one["next_at"] > attempt["at"]
    assert attempt["answer"] is None
    assert attempt["error"].startswith("connect: ")
    secret = succeeded(caller.get(SECRET))["secret"]
    signing.verify(attempt["request"]["headers"], attempt["request"]["body"], secret)
    [failing] = succeeded(caller.get(ENDPOINTS))
    assert failing["failing_since"] is not None


def test_deliveries_are_listed_by_filter_and_paged(caller):
    endpoint = add(caller)["endpoint_id"]
    submitted = submit(caller)
    finished(caller, submitted["task_id"])
    for _ in range(3):
        caller.post(f"{ENDPOINTS}/{endpoint}/test")

    def listed(**asked: Any) -> list[str]:
        answer = succeeded(caller.get(DELIVERIES, params=asked))
        return [one["type"] for one in answer["deliveries"]]

    assert listed() == ["webhook.test"] * 3 + ["task.ended"]
    assert listed(type="task.ended") == listed(task_id=submitted["task_id"]) == ["task.ended"]
    assert len(listed(endpoint_id=endpoint)) == len(listed(status="pending")) == 4
    assert listed(status="DELIVERED") == listed(until="2020-01-01") == []
    first = succeeded(caller.get(DELIVERIES, params={"limit": 3}))
    rest = succeeded(caller.get(DELIVERIES, params={"limit": 3, "before": first["next"]}))
    assert (len(first["deliveries"]), len(rest["deliveries"]), rest["next"]) == (3, 1, None)
    refused(caller.get(DELIVERIES, params={"limit": 999}), 400, 1002, "", "limit")


def test_a_delivery_is_sent_again_at_once_under_its_id(caller, server):
    endpoint = add(caller)["endpoint_id"]
    sent = succeeded(caller.post(f"{ENDPOINTS}/{endpoint}/test"))["webhook_id"]
    tried(caller, sent)
    rows(
        server,
        "UPDATE webhook_deliveries SET status = 'FAILED', ended_at = now() WHERE id = %s "
        "RETURNING 1",
        sent,
    )
    again = succeeded(caller.post(f"{DELIVERIES}/{sent}/resend"))
    assert (again["webhook_id"], again["ended_at"]) == (sent, None)
    one = wait_until(
        lambda: (
            (told := succeeded(caller.get(f"{DELIVERIES}/{sent}")))
            and len(told["log"]) == 2
            and told
        )
    )
    bodies = [attempt["request"]["headers"]["webhook-id"] for attempt in one["log"]]
    assert bodies == [sent, sent]
    # The schedule began anew: the second attempt is followed by its first pause again.
    [(pause,)] = rows(
        server,
        "SELECT extract(epoch FROM next_at - now())::float8 FROM webhook_deliveries WHERE id = %s",
        sent,
    )
    assert pause < 6


def test_what_failed_is_sent_again_together(caller, server):
    endpoint = add(caller)["endpoint_id"]
    sent = [succeeded(caller.post(f"{ENDPOINTS}/{endpoint}/test"))["webhook_id"] for _ in range(3)]
    for one in sent:
        tried(caller, one)
    rows(
        server,
        "UPDATE webhook_deliveries SET status = 'FAILED', ended_at = now() WHERE id = ANY(%s) "
        "RETURNING 1",
        sent[:2],
    )
    path = f"{DELIVERIES}/resend"
    nothing = succeeded(caller.post(path, json={"type": "task.ended"}))
    assert nothing == {"resent": 0, "more": False}
    asked = {"endpoint_id": endpoint, "since": "2020-01-01T00:00:00Z"}
    assert succeeded(caller.post(path, json=asked))["resent"] == 2
    assert succeeded(caller.post(path, json={}))["resent"] == 0
    refused(caller.post(path, json={"status": "LOST"}), 400, 1002, "", "status")


def test_a_disabled_endpoint_is_enabled_again_with_a_clean_record(caller, server):
    endpoint = add(caller)["endpoint_id"]
    rows(
        server,
        "UPDATE webhook_endpoints SET disabled_at = now(), disabled_reason = 'a test', "
        "failing_since = now() WHERE id = %s RETURNING 1",
        endpoint,
    )
    [one] = succeeded(caller.get(ENDPOINTS))
    assert (one["enabled"], one["disabled_reason"]) == (False, "a test")
    enabled = succeeded(caller.post(f"{ENDPOINTS}/{endpoint}/enable"))
    assert (enabled["enabled"], enabled["disabled_reason"], enabled["failing_since"]) == (
        True,
        None,
        None,
    )


def test_another_accounts_endpoints_and_deliveries_are_not_found(callers):
    owner, other = callers(), callers()
    endpoint = add(owner)["endpoint_id"]
    sent = succeeded(owner.post(f"{ENDPOINTS}/{endpoint}/test"))["webhook_id"]
    for method, path in (
        ("DELETE", f"{ENDPOINTS}/{endpoint}"),
        ("POST", f"{ENDPOINTS}/{endpoint}/enable"),
        ("POST", f"{ENDPOINTS}/{endpoint}/test"),
        ("GET", f"{DELIVERIES}/{sent}"),
        ("POST", f"{DELIVERIES}/{sent}/resend"),
        ("GET", f"{DELIVERIES}/nothing%00"),
    ):
        refused(other.request(method, path), 404, 1003)
    assert succeeded(other.get(DELIVERIES))["deliveries"] == []
    assert succeeded(other.post(f"{DELIVERIES}/resend", json={"status": "PENDING"}))["resent"] == 0


def test_a_replayed_submit_makes_no_second_delivery(caller):
    body = TINY | {"webhook_url": URL}
    headers = {"Idempotency-Key": "once"}
    answers = [succeeded(caller.post(TEXT_TO_IMAGE, json=body, headers=headers)) for _ in "ab"]
    assert answers[0]["task_id"] == answers[1]["task_id"]
    finished(caller, answers[0]["task_id"])
    [one] = succeeded(caller.get(DELIVERIES))["deliveries"]
    assert (one["task_id"], one["url"], one["endpoint_id"]) == (answers[0]["task_id"], URL, None)


def heard(caller: httpx.Client, count: int, **asked: str) -> tuple[str, list[dict[str, Any]]]:
    """The listener's id, and so many deliveries of one stream."""
    found: list[dict[str, Any]] = []
    listener, fields = "", {}
    with caller.stream("GET", "/v1/webhooks/listen", params=asked) as answer:
        assert answer.status_code == 200, answer.read()
        for line in answer.iter_lines():
            if line:
                name, _, fields[name] = line.partition(": ")
                continue
            data, fields = json.loads(fields["data"]), {}
            listener = data.get("listener_id", listener)
            found += [data] if "body" in data else []
            if listener and len(found) == count:
                break
    return listener, found


def test_a_listener_hears_what_it_missed_while_its_stream_was_broken(caller):
    listener, _ = heard(caller, 0)
    task_id = submit(caller)["task_id"]
    finished(caller, task_id)
    again, [one] = heard(caller, 1, listener_id=listener)
    assert again == listener
    assert json.loads(one["body"])["data"] == status(caller, task_id)
    signing.verify(one["headers"], one["body"], succeeded(caller.get(SECRET))["secret"])
    assert succeeded(caller.get(ENDPOINTS)) == []


def test_a_listener_that_is_not_ones_own_or_none_begins_anew(callers):
    owner, other = callers(), callers()
    endpoint = add(other)["endpoint_id"]
    for name in (heard(owner, 0)[0], endpoint, "whe_unknown"):
        assert heard(other, 0, listener_id=name)[0] not in ("", name)


def test_events_that_do_not_exist_cannot_be_listened_to(caller):
    asked = {"events": "ended,done"}
    refused(caller.get("/v1/webhooks/listen", params=asked), 400, 1002, "", "events")
