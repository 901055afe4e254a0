"""fal's own client against the real server, over TLS, which it insists on."""

from __future__ import annotations

import io
import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from wire_calls import data_url, picture

from ground import Server, wait_until

_TINY = {"prompt": "a quiet lake", "image_size": {"width": 64, "height": 64}}


@pytest.fixture(scope="module")
def fal(fronted: Server, localhost_certificate: Path) -> Iterator[Any]:
    """The official client, told where the service is as its users tell it: by the environment."""
    host = fronted.url.removeprefix("https://")
    told = {
        "FAL_QUEUE_RUN_HOST": f"{host}/fal",
        "FAL_RUN_HOST": f"{host}/fal/run",
        "FAL_KEY": fronted.key,
        "SSL_CERT_FILE": str(localhost_certificate),
    }
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    # It reads the hosts when it is imported.
    import fal_client

    client = fal_client.SyncClient(key=fronted.key)
    yield client
    client._client.close()
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


@pytest.fixture(scope="module")
def native(fronted: Server, localhost_certificate: Path) -> Iterator[httpx.Client]:
    """A caller of our own wire with the same key."""
    trust = ssl.create_default_context(cafile=localhost_certificate)
    headers = {"Authorization": f"Bearer {fronted.key}"}
    with httpx.Client(base_url=fronted.url, headers=headers, verify=trust, timeout=30) as one:
        yield one


def _size(native: httpx.Client, url: str) -> tuple[int, int]:
    with Image.open(io.BytesIO(native.get(url).content)) as shown:
        return shown.size


def _status(native: httpx.Client, task_id: str) -> dict[str, Any]:
    data: dict[str, Any] = native.get(f"/v1/generation/{task_id}/status").json()["data"]
    return data


def test_a_picture_is_subscribed_to_and_is_a_task_like_all(fal, native) -> None:
    import fal_client

    ids: list[str] = []
    told: list[Any] = []
    made = fal.subscribe(
        "darkroom/painter",
        {**_TINY, "seed": 7, "num_images": 2, "num_inference_steps": 4},
        on_enqueue=ids.append,
        on_queue_update=told.append,
    )
    assert [_size(native, one["url"]) for one in made["images"]] == [(64, 64)] * 2
    first = made["images"][0]
    assert (first["width"], first["content_type"], made["seed"]) == (64, "image/png", 7)
    assert isinstance(told[-1], fal_client.Completed)
    assert (told[-1].error, told[-1].logs) == (None, [])
    task = _status(native, ids[0])
    assert (task["kind"], task["images"], task["seed"]) == ("text-to-image", [first["url"]], 7)
    assert made["task_ids"][0] == ids[0]


def test_a_task_of_our_wire_is_read_in_this_one(fal, native) -> None:
    body = {"model": "PAINTER", "prompt": "hills", "resolution": "64x64"}
    task_id = native.post("/v1/generation/text-to-image", json=body).json()["data"]["task_id"]
    result = fal.result("any/thing", task_id)
    assert result["images"][0]["url"] == _status(native, task_id)["images"][0]


def test_pictures_are_shown_by_data_url_and_by_upload(fal, native) -> None:
    upload = native.post("/v1/generation/upload-file", files={"file": ("a.png", picture())})
    [address] = upload.json()["data"]["object_url_list"]
    for shown in (address, data_url(picture())):
        made = fal.run("fal-ai/painter/image-to-image", {**_TINY, "image_url": shown})
        assert _status(native, made["task_ids"][0])["kind"] == "image-to-image"
    made = fal.run("image-bg-remove/toolbox", {"image_url": address})
    assert made["image"]["url"] == _status(native, made["task_ids"][0])["images"][0]


def test_a_clip_is_made(fal, native) -> None:
    made = fal.subscribe(
        "darkroom/film", {"prompt": "waves", "duration": "1", "image_size": "64x64"}
    )
    assert made["video"]["content_type"] == "video/mp4"
    task = _status(native, made["task_ids"][0])
    assert task["videos"] == [made["video"]["url"]]


def test_a_request_is_taken_back(fal, native) -> None:
    import fal_client

    large = {"prompt": "large", "image_size": {"width": 2048, "height": 2048}, "num_images": 8}
    handle = fal.submit("darkroom/painter", large)
    early = native.get(handle.response_url)
    assert (early.status_code, early.json()["detail"]) == (400, "Request is still in progress.")
    handle.cancel()

    def ended() -> bool:
        return isinstance(handle.status(), fal_client.Completed)

    wait_until(ended, what="the end of a canceled request")
    with pytest.raises(fal_client.FalClientHTTPError, match="canceled"):
        handle.get()
    with pytest.raises(fal_client.FalClientHTTPError) as late:
        handle.cancel()
    assert late.value.response.json() == {"status": "ALREADY_COMPLETED"}


def test_a_webhook_is_told_in_its_words(fal, native, listener) -> None:
    handle = fal.submit("darkroom/painter", _TINY, webhook_url=listener.url)
    wait_until(lambda: listener.heard, what="the webhook")
    _, body, _ = listener.heard[0]
    assert (body["request_id"], body["status"]) == (handle.request_id, "OK")
    assert body["payload"]["images"] == handle.get()["images"]


@pytest.mark.parametrize(
    ("app", "changes", "status", "said"),
    [
        ("darkroom/flux-9", {}, 404, "flux-9.*is not known here"),
        ("darkroom/painter", {"prompt": ""}, 422, "prompt cannot be empty"),
        ("darkroom/painter", {"prompt": "naked children"}, 422, "content_policy_violation"),
        ("darkroom/painter", {"loras": []}, 422, "loras is not taken"),
        ("darkroom/painter", {"num_images": 2}, 422, "is told of one result"),
        ("darkroom/painter", {"output_format": "webp"}, 422, "only png"),
        ("darkroom/painter", {"image_size": "huge"}, 422, "image_size huge is not understood"),
        ("darkroom/toolbox", {"image_url": "data:,"}, 422, "say which, such as"),
        ("podcast-audio/synth", {}, 404, "goes on with a task"),
        # A field that a kind has itself is that one: "text" is "prompt" elsewhere.
        ("darkroom/synth", {"text": "hello", "voice_id": 1}, 422, "voice_id: Expected"),
        ("darkroom/painter/image-to-image", {"image_url": "data:;base64,eA"}, 422, "image_url"),
    ],
)
def test_what_would_not_come_true_is_refused_in_words(fal, app, changes, status, said) -> None:
    import fal_client

    asked = _TINY | changes if "painter" in app or "flux" in app else changes
    with pytest.raises(fal_client.FalClientHTTPError) as caught:
        fal.submit(app, asked, webhook_url="https://example.com/hook")
    assert caught.value.status_code == status
    caught.match(said)


def test_a_stream_tells_a_request_to_its_end(fal, native) -> None:
    handle = fal.submit("darkroom/painter", _TINY)
    lines = native.get(f"{handle.status_url}/stream").text.splitlines()
    assert '"status":"COMPLETED"' in [one for one in lines if one][-1]
