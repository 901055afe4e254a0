"""Webhooks as the SDK reads them: an event, or one error of its tree."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from darkroom import signing, webhooks
from darkroom.client import DarkroomError, WebhookKeyUnusable, WebhookNotVerified

SECRET = signing.new_secret()
TASK = {
    "task_id": "task_06h0je93jpe3aek32487wj9pqg",
    "task_status": "SUCCESS",
    "images": ["https://files.example/files/a.png"],
    "batch_id": 7,
    "model": "PAINTER",
    "cost": 2.5,
}
DELIVERY: dict[str, Any] = {
    "status": 0,
    "desc": "success",
    "message": "success",
    "success": True,
    "data": TASK,
    "type": "task.ended",
    "version": 19000,
    "webhook_id": "wh_1",
}


def delivered(body: bytes, late_seconds: int = 0) -> dict[str, str]:
    """The headers of a delivery of the body, sent so long ago."""
    return signing.headers("msg_1", int(time.time()) - late_seconds, body, [SECRET], None)


def test_reads_a_delivery_into_an_event() -> None:
    body = json.dumps(DELIVERY).encode()
    headers = delivered(body)
    event = webhooks.verify(headers, body, SECRET)
    assert (event.id, event.type, event.version) == ("msg_1", "task.ended", 19000)
    assert event.timestamp == datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    assert (event.task.id, event.task.status) == (TASK["task_id"], "SUCCESS")
    assert event.task.files == ("https://files.example/files/a.png",)
    assert event.task.cost == 2.5
    assert event.task.is_finished
    assert event.data == TASK
    assert event.raw == DELIVERY


@pytest.mark.parametrize(
    ("spelled", "status"), [("succeed", "SUCCESS"), ("failed", "FAILED"), ("waiting", "PENDING")]
)
def test_reads_either_spelling(spelled: str, status: str) -> None:
    body = json.dumps({**DELIVERY, "data": {**TASK, "task_status": spelled}})
    assert webhooks.verify(delivered(body.encode()), body, SECRET).task.status == status


def test_refuses_what_is_forged_old_or_tampered() -> None:
    body = json.dumps(DELIVERY).encode()
    for headers, said in (
        ({}, "webhook-id is missing"),
        (signing.headers("msg_1", int(time.time()), body, [signing.new_secret()], None), "matches"),
        (delivered(body, late_seconds=310), "too old"),
        (delivered(body, late_seconds=-310), "too new"),
        (delivered(body + b" "), "matches"),
    ):
        with pytest.raises(WebhookNotVerified, match=said):
            webhooks.verify(headers, body, SECRET)
    webhooks.verify(delivered(body, late_seconds=310), body, SECRET, tolerance_seconds=600)


def test_says_that_the_secret_is_none() -> None:
    with pytest.raises(WebhookKeyUnusable, match="whsec_"):
        webhooks.verify(delivered(b"{}"), b"{}", "sk-1")


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"\xff", b"[]", b"null", b"{}", b'"a"'),
        json.dumps({**DELIVERY, "data": None}).encode(),
        json.dumps({**DELIVERY, "data": {"task_id": "a"}}).encode(),
        json.dumps({**DELIVERY, "version": "new"}).encode(),
    ],
)
def test_refuses_a_signed_body_that_is_no_event(body: bytes) -> None:
    with pytest.raises(WebhookNotVerified, match="no event"):
        webhooks.verify(delivered(body), body, SECRET)


def test_errors_stand_in_the_tree_of_the_sdk() -> None:
    assert issubclass(webhooks.NotVerified, DarkroomError)
    assert issubclass(webhooks.KeyUnusable, DarkroomError)
