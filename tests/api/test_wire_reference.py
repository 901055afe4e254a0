"""The reference spelling: lower-case words, and business refusals as HTTP 200 with their code."""

from __future__ import annotations

import httpx
import pytest
from wire_calls import (
    IMAGE_TO_IMAGE,
    NOWHERE,
    TEXT_TO_IMAGE,
    TINY,
    balance,
    data_url,
    envelope,
    finished,
    status,
    submit,
    succeeded,
)

import examples
from darkroom import config
from ground import wait_until

UPLOAD = "/v1/generation/upload-file"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def reference(callers):
    """A caller whose key speaks the reference spelling."""
    return callers(wire="reference")


def _business(answer, code, said, field=None):
    """Assert a refusal that clients of this spelling read from the body of a 200."""
    assert (answer.status_code, answer.json()["status"]) == (200, code), answer.text
    envelope(answer, said, field)


def test_a_submit_answers_the_same_envelope_and_ids(reference):
    data = submit(reference, image_number=2)
    assert data["task_status"] == "waiting"
    assert data["task_id"] == data["task_ids"][0]
    assert type(data["batch_id"]) is int


def test_a_task_goes_from_waiting_to_succeed(reference):
    task_id = submit(reference)["task_id"]
    seen = {status(reference, task_id)["task_status"]}
    task = finished(reference, task_id)
    assert task["task_status"] == "succeed"
    assert seen <= {"waiting", "processing", "succeed"}
    assert httpx.get(task["images"][0]).status_code == 200


def test_a_task_that_cannot_be_made_is_failed(reference):
    data = submit(reference, IMAGE_TO_IMAGE, images=[NOWHERE])
    task = finished(reference, data["task_id"])
    assert task["task_status"] == "failed"
    assert task["msg"]
    assert balance(reference) == 1000


def test_a_batch_is_a_list_of_tasks(reference):
    data = submit(reference, image_number=2)
    path = f"/v1/generation/batch/{data['batch_id']}/status"

    def done():
        words = {one["task_status"] for one in succeeded(reference.get(path))}
        assert words <= {"waiting", "processing", "succeed"}
        return words == {"succeed"}

    wait_until(done, what="the end of the batch")


def test_both_spellings_show_one_task_store(server):
    account = server.ground.account()
    keys = [server.ground.key(account.id, wire) for wire in ("quickstart", "reference")]
    first, second = (server.client(key) for key in keys)
    with first, second:
        task_id = submit(first)["task_id"]
        assert finished(first, task_id)["task_status"] == "SUCCESS"
        assert status(second, task_id)["task_status"] == "succeed"


@pytest.mark.parametrize(
    ("changes", "code", "said", "field"),
    [
        ({"prompt": ""}, 1002, "prompt cannot be empty", "prompt"),
        ({"prompt": 5}, 1002, "prompt", "prompt"),
        ({"image_number": 99}, 1002, "at most", "image_number"),
        ({"aspect_ratio": "banana"}, 1002, "aspect ratio banana is not supported", "aspect_ratio"),
        ({"model": "WERYAI_IMAGE_2_0"}, 1002, "aspect ratio cannot be empty", "aspect_ratio"),
        ({"model": "NONE"}, 1006, "is not known", "model"),
        ({"webhook_url": "http://10.0.0.1/"}, 1002, "webhook_url error", "webhook_url"),
        ({"prompt": "csam"}, 2003, "sensitive content", "prompt"),
    ],
)
def test_a_refused_submit_is_a_200_with_its_code(reference, changes, code, said, field):
    _business(reference.post(TEXT_TO_IMAGE, json=TINY | changes), code, said, field)
    assert balance(reference) == 1000


@pytest.mark.parametrize(
    ("image", "code", "said"),
    [
        ("https://10.0.0.1/a.png", 1002, "image url error"),
        ("", 1002, "image url cannot be empty"),
        (data_url(b"GIF89a"), 2004, "only support jpg"),
    ],
)
def test_a_refused_input_is_a_200_with_its_code(reference, image, code, said):
    answer = reference.post(IMAGE_TO_IMAGE, json=TINY | {"images": [image]})
    _business(answer, code, said, "images")


def test_no_credits_are_a_200_with_1011(callers):
    poor = callers(credits_given=0, wire="reference")
    _business(poor.post(TEXT_TO_IMAGE, json=TINY), 1011, "insufficient credits")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/generation/task_abc123/status", "task not exist"),
        ("/v1/generation/batch/5/status", "batch not exist"),
        ("/v1/generation/batch/x/status", "no tasks found"),
    ],
)
def test_an_unknown_id_is_a_200_with_1003(reference, path, said):
    _business(reference.get(path), 1003, said)


def test_a_body_that_is_no_json_is_a_200_with_1002(reference):
    answer = reference.post(TEXT_TO_IMAGE, content=b"{", headers=JSON)
    _business(answer, 1002, "not valid JSON")


def test_a_refused_upload_is_a_200_with_its_code(reference):
    sent = {"file": ("a.gif", b"GIF89a")}
    _business(reference.post(UPLOAD, files=sent), 2004, "only support jpg", "file")


def test_a_refused_filter_of_the_history_is_a_200_with_1002(reference):
    _business(reference.get("/v1/history?limit=0"), 1002, "limit", "limit")


def test_a_bad_key_keeps_its_401(server):
    answer = httpx.get(f"{server.url}/v1/generation/balance", headers={"x-api-key": "sk-x"})
    assert (answer.status_code, answer.json()["status"]) == (401, 1002)


def test_a_body_too_large_keeps_its_413(reference):
    chunks = (b" " * 2**20 for _ in range(config.JSON_BYTES_MAX // 2**20 + 1))
    answer = reference.post(TEXT_TO_IMAGE, content=chunks, headers=JSON)
    assert (answer.status_code, answer.json()["status"]) == (413, 1014)


def test_a_wrong_method_keeps_its_405(reference):
    answer = reference.get(TEXT_TO_IMAGE)
    assert (answer.status_code, answer.json()["status"]) == (405, 1002)


@pytest.mark.parametrize("kind", examples.SUBMITTED, ids=lambda kind: kind.name)
def test_every_kind_refuses_an_empty_object_in_this_spelling(reference, kind):
    answer = reference.post(kind.route, json={})
    _business(answer, 1002, "cannot be empty", answer.json()["field"])


def test_the_mirror_speaks_it_too(reference):
    data = succeeded(reference.post("/growthai" + TEXT_TO_IMAGE, json=TINY))
    assert data["task_status"] == "waiting"
    answer = reference.get("/growthai/v1/generation/task_0/status")
    _business(answer, 1003, "task not exist")


def test_the_history_shows_the_code_of_a_200(reference):
    request_id = reference.post(TEXT_TO_IMAGE, json={}).headers["X-Request-Id"]

    def found():
        answer = reference.get("/v1/history", params={"request_id": request_id})
        return succeeded(answer)["records"]

    [record] = wait_until(found, seconds_max=5, what="the record")
    assert (record["status"], record["code"]) == (200, 1002)
