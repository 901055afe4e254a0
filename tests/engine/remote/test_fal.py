"""fal: its queue over a real socket, with real tasks and rows; nothing is paid for twice."""

from __future__ import annotations

import pytest
from wires import LOST, SEED, TWICE, Asked, Said, Story, Wire, png

from darkroom import errors
from darkroom.domain.tasks import SUCCESS
from darkroom.engine.backends.remote.fal import Fal

KEY = "fal-secret"
MODEL = "fal-ai/flux/dev"
_TEXT = {"type": "string"}
_FIELDS = {
    MODEL: {
        "prompt": _TEXT,
        "seed": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "num_images": {"type": "integer", "minimum": 1, "maximum": 4},
        "image_size": {
            "anyOf": [
                {"$ref": "#/components/schemas/ImageSize"},
                {"type": "string", "enum": ["square_hd", "landscape_16_9"]},
            ]
        },
    },
    "fal-ai/flux/dev/image-to-image": {
        "prompt": _TEXT,
        "image_url": _TEXT,
        "strength": {"type": "number"},
        "seed": {"type": "integer"},
    },
    "fal-ai/kling-video/v2/image-to-video": {
        "prompt": _TEXT,
        "image_url": _TEXT,
        "duration": {"type": "string", "enum": ["5", "10"]},
        "aspect_ratio": {"type": "string", "enum": ["16:9", "9:16", "1:1"]},
        "negative_prompt": _TEXT,
    },
}


class FalWire(Wire):
    """The queue: a request waits for some looks, runs for some, and is then complete."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: dict[str, int] = {}
        self.result = None
        # How many looks find it waiting, and then running.
        self.waits, self.runs = 0, 0

    def serve(self, asked: Asked) -> Said:
        path = asked.path
        if path == "/api/openapi/queue/openapi.json":
            return Said(_described(asked.query["endpoint_id"][0]))
        if path.startswith("/files/"):
            return Said(self.picture)
        if asked.headers["authorization"] != f"Key {KEY}":
            return Said({"detail": "Cannot access application. Authentication is required."}, 401)
        if asked.method == "POST":
            request_id = f"request-{len(self.looks)}"
            self.looks[request_id] = 0
            self.billed += 1
            # The address drops the model's path below its app, as fal's own does.
            there = f"{self.address}/fal-ai/flux/requests/{request_id}"
            return Said(
                {
                    "status": "IN_QUEUE",
                    "request_id": request_id,
                    "response_url": there,
                    "status_url": f"{there}/status",
                    "cancel_url": f"{there}/cancel",
                    "queue_position": 0,
                }
            )
        request_id = path.split("/requests/")[1].split("/")[0]
        if asked.method == "PUT":
            if self.looks[request_id] <= self.waits:
                self.billed -= 1
            return Said({"status": "CANCELLATION_REQUESTED"}, 202)
        if not path.endswith("/status"):
            return self.result or Said({"images": [{"url": f"{self.address}/files/1.png"}]})
        self.looks[request_id] += 1
        if self.looks[request_id] <= self.waits:
            return Said({"status": "IN_QUEUE", "queue_position": 1}, 202)
        if self.looks[request_id] <= self.waits + self.runs:
            return Said({"status": "IN_PROGRESS", "logs": None}, 202)
        return Said({"status": "COMPLETED", "logs": None, "metrics": {"inference_time": 1.0}})


def _described(model: str) -> dict:
    size = {"properties": {"width": {"type": "integer"}, "height": {"type": "integer"}}}
    schema = {"$ref": "#/components/schemas/Input"}
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return {
        "openapi": "3.0.4",
        "paths": {f"/{model}": {"post": {"requestBody": body}}},
        "components": {
            "schemas": {
                "Input": {"type": "object", "properties": _FIELDS[model]},
                "ImageSize": {"type": "object", **size},
            }
        },
    }


@pytest.fixture
def wire(monkeypatch):
    monkeypatch.setenv("FAL_KEY", KEY)
    with FalWire().running() as one:
        yield one


@pytest.fixture
def story(ground, tmp_path):
    return Story(ground, tmp_path, Fal())


def _options(wire, **more):
    return {"address": wire.address, "model": MODEL, "cost": 0.025} | more


ASKED = {"prompt": "a harbour", "width": 1280, "height": 720}


def test_a_picture_from_words(wire, story) -> None:
    wire.waits, wire.runs = 1, 1
    told = story.run("text-to-image", _options(wire), negative_prompt="fog", **ASKED)
    [sent] = wire.seen("POST *")
    assert sent.path == f"/{MODEL}"
    # What not to show is nothing that this model takes.
    assert sent.json == {
        "prompt": "a harbour",
        "seed": SEED,
        "num_images": 1,
        "image_size": {"width": 1280, "height": 720},
    }
    assert (told.task.status, told.call) == (SUCCESS, ("delivered", True, 25_000))
    assert [(one.width, one.height) for one in told.made] == [(16, 8)]
    assert told.calls[0].remote_id.endswith("/fal-ai/flux/requests/request-0")
    assert wire.billed == 1


def test_a_picture_from_a_picture_and_options_last(wire, story) -> None:
    options = _options(wire, model={"image-to-image": "fal-ai/flux/dev/image-to-image"})
    options["extra"] = {"strength": 0.4, "enable_safety_checker": False}
    pictures = {"images": [png()]}
    story.run("image-to-image", options, pictures, prompt="at night", width=1024, height=1024)
    sent = wire.seen("POST *")[0].json
    assert sent.pop("image_url").startswith("data:image/png;base64,iVBOR")
    assert sent == {
        "prompt": "at night",
        "seed": SEED,
        "strength": 0.4,
        "enable_safety_checker": False,
    }


def test_a_clip_is_asked_for_in_the_models_words(wire, story) -> None:
    options = _options(wire, model="fal-ai/kling-video/v2/image-to-video")
    fields = ASKED | {"duration": 5, "aspect_ratio": "16:9", "negative_prompt": "blur"}
    told = story.run("image-to-video", options, {"image": [png()]}, **fields)
    sent = wire.seen("POST *")[0].json
    del sent["image_url"]
    assert sent == {
        "prompt": "a harbour",
        "negative_prompt": "blur",
        "duration": "5",
        "aspect_ratio": "16:9",
    }
    assert told.task.status == SUCCESS


def test_a_duration_that_the_model_does_not_make_is_refused_for_free(wire, story) -> None:
    options = _options(wire, model="fal-ai/kling-video/v2/image-to-video")
    told = story.run("image-to-video", options, {"image": [png()]}, **ASKED, duration=7)
    assert isinstance(told.error, errors.BadInput)
    assert "5, 10 seconds" in told.error.message
    assert told.call == ("refused", False, None)
    assert not wire.seen("POST *")


def test_a_lost_answer_is_not_asked_for_twice(wire, story) -> None:
    wire.fault("POST *", LOST)
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert isinstance(told.error, errors.OutcomeUnknown)
    assert told.call == ("unknown", None, None)
    assert (len(wire.seen("POST *")), wire.billed) == (1, 1)


@pytest.mark.parametrize("body", [b"<html>fine</html>", {"request_id": "r"}, ["IN_QUEUE"]])
def test_an_answer_that_says_nothing_is_a_lost_one(wire, story, body) -> None:
    wire.fault("POST *", Said(body))
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert told.call == ("unknown", None, None)


def test_the_key_goes_to_no_other_house(wire, story) -> None:
    wire.fault(
        "POST *", Said({"response_url": f"{wire.address.replace('127.0.0.1', 'localhost')}/x"})
    )
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert told.call == ("unknown", None, None)
    assert not wire.seen("GET /x*")


def test_an_answer_that_comes_twice_counts_once(wire, story) -> None:
    wire.fault("POST *", TWICE)
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert (told.call, wire.billed) == (("delivered", True, 25_000), 1)


def test_what_was_sent_is_asked_for_after_a_crash(wire, story) -> None:
    wire.waits = 1

    async def crashed(database):
        await story.submit(database, "text-to-image", {}, ASKED)
        await story.interrupted(database, _options(wire), lambda: wire.seen("GET */status"))
        await story.attempt(database, _options(wire))
        return await story.told(database)

    told = story.ground.run(crashed)
    assert told.call == ("delivered", True, 25_000)
    assert (len(wire.seen("POST *")), wire.billed) == (1, 1)


def test_a_canceled_task_leaves_the_queue_for_free(wire, story) -> None:
    wire.waits = 1000

    async def stopped(database):
        await story.submit(database, "text-to-image", {}, ASKED)
        await story.canceled(database, _options(wire), lambda: wire.seen("GET */status"))
        return await story.told(database)

    told = story.ground.run(stopped)
    assert isinstance(told.error, errors.Canceled)
    assert told.call == ("canceled", False, None)
    assert (len(wire.seen("PUT */cancel")), wire.billed) == (1, 0)


def test_a_task_that_is_canceled_while_it_runs_may_be_billed(wire, story) -> None:
    wire.runs = 1000

    async def stopped(database):
        await story.submit(database, "text-to-image", {}, ASKED)
        await story.canceled(database, _options(wire), lambda: wire.seen("GET */status"))
        return await story.told(database)

    assert story.ground.run(stopped).call == ("canceled", None, None)


def test_who_does_not_begin_in_time_is_passed_over(wire, story) -> None:
    wire.waits = 1000

    async def late(database):
        await story.submit(database, "text-to-image", {}, ASKED)
        options = _options(wire, start_seconds_max=0.1)
        await story.attempt(database, options, has_other=True)
        return await story.told(database)

    told = story.ground.run(late)
    assert isinstance(told.error, errors.Hindered)
    assert told.call == ("canceled", False, None)
    # fal itself gives up as well, where we could not.
    assert wire.seen("POST *")[0].headers["x-fal-request-timeout"] == "1.1"


def _fault(kind: str) -> dict:
    return {"detail": [{"loc": ["body", "prompt"], "msg": "No.", "type": kind}]}


@pytest.mark.parametrize(
    ("response", "error", "is_billed"),
    [
        (Said(_fault("content_policy_violation"), 422), errors.ContentBlocked, None),
        (Said(_fault("image_too_small"), 422), errors.BadInput, None),
        (Said(_fault("downstream_service_error"), 500), errors.BackendFailed, False),
        (Said({"images": [], "prompt": ""}), errors.BackendFailed, None),
        (
            Said({"images": [{"url": "https://x.example/1"}], "has_nsfw_concepts": [True]}),
            errors.ContentBlocked,
            True,
        ),
    ],
)
def test_how_a_model_ends_badly(wire, story, response, error, is_billed) -> None:
    wire.result = response
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert type(told.error) is error
    assert told.call == ("failed", is_billed, None)


def test_a_runner_that_failed_is_free_and_another_may_do_it(wire, story) -> None:
    gone = {"detail": "Runner disconnected", "error_type": "runner_disconnected"}
    completed = {"status": "COMPLETED", "error": "gone", "error_type": "runner_disconnected"}
    wire.fault("GET */status", Said(completed))
    wire.result = Said(gone, 503)
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert isinstance(told.error, errors.Hindered)
    assert not told.error.stays
    assert told.call == ("failed", False, None)


@pytest.mark.parametrize(
    ("refusal", "error", "rest"),
    [
        (Said({"detail": "Too many requests"}, 429, {"Retry-After": "7"}), errors.Hindered, 7),
        (Said({"detail": "Oh no"}, 500), errors.Hindered, 0),
        (
            Said({"detail": "User is locked. Reason: Exhausted balance."}, 403),
            errors.Hindered,
            0,
        ),
    ],
)
def test_who_refuses_is_hindered_and_nothing_is_paid(wire, story, refusal, error, rest) -> None:
    wire.fault("POST *", refusal)
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert type(told.error) is error
    assert told.error.retry_after_seconds == rest
    assert refusal.body["detail"] in told.error.message
    assert (told.call, wire.billed) == (("refused", False, None), 0)


def test_a_wrong_key_is_the_servers_fault(wire, story, monkeypatch) -> None:
    monkeypatch.setenv("FAL_KEY", "wrong")
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert "refuses this server's key" in told.error.message


def test_a_result_that_is_not_there_yet_is_fetched_again(wire, story) -> None:
    wire.fault("GET /files/*", Said({}, 404))
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert told.call == ("delivered", True, 25_000)


def test_a_result_elsewhere_is_fetched_without_the_key(wire, story) -> None:
    elsewhere = wire.address.replace("127.0.0.1", "localhost")
    wire.result = Said({"images": [{"url": f"{elsewhere}/files/2.png"}]})
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert told.task.status == SUCCESS
    assert "authorization" not in wire.seen("GET /files/2.png")[0].headers


def test_a_model_is_described_once(wire, story) -> None:
    for _ in range(2):
        story.run("text-to-image", _options(wire), **ASKED)
    assert len(wire.seen("GET /api/openapi/*")) == 1
