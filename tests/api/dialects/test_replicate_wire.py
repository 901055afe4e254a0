"""Replicate's own client against the real server: predictions, files, webhooks, what it raises."""

from __future__ import annotations

import io
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import replicate
from PIL import Image
from replicate.exceptions import ReplicateError
from replicate.webhook import Webhooks, WebhookSigningSecret
from wire_calls import balance, data_url, picture, status

from ground import Server, wait_until

_TINY: dict[str, Any] = {"prompt": "a quiet lake", "width": 64, "height": 64}


@pytest.fixture
def client(caller: httpx.Client) -> Iterator[replicate.Client]:
    """The official client of a fresh account, told the base address and the key."""
    one = _client(caller)
    yield one
    one._client.close()


def _client(caller: httpx.Client, **options: Any) -> replicate.Client:
    key = caller.headers["authorization"].removeprefix("Bearer ")
    base = str(caller.base_url).rstrip("/")
    return replicate.Client(api_token=key, base_url=f"{base}/replicate", **options)


def _size(url: str) -> tuple[int, int]:
    with Image.open(io.BytesIO(httpx.get(url).content)) as shown:
        return shown.size


def test_a_model_is_run_and_its_pictures_are_tasks_like_all(caller, client) -> None:
    # Over plain HTTP its client leaves addresses as they are.
    asked = {**_TINY, "num_outputs": 2, "seed": 7, "num_inference_steps": 4}
    urls = client.run("darkroom/painter", input=asked)
    assert [_size(url) for url in urls] == [(64, 64)] * 2
    assert balance(caller) == 999
    again = client.run("darkroom/painter:PAINTER", input=asked)
    assert len(again) == 2

    def recorded() -> bool:
        records = caller.get("/v1/history").json()["data"]["records"]
        paths = [one["path"] for one in records]
        return "/replicate/v1/models/darkroom/painter/predictions" in paths

    wait_until(recorded, what="the call in the history")


def test_a_prediction_is_created_waited_for_and_read_in_our_wire(caller, client) -> None:
    made = client.predictions.create(version="darkroom/painter", input=_TINY)
    assert (made.status, made.model, made.output) == ("starting", "darkroom/painter", None)
    made.wait()
    task = status(caller, made.id)
    assert (made.status, made.output) == ("succeeded", task["images"])
    assert made.progress.percentage == 1
    assert made.input["prompt"] == "a quiet lake"
    assert client.predictions.get(made.id).metrics["predict_time"] >= 0


def test_files_are_uploaded_for_inputs(caller, client) -> None:
    uploaded = client.files.create(io.BytesIO(body := picture()))
    assert httpx.get(uploaded.urls["get"]).content == body
    for shown in (io.BytesIO(picture()), uploaded.urls["get"], data_url(picture())):
        [url] = client.run("darkroom/painter", input={**_TINY, "image": shown})
        assert _size(url) == (64, 64)
    url = client.run("image-bg-remove/toolbox", input={"image": uploaded.urls["get"]})
    assert url.endswith(".png")


def test_a_prediction_is_canceled(caller, client) -> None:
    large = {"prompt": "large", "width": 2048, "height": 2048, "num_outputs": 8}
    made = client.predictions.create(version="PAINTER", input=large)
    made.cancel()
    assert made.status == "canceled"
    assert status(caller, made.id)["error_code"] == 6005


def test_a_webhook_is_told_in_its_words_and_verified_by_its_client(
    fronted, localhost_certificate, listener
) -> None:
    trust = ssl.create_default_context(cafile=localhost_certificate)
    transport = httpx.HTTPTransport(verify=trust)
    with fronted.client() as caller:
        client = _client(caller, transport=transport)
        made = client.predictions.create(
            version="PAINTER",
            input=_TINY,
            webhook=listener.url,
            webhook_events_filter=["completed"],
        )
        wait_until(lambda: listener.heard, what="the webhook")
        secret = client.webhooks.default.secret()
        client._client.close()
    headers, body, raw = listener.heard[0]
    assert (body["id"], body["status"], body["version"]) == (made.id, "succeeded", "PAINTER")
    assert body["output"][0].endswith(".png")
    assert isinstance(secret, WebhookSigningSecret)
    Webhooks.validate(headers=headers, body=raw, secret=secret)


def test_a_model_says_what_it_takes(client) -> None:
    model = client.models.get("darkroom/painter")
    fields = model.latest_version.openapi_schema["components"]["schemas"]["Input"]["properties"]
    assert {"prompt", "seed", "width", "height", "num_outputs"} <= fields.keys()
    assert "webhook_url" not in fields


@pytest.mark.parametrize(
    ("version", "changes", "status_code", "said"),
    [
        ("stability-ai/sdxl-9", {}, 404, "is not known here"),
        ("darkroom/painter:0123abc", {}, 404, "has no version 0123abc"),
        ("PAINTER", {"prompt": ""}, 422, "prompt cannot be empty"),
        ("PAINTER", {"num_outputs": 99}, 422, "at most 8"),
        ("PAINTER", {"lora_weights": "x"}, 422, "lora_weights is not taken"),
        ("PAINTER", {"image": 5}, 422, "send the address of a file"),
        ("TOOLBOX", {"image": "data:,"}, 422, "say which, such as"),
    ],
)
def test_what_would_not_come_true_is_refused_in_words(
    careful: httpx.Client, version, changes, status_code, said
) -> None:
    client = _client(careful)
    with pytest.raises(ReplicateError, match=said) as caught:
        client.predictions.create(version=version, input=_TINY | changes)
    client._client.close()
    assert caught.value.status == status_code
    assert caught.value.title


def test_a_bad_token_and_an_empty_account_are_refused(callers, server: Server) -> None:
    poor = _client(callers(0))
    with pytest.raises(ReplicateError, match="insufficient credits") as caught:
        poor.predictions.create(version="PAINTER", input=_TINY)
    assert caught.value.status == 402
    poor._client.close()
    answer = httpx.get(
        f"{server.url}/replicate/v1/predictions/x", headers={"Authorization": "Token sk-no"}
    )
    assert (answer.status_code, answer.json()["title"]) == (401, "Unauthenticated")
