"""Status: one task, a batch, and every id that is none of the caller's."""

from __future__ import annotations

import datetime

import pytest
from wire_calls import (
    IMAGE_TO_IMAGE,
    NOWHERE,
    balance,
    finished,
    refused,
    rows,
    status,
    submit,
    succeeded,
)


def test_a_task_shows_what_was_asked_and_what_it_costs(caller):
    data = submit(caller, seed=7, caller_id=42)
    task = status(caller, data["task_id"])
    assert task["task_status"] in {"PENDING", "PROCESSING", "SUCCESS"}
    shown = {name: task[name] for name in ("batch_id", "kind", "model", "seed", "caller_id")}
    assert shown == {
        "batch_id": data["batch_id"],
        "kind": "text-to-image",
        "model": "PAINTER",
        "seed": 7,
        "caller_id": 42,
    }
    assert (task["cost"], task["cost_mill"]) == (0.5, 500)


def test_a_finished_task_says_when_by_whom_and_at_what_price(caller):
    task = finished(caller, submit(caller)["task_id"])
    assert (task["task_status"], task["progress"], task["attempt"]) == ("SUCCESS", 100, 1)
    assert (task["served_by"], task["cost_mill"]) == ("painter", 500)
    moments = [task["created_at"], task["started_at"], task["finished_at"]]
    assert all(moment.endswith("Z") for moment in moments)
    assert moments == sorted(moments, key=datetime.datetime.fromisoformat)
    assert all(type(url) is str for url in task["images"])


def test_a_failed_task_says_why_and_costs_nothing(caller):
    task = finished(caller, submit(caller, IMAGE_TO_IMAGE, images=[NOWHERE])["task_id"])
    assert (task["task_status"], task["images"]) == ("FAILED", [])
    assert task["msg"]
    assert task["error_code"] == 1002
    assert (task["cost"], task["cost_mill"]) == (0, 0)
    assert balance(caller) == 1000


def test_a_batch_is_its_tasks_in_the_order_of_the_submit(caller):
    data = submit(caller, image_number=4, seed=10)
    batch = succeeded(caller.get(f"/v1/generation/batch/{data['batch_id']}/status"))
    assert [one["task_id"] for one in batch] == data["task_ids"]
    assert [one["seed"] for one in batch] == [10, 11, 12, 13]
    assert {one["batch_id"] for one in batch} == {data["batch_id"]}


def test_status_is_never_cached_and_takes_junk_in_the_query(caller):
    data = submit(caller)
    answer = caller.get(f"/v1/generation/{data['task_id']}/status?t=1712000000123&_=x&t=2")
    assert succeeded(answer)["task_id"] == data["task_id"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_status_takes_a_json_content_type_without_a_body(caller):
    path = f"/v1/generation/{submit(caller)['task_id']}/status"
    succeeded(caller.get(path, headers={"Content-Type": "application/json"}))


def test_head_answers_the_headers_of_get(caller):
    path = f"/v1/generation/{submit(caller)['task_id']}/status"
    answer = caller.head(path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["X-Request-Id"].startswith("req_")
    succeeded(caller.get("/v1/generation/balance"))  # the connection is still good


@pytest.mark.parametrize(
    "task_id",
    [
        *("task_abc123", "task_" + "0" * 26, "x", "0", "-1", "batch", "text-to-image"),
        *(
            "日本",
            "%00",
            "a%00b",
            "%F0%9F%94%A5",
            "%ff%fe",
            "a b",
            "%25",
            "%0A",
            "'; DROP TABLE tasks",
        ),
        *("task_" + "x" * 5000, "null", "%7B%7D"),
    ],
)
def test_an_unknown_task_is_not_found(careful, task_id):
    answer = careful.get(f"/v1/generation/{task_id}/status")
    assert (answer.status_code, answer.json()["status"]) == (404, 1003), answer.text


def test_an_unknown_task_is_refused_in_the_words_that_clients_match(careful):
    refused(careful.get("/v1/generation/task_abc/status"), 404, 1003, "task not exist")


@pytest.mark.parametrize(
    "batch_id",
    [
        "0",
        "1",
        "-1",
        "1.5",
        "1e9",
        "x",
        "9" * 18,
        "9" * 19,
        "9" * 40,
        "9" * 5000,
        "%00",
        "١٢",
        "+1",
    ],
)
def test_an_unknown_batch_is_not_found(careful, batch_id):
    answer = careful.get(f"/v1/generation/batch/{batch_id}/status")
    assert (answer.status_code, answer.json()["status"]) == (404, 1003), answer.text


def test_an_unknown_batch_is_refused_in_the_words_that_clients_match(careful):
    answer = careful.get("/v1/generation/batch/5/status")
    refused(answer, 404, 1003, "batch not exist")
    assert "no tasks found" in answer.json()["message"]


def test_another_account_s_task_and_batch_are_not_found(caller, callers):
    data = submit(caller)
    other = callers()
    own = other.get("/v1/generation/task_0/status").json()
    answer = other.get(f"/v1/generation/{data['task_id']}/status")
    refused(answer, 404, 1003)
    # Word for word what an id that never was is told: existence itself is not shown.
    assert answer.json()["message"] == own["message"]
    refused(other.get(f"/v1/generation/batch/{data['batch_id']}/status"), 404, 1003)


def test_two_keys_of_one_account_see_each_other_s_tasks(server):
    account = server.ground.account()
    first, second = (server.client(server.ground.key(account.id)) for _ in range(2))
    with first, second:
        task_id = submit(first)["task_id"]
        assert status(second, task_id)["task_id"] == task_id


def test_a_settled_task_has_paid_what_it_shows(server, caller):
    task = finished(caller, submit(caller)["task_id"])
    query = "SELECT type, available_mill, held_mill, system_mill FROM ledger_entries"
    found = rows(server, f"{query} WHERE hold_id = %s ORDER BY id", task["task_id"])
    assert found == [("hold", -500, 500, 0), ("settle", 0, -500, 500)]
