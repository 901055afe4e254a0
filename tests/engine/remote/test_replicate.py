"""Replicate: predictions over a real socket, with real tasks and rows; nothing is paid twice."""

from __future__ import annotations

import os

import pytest
from wires import LOST, SEED, TWICE, Asked, Said, Story, Wire, png

from darkroom import errors
from darkroom.domain.tasks import SUCCESS
from darkroom.engine.backends.remote.replicate import Replicate

KEY = "r8-secret"
MODEL = "black-forest-labs/flux-dev"
_TEXT = {"type": "string"}
_SCHEMAS = {
    "Input": {
        "type": "object",
        "properties": {
            "prompt": _TEXT,
            "aspect_ratio": {
                "allOf": [{"$ref": "#/components/schemas/aspect_ratio"}],
                "default": "1:1",
            },
            "image": {"type": "string", "format": "uri"},
            "num_outputs": {"type": "integer", "minimum": 1, "maximum": 4},
            "seed": {"type": "integer"},
        },
    },
    "aspect_ratio": {"type": "string", "enum": ["1:1", "16:9", "21:9", "3:2"]},
}


class ReplicateWire(Wire):
    """Predictions that start for some looks, run for some, and then end as told."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: dict[str, int] = {}
        self.starts, self.runs = 0, 0
        self.end: dict = {}
        self.is_canceled = False

    def serve(self, asked: Asked) -> Said:
        path = asked.path
        if path.startswith("/files/"):
            return Said(self.picture)
        if asked.headers["authorization"] != f"Bearer {KEY}":
            return Said({"title": "Unauthenticated", "detail": "You did not pass a token"}, 401)
        if path == "/v1/files":
            urls = {"get": f"{self.address}/v1/files/f"}
            kept = {"name": "f", "content_type": "image/png", "size": 3, "etag": "e"}
            times = {"created_at": "2026-11-29T20:00:00Z", "expires_at": "2026-11-30T20:00:00Z"}
            return Said(
                {"id": "f", "urls": urls, "checksums": {}, "metadata": {}} | kept | times, 201
            )
        described = {"components": {"schemas": _SCHEMAS}}
        if path == f"/v1/models/{MODEL}":
            return Said({"name": "flux-dev", "latest_version": {"openapi_schema": described}})
        if path == "/v1/models/someone/upscaler/versions/abc":
            fields = {"image": _TEXT, "scale": {"type": "number", "maximum": 10}}
            schemas = {"Input": {"type": "object", "properties": fields}}
            return Said({"id": "abc", "openapi_schema": {"components": {"schemas": schemas}}})
        if path.endswith("/cancel"):
            self.is_canceled = True
            return self._said(path.split("/")[3], status="canceled")
        if asked.method == "POST":
            name = f"p{len(self.looks)}"
            self.looks[name] = 0
            self.billed += 1
            return self._said(name, 201, status="starting")
        name = path.rpartition("/")[2]
        self.looks[name] += 1
        if self.looks[name] <= self.starts:
            return self._said(name, status="starting")
        if self.looks[name] <= self.starts + self.runs:
            log = "seed 7\n 25%|##   | 5/20\n 45%|####  | 9/20"
            return self._said(name, status="processing", logs=log)
        end = {"status": "succeeded", "metrics": {"predict_time": 1.5}}
        return self._said(name, **end | {"output": [f"{self.address}/files/0.png"]} | self.end)

    def _said(self, name: str, status_code: int = 200, **more) -> Said:
        there = f"{self.address}/v1/predictions/{name}"
        whole = {
            "id": name,
            "model": MODEL,
            "version": "hidden",
            "input": {},
            "logs": "",
            "output": None,
            "error": None,
            "created_at": "2026-11-29T20:00:00Z",
            "urls": {"get": there, "cancel": f"{there}/cancel"},
        }
        return Said(whole | more, status_code)


@pytest.fixture
def wire(monkeypatch):
    monkeypatch.setenv("REPLICATE_API_TOKEN", KEY)
    with ReplicateWire().running() as one:
        yield one


@pytest.fixture
def story(ground, tmp_path):
    return Story(ground, tmp_path, Replicate())


def _options(wire, **more):
    return {"address": wire.address, "model": MODEL, "cost": 0.03} | more


ASKED = {"prompt": "a harbour", "width": 1920, "height": 1080}


def test_a_picture_from_words(wire, story) -> None:
    wire.starts, wire.runs = 1, 1
    told = story.run("text-to-image", _options(wire, cancel_after="5m"), **ASKED)
    [sent] = wire.seen("POST *")
    assert sent.path == f"/v1/models/{MODEL}/predictions"
    assert sent.json == {
        "input": {"prompt": "a harbour", "seed": SEED, "num_outputs": 1, "aspect_ratio": "16:9"}
    }
    assert sent.headers["cancel-after"] == "5m"
    assert "prefer" not in sent.headers
    assert (told.task.status, told.call) == (SUCCESS, ("delivered", True, 30_000))
    assert story.attempts[0].progress == 1
    assert [(one.width, one.height) for one in told.made] == [(16, 8)]


def test_a_version_and_one_address_as_output(wire, story) -> None:
    wire.end = {"output": f"{wire.address}/files/1.png"}
    options = _options(wire, model={"image-upscale": "someone/upscaler:abc"})
    told = story.run("image-upscale", options, {"img_url": [png()]})
    [sent] = wire.seen("POST *")
    assert sent.path == "/v1/predictions"
    assert sent.json["version"] == "abc"
    assert sent.json["input"].pop("image").startswith("data:image/png;base64,")
    assert sent.json["input"]["scale"] == 2
    assert told.task.status == SUCCESS


def test_a_large_picture_is_uploaded_first(wire, story) -> None:
    picture = png() + os.urandom(300_000)
    told = story.run("image-to-image", _options(wire), {"images": [picture]}, **ASKED)
    uploaded, sent = wire.seen("POST *")
    assert uploaded.form["content"] == picture
    # Nobody asked for another shape, so the picture keeps its own.
    assert sent.json["input"] == {
        "prompt": "a harbour",
        "seed": SEED,
        "num_outputs": 1,
        "image": f"{wire.address}/v1/files/f",
    }
    assert told.task.status == SUCCESS


def test_an_upload_whose_answer_is_lost_has_cost_nothing(wire, story) -> None:
    wire.fault("POST /v1/files", LOST)
    picture = png() + os.urandom(300_000)
    told = story.run("image-to-image", _options(wire), {"images": [picture]}, **ASKED)
    assert isinstance(told.error, errors.Hindered)
    assert told.call == ("refused", False, None)


def test_more_pictures_than_the_model_takes_are_refused(wire, story) -> None:
    told = story.run("image-to-image", _options(wire), {"images": [png(), png()]}, **ASKED)
    assert isinstance(told.error, errors.BadInput)
    assert wire.billed == 0


def test_a_lost_answer_is_not_asked_for_twice(wire, story) -> None:
    wire.fault("POST *", LOST)
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert isinstance(told.error, errors.OutcomeUnknown)
    assert told.call == ("unknown", None, None)
    assert (len(wire.seen("POST *")), wire.billed) == (1, 1)


def test_an_answer_that_comes_twice_counts_once(wire, story) -> None:
    wire.fault("POST *", TWICE)
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert (told.call, wire.billed) == (("delivered", True, 30_000), 1)


def test_what_was_sent_is_asked_for_after_a_crash(wire, story) -> None:
    wire.starts = 1

    async def crashed(database):
        await story.submit(database, "text-to-image", {}, ASKED)
        looked = "GET /v1/predictions/*"
        await story.interrupted(database, _options(wire), lambda: wire.seen(looked))
        await story.attempt(database, _options(wire))
        return await story.told(database)

    told = story.ground.run(crashed)
    assert told.call == ("delivered", True, 30_000)
    assert (len(wire.seen("POST *")), wire.billed) == (1, 1)


def test_a_canceled_task_is_taken_back_and_billed(wire, story) -> None:
    wire.runs = 1000

    async def stopped(database):
        await story.submit(database, "text-to-image", {}, ASKED)
        # What the model's own progress bar says.
        await story.canceled(database, _options(wire), lambda: story.attempts[0].progress == 0.45)
        return await story.told(database)

    told = story.ground.run(stopped)
    assert isinstance(told.error, errors.Canceled)
    assert (told.call, wire.is_canceled) == (("canceled", True, None), True)


@pytest.mark.parametrize(
    ("end", "error", "is_billed"),
    [
        (
            {"status": "failed", "error": "The input or output was flagged as sensitive. (E005)"},
            errors.ContentBlocked,
            None,
        ),
        ({"status": "failed", "error": "NSFW content detected."}, errors.ContentBlocked, None),
        ({"status": "failed", "error": "CUDA out of memory"}, errors.BackendFailed, None),
        ({"status": "succeeded", "output": None}, errors.BackendFailed, None),
        ({"status": "succeeded", "output": {"text": "hello"}}, errors.BackendFailed, None),
        ({"status": "canceled"}, errors.TimedOut, True),
        ({"status": "aborted"}, errors.Hindered, False),
    ],
)
def test_how_a_task_ends_badly(wire, story, end, error, is_billed) -> None:
    wire.end = end
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert type(told.error) is error
    assert told.call == ("failed", is_billed, None)


@pytest.mark.parametrize(
    ("refusal", "error", "rest"),
    [
        (Said({"detail": "Request was throttled."}, 429, {"Retry-After": "9"}), errors.Hindered, 9),
        (Said({"detail": "Insufficient credit"}, 402), errors.Hindered, 0),
        (Said({"detail": "Oh no"}, 500), errors.Hindered, 0),
        (Said({"detail": "- input: prompt is required"}, 422), errors.BadInput, 0),
    ],
)
def test_who_refuses_has_taken_nothing(wire, story, refusal, error, rest) -> None:
    wire.fault("POST *", refusal)
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert type(told.error) is error
    assert getattr(told.error, "retry_after_seconds", 0) == rest
    assert refusal.body["detail"] in told.error.message
    assert (told.call, wire.billed) == (("refused", False, None), 0)


def test_a_wrong_key_is_the_servers_fault(wire, story, monkeypatch) -> None:
    monkeypatch.setenv("REPLICATE_API_TOKEN", "wrong")
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert "refuses this server's key" in told.error.message


def test_a_look_that_fails_is_taken_again(wire, story) -> None:
    wire.fault("GET /v1/predictions/*", Said({}, 503), LOST, Said(b"what?"))
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert told.call == ("delivered", True, 30_000)


def test_a_result_of_a_wrong_type_fails(wire, story) -> None:
    wire.picture = b"<html>no picture</html>"
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert isinstance(told.error, errors.BackendFailed)
    assert told.made == []
