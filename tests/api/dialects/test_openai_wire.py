"""OpenAI's own client against the real server: pictures, clips, models, and what it raises."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from PIL import Image
from wire_calls import balance, finished, picture, rows, status

from darkroom.domain import accounts
from darkroom.storage.database import Database
from ground import Server, wait_until

# What its client says of the clips of OpenAI's own.
pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")
_TINY: dict[str, Any] = {"model": "PAINTER", "prompt": "a quiet lake", "size": "64x64"}


def _client(caller: httpx.Client, **options: Any) -> openai.OpenAI:
    """The official client, which is told the base address and the key, and nothing else."""
    key = caller.headers["authorization"].removeprefix("Bearer ")
    return openai.OpenAI(base_url=f"{caller.base_url}/v1", api_key=key, max_retries=0, **options)


@pytest.fixture
def client(caller: httpx.Client) -> Iterator[openai.OpenAI]:
    """The official client of a fresh account."""
    with _client(caller) as one:
        yield one


def _size(body: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(body)) as shown:
        return shown.size


def test_pictures_are_made_at_once_and_are_tasks_like_all(caller, client) -> None:
    made = client.images.generate(**_TINY, n=2, user="u", quality="low", extra_body={"seed": 7})
    assert len(made.data) == 2
    for one in made.data:
        body = base64.b64decode(one.b64_json)
        assert (_size(body), body) == ((64, 64), httpx.get(one.url).content)
    assert (made.size, made.output_format) == ("64x64", "png")
    assert (made.cost_mill, balance(caller)) == (1000, 999)
    first, second = (status(caller, task_id) for task_id in made.task_ids)
    assert (first["seed"], second["seed"], first["model"]) == (7, 8, "PAINTER")
    assert first["images"] == [made.data[0].url]
    assert made.created > 1_700_000_000


@pytest.mark.parametrize("form", ["url", "b64_json"])
def test_only_the_form_that_is_asked_for_is_answered(client, form) -> None:
    [one] = client.images.generate(**_TINY, response_format=form).data
    assert [name for name in ("url", "b64_json") if getattr(one, name)] == [form]


def test_a_picture_is_edited(caller, client) -> None:
    two = [("a.png", picture()), ("b.jpg", picture("JPEG"))]
    made = client.images.edit(
        model="painter", prompt="at night", image=two, size="128x64", extra_body={"seed": 3}
    )
    assert _size(base64.b64decode(made.data[0].b64_json)) == (128, 64)
    task = status(caller, made.task_ids[0])
    assert (task["kind"], task["seed"]) == ("image-to-image", 3)
    one = client.images.edit(model="PAINTER", prompt="x", image=picture(), size="64x64")
    assert one.data[0].url


def test_a_model_may_be_spelled_as_openai_does(caller, client) -> None:
    made = client.images.generate(model="gpt-image-1.5", prompt="a lake", size="96x64")
    assert status(caller, made.task_ids[0])["model"] == "GPT_IMAGE_1_5"
    assert _size(base64.b64decode(made.data[0].b64_json)) == (96, 64)


def test_a_clip_is_asked_for_and_fetched(caller, client) -> None:
    video = client.videos.create(model="film", prompt="waves", size="64x64", seconds="1")
    assert video.status in ("queued", "in_progress")
    assert (video.object, video.seconds) == ("video", "1")
    video = client.videos.poll(video.id, poll_interval_ms=100)
    assert (video.status, video.progress, video.size) == ("completed", 100, "64x64")
    assert (video.prompt, video.model, video.error) == ("waves", "FILM", None)
    content = client.videos.download_content(video.id)
    clip = content.read()
    task = status(caller, video.id)
    assert clip == httpx.get(task["videos"][0]).content
    cover = client.videos.download_content(video.id, variant="thumbnail").read()
    assert cover == httpx.get(task["cover_url"]).content
    path = f"/v1/videos/{video.id}/content"
    part = caller.get(path, headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, clip[4:8])
    assert httpx.get(f"{caller.base_url}{path}").status_code == 401
    assert client.videos.delete(video.id).deleted is True
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve(video.id)


def test_a_clip_goes_on_from_a_picture(caller, client) -> None:
    video = client.videos.create(
        model="FILM", prompt="in", size="64x64", seconds="1", input_reference=("a.png", picture())
    )
    assert status(caller, video.id)["kind"] == "image-to-video"
    assert finished(caller, video.id)["task_status"] == "SUCCESS"
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve(client.images.generate(**_TINY).task_ids[0])


def test_a_clip_that_is_not_made_yet_can_be_stopped_by_deleting_it(caller, client) -> None:
    video = client.videos.create(model="FILM", prompt="long", size="1920x1080", seconds="60")
    with pytest.raises(openai.BadRequestError, match="not made yet"):
        client.videos.download_content(video.id)
    assert client.videos.delete(video.id).deleted is True
    assert status(caller, video.id)["error_code"] == 6005


def test_models_are_listed_for_both_wires(client, server: Server) -> None:
    listed = {one.id: one for one in client.models.list()}
    assert {"PAINTER", "FILM"} <= listed.keys()
    assert (listed["PAINTER"].object, listed["PAINTER"].owned_by) == ("model", "darkroom")
    one = client.models.retrieve("painter")
    assert (one.id, one.object) == ("PAINTER", "model")
    body = httpx.get(f"{server.url}/v1/models/PAINTER").json()
    assert (body["status"], body["data"]["model"]) == (0, "PAINTER")
    with pytest.raises(openai.NotFoundError, match="is not known here"):
        client.models.retrieve("sora-7")


@pytest.mark.parametrize(
    ("error", "changes", "said", "param", "code"),
    [
        (
            openai.NotFoundError,
            {"model": "dall-e-9"},
            "is not known here. ",
            "model",
            "model_not_found",
        ),
        (openai.NotFoundError, {"model": "FILM"}, "FILM does not do", "model", "model_not_found"),
        (openai.BadRequestError, {"prompt": ""}, "prompt cannot be empty", "prompt", None),
        (openai.BadRequestError, {"n": 99}, "makes at most 8", "n", None),
        (openai.BadRequestError, {"n": "two"}, "Expected `int`", "n", None),
        (openai.BadRequestError, {"size": "large"}, "such as 1024x1024", "size", None),
        (openai.BadRequestError, {"extra_body": {"resolution": "2k"}}, "only one", "size", None),
        (openai.BadRequestError, {"size": "10x10"}, "out of bounds", "size", None),
        (openai.BadRequestError, {"output_format": "webp"}, "only png", "output_format", None),
        (openai.BadRequestError, {"background": "transparent"}, "only auto", "background", None),
        (openai.BadRequestError, {"stream": True}, "only false", "stream", None),
        (openai.BadRequestError, {"style": "vivid"}, "style is not taken: .* size,", "style", None),
        (openai.BadRequestError, {"response_format": "x"}, "url or b64", "response_format", None),
        (
            openai.BadRequestError,
            {"model": "GPT_IMAGE_1_5", "size": "999x64"},
            "makes 3:2",
            "size",
            None,
        ),
    ],
)
def test_what_would_not_come_true_is_refused_in_words(
    careful: httpx.Client, error, changes, said, param, code
) -> None:
    with _client(careful) as client, pytest.raises(error, match=said) as caught:
        client.images.generate(**_TINY | changes)
    assert (caught.value.param, caught.value.code) == (param, code)
    # A client of our own wire reads the same as an envelope.
    assert caught.value.response.json()["success"] is False


def test_a_bad_key_and_an_empty_account_are_the_errors_that_its_users_catch(callers) -> None:
    caller = callers(0)
    with _client(caller) as poor, pytest.raises(openai.APIStatusError, match="credits") as caught:
        poor.images.generate(**_TINY)
    assert (caught.value.status_code, caught.value.code) == (402, "insufficient_quota")
    stranger = openai.OpenAI(base_url=f"{caller.base_url}/v1", api_key="sk-no", max_retries=0)
    with stranger, pytest.raises(openai.AuthenticationError, match="48 hex") as refused:
        stranger.images.generate(**_TINY)
    assert refused.value.code == "invalid_api_key"


def test_what_the_content_policy_refuses_is_a_bad_request(careful: httpx.Client) -> None:
    with _client(careful) as client, pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(**_TINY | {"prompt": "naked children"})
    assert (caught.value.code, caught.value.param) == ("content_policy_violation", "prompt")


def test_requests_over_the_limit_say_when_to_come_back(server: Server) -> None:
    account = server.ground.account()

    async def limit(database: Database) -> None:
        async with database.transaction() as tx:
            await accounts.limit(tx, account.id, accounts.Limits(requests_per_minute=1))

    server.ground.run(limit)
    with server.client(server.ground.key(account.id)) as caller, _client(caller) as client:
        with pytest.raises(openai.BadRequestError):
            client.images.generate(**_TINY | {"n": 99})
        with pytest.raises(openai.RateLimitError) as caught:
            client.images.generate(**_TINY | {"n": 99})
    assert int(caught.value.response.headers["Retry-After"]) > 0


def test_a_mask_and_an_unknown_file_are_refused(careful: httpx.Client) -> None:
    with _client(careful) as client:
        asked = {"model": "PAINTER", "prompt": "x", "image": picture()}
        with pytest.raises(openai.BadRequestError, match="mask is not taken"):
            client.images.edit(**asked, mask=picture())
        with pytest.raises(openai.BadRequestError, match="only support jpg") as caught:
            client.images.edit(**asked | {"image": b"no picture"})
        assert caught.value.param == "image"


def test_the_same_idempotency_key_makes_one_picture(caller, client) -> None:
    headers = {"Idempotency-Key": "one"}
    first = client.images.generate(**_TINY, extra_headers=headers)
    again = client.images.with_raw_response.generate(**_TINY, extra_headers=headers)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.parse().task_ids == first.task_ids
    assert balance(caller) == 999.5


def test_pictures_that_nobody_waits_for_any_more_are_told_to_stop(server, caller) -> None:
    with _client(caller, timeout=0.5) as hasty, pytest.raises(openai.APITimeoutError):
        hasty.images.generate(**_TINY | {"size": "2048x2048", "n": 8})

    def stopped() -> bool:
        query = "SELECT bool_and(cancel_asked_at IS NOT NULL OR finished_at IS NOT NULL) FROM tasks"
        account = rows(server, "SELECT account_id FROM tasks ORDER BY created_at DESC LIMIT 1")
        return bool(rows(server, f"{query} WHERE account_id = %s", account[0][0])[0][0])

    wait_until(stopped, what="the stop of all eight")
