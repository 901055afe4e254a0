"""Answers read: both spellings, both forms, and every refusal as its class."""

from __future__ import annotations

import pytest
from scripted import Answer, said, task

from darkroom import client


@pytest.mark.parametrize(
    ("spelled", "status"),
    [
        ("PENDING", "PENDING"),
        ("waiting", "PENDING"),
        ("PROCESSING", "PROCESSING"),
        ("processing", "PROCESSING"),
        ("SUCCESS", "SUCCESS"),
        ("succeed", "SUCCESS"),
        ("FAILED", "FAILED"),
        ("failed", "FAILED"),
        ("news", "PROCESSING"),
    ],
)
@pytest.mark.parametrize("code", [0, 200])
def test_status_reads_every_spelling(scripted, ask, spelled: str, status: str, code: int) -> None:
    scripted.answers(said(task(spelled), status=code))
    found = ask(lambda c: c.status("task_1"))
    assert found.status == status
    assert found.is_finished == (status in ("SUCCESS", "FAILED"))


@pytest.mark.parametrize(
    "data",
    [
        {"batch_id": 7, "task_ids": ["task_1"], "cost": 4},
        {"task_id": "task_1", "task_status": "waiting"},
    ],
)
def test_submit_reads_both_forms(scripted, ask, data: dict) -> None:
    scripted.answers(said(data, request_id="req_2"))
    made = ask(lambda c: c.submit("text-to-image", prompt="a", model="M", seed=None))
    assert (made.task_ids, made.batch_id) == (("task_1",), data.get("batch_id"))
    assert made.request_id == "req_2"
    assert scripted.asked[0].path == "/v1/generation/text-to-image"
    assert scripted.asked[0].json == {"prompt": "a", "model": "M"}
    assert scripted.asked[0].headers["authorization"] == "Bearer sk-scripted"


def test_batch_reads_an_array_and_an_object(scripted, ask) -> None:
    scripted.answers(said([task(), task("FAILED", msg="no")]))
    assert [one.message for one in ask(lambda c: c.batch(7))] == [None, "no"]
    scripted.answers(said(task()))
    assert len(ask(lambda c: c.batch(7))) == 1


@pytest.mark.parametrize("data", [12.5, {"balance": 12.5}])
def test_balance_reads_a_number_and_an_object(scripted, ask, data: object) -> None:
    scripted.answers(said(data))
    assert ask(lambda c: c.balance()) == 12.5


@pytest.mark.parametrize(
    ("http", "code", "kind"),
    [
        (400, 1002, client.BadRequest),
        (401, 1002, client.AuthenticationFailed),
        (402, 1011, client.InsufficientCredits),
        (200, 1011, client.InsufficientCredits),
        (403, 1009, client.AuthenticationFailed),
        (404, 1003, client.NotFound),
        (200, 1003, client.NotFound),
        (422, 2003, client.ContentRefused),
        (200, 2003, client.ContentRefused),
        (422, 1002, client.BadRequest),
        (413, 1014, client.BadRequest),
        (429, 1001, client.RateLimited),
        (200, 1001, client.RateLimited),
        (500, 5000, client.ServerError),
        (200, 6004, client.ServerError),
    ],
)
def test_refusal_is_its_class(scripted, ask, http: int, code: int, kind: type) -> None:
    scripted.answers(said(None, http=http, status=code, field="prompt"))
    with pytest.raises(client.ApiError) as caught:
        ask(lambda c: c.submit("text-to-image"))
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.field) == (http, code, "prompt")
    assert error.request_id == "req_1"
    assert "said" in str(error)
    assert "req_1" in str(error)


@pytest.mark.parametrize(
    "answer",
    [Answer(500, b"<html>"), Answer(200, b"<html>"), Answer(302), said({}), said(None)],
)
def test_answer_that_makes_no_sense_is_an_error(scripted, ask, answer: Answer) -> None:
    scripted.answers(answer)
    with pytest.raises(client.ServerError):
        ask(lambda c: c.submit("text-to-image"))


def test_ids_are_quoted_in_addresses(scripted, ask) -> None:
    scripted.answers(said(task()))
    ask(lambda c: c.status("a/../b?c"))
    assert scripted.asked[0].path == "/v1/generation/a%2F..%2Fb%3Fc/status"


def test_history_sends_its_filters(scripted, ask) -> None:
    scripted.answers(said({"records": [{"status": 200}], "next": "later"}))
    page = ask(lambda c: c.history(limit=1, method=None))
    assert (page.records, page.next) == ([{"status": 200}], "later")
    assert scripted.asked[0].path == "/v1/history?limit=1"


def test_environment_names_server_and_key(scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_BASE_URL", f"{scripted.url}/")
    monkeypatch.setenv("DARKROOM_API_KEY", "sk-environment")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # for other machines than this one
    scripted.answers(said(3))
    with client.Client() as one:
        assert one.balance() == 3
    assert scripted.asked[0].headers["authorization"] == "Bearer sk-environment"


@pytest.mark.parametrize("address", ["127.0.0.1:8080", "ftp://a", "http://", "http://[::1"])
def test_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(client.DarkroomError, match="is no address"):
        client.Client(address)


def test_key_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(client.DarkroomError, match="API key"):
        client.Client(api_key="sk-…")
