"""Submit: every kind of the table, every field, and the pictures that come of them."""

from __future__ import annotations

import asyncio
import io
import json

import httpx
import pytest
from PIL import Image
from wire_calls import (
    IMAGE_TO_IMAGE,
    TEXT_TO_IMAGE,
    TINY,
    balance,
    data_url,
    finished,
    picture,
    status,
    submit,
    succeeded,
)

import examples


@pytest.mark.parametrize("kind", examples.SUBMITTED, ids=lambda kind: kind.name)
def test_submit_of_every_kind_becomes_results(caller, kind):
    answer = caller.post(kind.route, json=examples.small(kind))
    task = finished(caller, succeeded(answer)["task_id"])
    assert task["task_status"] == "SUCCESS", task
    assert len(task[kind.outputs]) == 1


def test_submit_of_the_quickstart_is_accepted_word_for_word(callers):
    caller = callers(credits_given=10)
    asked = {
        "model": "FLUX_PRO",
        "prompt": "A beautiful sunset over the ocean, vibrant colors",
        "aspect_ratio": "16:9",
        "resolution": "1080p",
        "image_number": 1,
    }
    data = succeeded(caller.post(TEXT_TO_IMAGE, json=asked))
    assert len(data["task_ids"]) == 1
    assert balance(caller) == 10 - 4
    # It is large, and nobody waits for it.
    succeeded(caller.post(f"/v1/generation/{data['task_id']}/cancel"))


def test_submit_answers_every_id_that_some_client_reads(caller):
    data = submit(caller, image_number=3)
    assert type(data["batch_id"]) is int
    assert len(set(data["task_ids"])) == 3
    assert data["task_id"] == data["task_ids"][0]
    assert all(one.startswith("task_") for one in data["task_ids"])
    assert data["task_status"] == "PENDING"


def test_submit_answers_its_cost_and_takes_it(callers):
    caller = callers(credits_given=10)
    data = submit(caller, image_number=3)
    assert (data["cost"], data["cost_mill"], data["served_by"]) == (1.5, 1500, "painter")
    assert balance(caller) == 8.5


def test_submit_ignores_fields_that_it_does_not_know(caller):
    submit(caller, quality="high", n=4, nested={"a": [1, None]})


def test_submit_takes_null_for_a_field_left_out(caller):
    optional = ["aspect_ratio", "negative_prompt", "seed", "webhook_url", "caller_id"]
    nulls = dict.fromkeys([*optional, "use_web_search", "image_number"])
    data = submit(caller, **nulls)
    assert len(data["task_ids"]) == 1


def test_submit_takes_every_field_of_the_contract(caller):
    data = submit(
        caller,
        aspect_ratio="1:1",
        negative_prompt="n" * 1000,
        use_web_search=True,
        caller_id=-(2**63),
        seed=2**31 - 1,
    )
    assert status(caller, data["task_id"])["caller_id"] == -(2**63)


@pytest.mark.parametrize("prompt", ["x" * 2000, "\N{FIRE}" * 2000, "日落\u2028\t\u202e", '"\\'])
def test_submit_takes_any_text_within_its_bound(caller, prompt):
    submit(caller, prompt=prompt)


def test_submit_takes_a_body_without_a_length(caller):
    body = json.dumps(TINY).encode()
    answer = caller.post(
        TEXT_TO_IMAGE,
        content=iter([body[:10], body[10:]]),
        headers={"Content-Type": "application/json"},
    )
    assert "content-length" not in answer.request.headers
    assert succeeded(answer)["task_ids"]


@pytest.mark.parametrize(
    "media_type", ["application/json; charset=utf-8", "Application/JSON", "application/json;x=y"]
)
def test_submit_takes_any_spelling_of_json(caller, media_type):
    answer = caller.post(
        TEXT_TO_IMAGE, content=json.dumps(TINY), headers={"Content-Type": media_type}
    )
    assert succeeded(answer)["task_ids"]


def test_submit_and_status_work_under_the_mirror_with_x_api_key(server):
    key = server.ground.key(server.ground.account().id)
    with httpx.Client(base_url=server.url + "/growthai", headers={"x-api-key": key}) as caller:
        data = submit(caller)
        assert status(caller, data["task_id"])["task_id"] == data["task_id"]
        batch = succeeded(caller.get(f"/v1/generation/batch/{data['batch_id']}/status"))
        assert [one["task_id"] for one in batch] == data["task_ids"]
        assert balance(caller) == 999.5


def test_submit_does_not_accept_a_repeated_slash(caller):
    assert caller.post("/v1/generation//text-to-image", json=TINY).status_code == 404


def test_a_result_opens_without_a_key(caller, server):
    [url] = finished(caller, submit(caller)["task_id"])["images"]
    assert url.startswith(f"{server.url}/files/")
    answer = httpx.get(url)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("image/")


def _pixels(address: str) -> bytes:
    """What a picture shows; its signature is another one each time."""
    with Image.open(io.BytesIO(httpx.get(address).content)) as picture:
        return picture.tobytes()


def test_the_same_seed_makes_the_same_picture_and_another_does_not(caller):
    first = submit(caller, seed=5, image_number=2)
    second = submit(caller, seed=6)
    made = [
        _pixels(finished(caller, task_id)["images"][0])
        for task_id in (*first["task_ids"], *second["task_ids"])
    ]
    # Picture n of a batch takes seed + n.
    assert made[1] == made[2]
    assert made[0] != made[1]


def test_a_seed_that_was_not_sent_is_answered_and_repeats_the_picture(caller):
    first = finished(caller, submit(caller)["task_id"])
    again = finished(caller, submit(caller, seed=first["seed"])["task_id"])
    assert again["seed"] == first["seed"]
    assert _pixels(again["images"][0]) == _pixels(first["images"][0])


def test_the_largest_seed_paints_every_picture_of_its_batch(caller):
    data = submit(caller, seed=2**31 - 1, image_number=2)
    ended = [finished(caller, task_id) for task_id in data["task_ids"]]
    assert [one["task_status"] for one in ended] == ["SUCCESS", "SUCCESS"]


def test_submit_takes_an_upload_as_its_input(caller):
    sent = caller.post("/v1/generation/upload-file", files={"file": ("a.png", picture())})
    urls = succeeded(sent)["object_url_list"]
    data = submit(caller, IMAGE_TO_IMAGE, images=urls)
    assert finished(caller, data["task_id"])["task_status"] == "SUCCESS"


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_submit_takes_a_data_url_of_every_picture_format(caller, form):
    url = data_url(picture(form), f"image/{form.lower()}")
    data = submit(caller, IMAGE_TO_IMAGE, images=[url, url])
    assert finished(caller, data["task_id"])["task_status"] == "SUCCESS"


def test_submit_takes_what_a_result_shows_as_the_next_input(caller):
    [url] = finished(caller, submit(caller)["task_id"])["images"]
    data = submit(caller, IMAGE_TO_IMAGE, images=[url])
    assert finished(caller, data["task_id"])["task_status"] == "SUCCESS"


async def _submit_at_once(url: str, key: str, count: int) -> list[httpx.Response]:
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as caller:
        asked = TINY | {"image_number": 2}
        return await asyncio.gather(*(caller.post(TEXT_TO_IMAGE, json=asked) for _ in range(count)))


def test_forty_racing_submits_spend_seven_credits_on_exactly_seven(server):
    account = server.ground.account(credits_given=7)
    key = server.ground.key(account.id)
    answers = asyncio.run(_submit_at_once(server.url, key, 40))
    codes = [answer.status_code for answer in answers]
    assert (codes.count(200), codes.count(402)) == (7, 33)
    with server.client(key) as caller:
        assert balance(caller) == 0
    assert server.ground.audit() == []
