"""Black Forest Labs over a real socket, with real tasks and rows; nothing is paid for twice."""

from __future__ import annotations

import base64

import pytest
from wires import LOST, SEED, TWICE, Asked, Said, Story, Wire, png

from darkroom import errors
from darkroom.domain.tasks import SUCCESS
from darkroom.engine.backends.remote.bfl import BlackForestLabs

KEY = "bfl-secret"
_TEXT = {"type": "string"}
_OR_TEXT = {"anyOf": [{"type": "string"}, {"type": "null"}]}
_SIDE = {"type": "integer", "minimum": 256, "maximum": 1440, "multipleOf": 32}
_SEED = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
_MARGIN = {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 2048}, {"type": "null"}]}
_MODELS = {
    "flux-pro-1.1": {"prompt": _OR_TEXT, "width": _SIDE, "height": _SIDE, "seed": _SEED},
    "flux-kontext-pro": {
        "prompt": _TEXT,
        "aspect_ratio": _OR_TEXT,
        "input_image": _OR_TEXT,
        "input_image_2": _OR_TEXT,
    },
    "flux-pro-1.0-expand": {
        "image": _TEXT,
        "top": _MARGIN,
        "bottom": _MARGIN,
        "left": _MARGIN,
        "right": _MARGIN,
        "seed": {"type": "integer"},
    },
}


class BflWire(Wire):
    """Tasks that are pending for some looks, and then end as told."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: dict[str, int] = {}
        self.pending = 0
        self.end: dict = {}

    def serve(self, asked: Asked) -> Said:
        if asked.path == "/openapi.json":
            return Said(_document())
        if asked.path.startswith("/files/"):
            return Said(self.picture)
        if asked.headers["x-key"] != KEY:
            return Said({"detail": "Not authenticated"}, 403)
        if asked.method == "POST":
            name = f"t{len(self.looks)}"
            self.looks[name] = 0
            self.billed += 1
            there = f"{self.address}/v1/get_result?id={name}"
            return Said({"id": name, "polling_url": there, "cost": 4.0, "output_mp": 1.0})
        [name] = asked.query["id"]
        if name not in self.looks:
            return Said({"id": name, "status": "Task not found", "result": None}, 404)
        self.looks[name] += 1
        if self.looks[name] <= self.pending:
            return Said({"id": name, "status": "Pending", "result": None, "progress": 0.5})
        sample = {"sample": f"{self.address}/files/0.png?sig={self.looks[name]}"}
        return Said({"id": name, "status": "Ready", "result": sample} | self.end)


def _document() -> dict:
    return {
        "openapi": "3.1.0",
        "paths": {
            f"/v1/{name}": {
                "post": {
                    "requestBody": {
                        "content": {
                            "application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}
                        }
                    }
                }
            }
            for name in _MODELS
        },
        "components": {
            "schemas": {
                name: {"type": "object", "properties": fields} for name, fields in _MODELS.items()
            }
        },
    }


@pytest.fixture
def wire(monkeypatch):
    monkeypatch.setenv("BFL_API_KEY", KEY)
    with BflWire().running() as one:
        yield one


@pytest.fixture
def story(ground, tmp_path):
    return Story(ground, tmp_path, BlackForestLabs())


def _options(wire, **more):
    return {"address": wire.address, "model": "flux-pro-1.1"} | more


ASKED = {"prompt": "a harbour", "width": 1920, "height": 1080}


def test_a_picture_within_the_models_bounds_and_its_price(wire, story) -> None:
    told = story.run("text-to-image", _options(wire), **ASKED)
    [sent] = wire.seen("POST *")
    assert sent.path == "/v1/flux-pro-1.1"
    # 1920x1080 is more than it makes: the same shape, within its bounds, in its steps.
    assert sent.json == {"prompt": "a harbour", "seed": SEED, "width": 1440, "height": 800}
    # Four credits, told when it was sent.
    assert (told.task.status, told.call) == (SUCCESS, ("delivered", True, 40_000))


def test_pictures_go_under_their_numbers(wire, story) -> None:
    pictures = [png(16, 8), png(8, 16)]
    options = _options(wire, model="flux-kontext-pro")
    told = story.run("image-to-image", options, {"images": pictures}, aspect_ratio="16:9", **ASKED)
    assert wire.seen("POST *")[0].json == {
        "prompt": "a harbour",
        "aspect_ratio": "16:9",
        "input_image": base64.b64encode(pictures[0]).decode(),
        "input_image_2": base64.b64encode(pictures[1]).decode(),
    }
    assert told.task.status == SUCCESS


def test_a_canvas_around_a_picture(wire, story) -> None:
    told = story.run(
        "image-expand",
        _options(wire, model="flux-pro-1.0-expand", extra={"prompt": "more sea"}),
        {"img_url": [png(64, 32)]},
        original_image_size="128x64",
        canvas_size="256x128",
        original_image_location="100,20",
    )
    sent = wire.seen("POST *")[0].json
    # The picture as large as it is on the canvas.
    assert base64.b64decode(sent.pop("image"))[16:24] == (128).to_bytes(4) + (64).to_bytes(4)
    margins = {"left": 100, "top": 20, "right": 28, "bottom": 44}
    assert sent == {"seed": SEED, "prompt": "more sea"} | margins
    assert told.task.status == SUCCESS


def test_a_lost_answer_is_not_asked_for_twice(wire, story) -> None:
    wire.fault("POST *", LOST)
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert isinstance(told.error, errors.OutcomeUnknown)
    assert told.call == ("unknown", None, None)
    assert (len(wire.seen("POST *")), wire.billed) == (1, 1)


@pytest.mark.parametrize("address", [None, 5, "", "http://[::", "https://elsewhere.example/t0"])
def test_an_answer_that_says_nothing_is_a_lost_one(wire, story, address) -> None:
    wire.fault("POST *", Said({"id": "t0", "polling_url": address}))
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert told.call == ("unknown", None, None)


@pytest.mark.parametrize("cost", [None, "4", -1, float("nan"), 1e300])
def test_a_price_that_is_none_is_not_kept(wire, story, cost) -> None:
    wire.looks["t0"] = 0
    there = f"{wire.address}/v1/get_result?id=t0"
    wire.fault("POST *", Said({"id": "t0", "polling_url": there, "cost": cost}))
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert told.call == ("delivered", True, None)


def test_an_answer_that_comes_twice_counts_once(wire, story) -> None:
    wire.fault("POST *", TWICE)
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert (told.call, wire.billed) == (("delivered", True, 40_000), 1)


def test_what_was_sent_is_asked_for_after_a_crash_and_its_price_known(wire, story) -> None:
    wire.pending = 1

    async def crashed(database):
        await story.submit(database, "text-to-image", {}, ASKED)
        await story.interrupted(database, _options(wire), lambda: wire.seen("GET /v1/*"))
        await story.attempt(database, _options(wire))
        return await story.told(database)

    told = story.ground.run(crashed)
    assert told.call == ("delivered", True, 40_000)
    assert (len(wire.seen("POST *")), wire.billed) == (1, 1)


def test_a_canceled_task_may_be_billed_since_nothing_is_taken_back(wire, story) -> None:
    wire.pending = 1000

    async def stopped(database):
        await story.submit(database, "text-to-image", {}, ASKED)
        await story.canceled(database, _options(wire), lambda: story.attempts[0].progress == 0.5)
        return await story.told(database)

    told = story.ground.run(stopped)
    assert isinstance(told.error, errors.Canceled)
    assert told.call == ("canceled", None, None)


@pytest.mark.parametrize(
    ("end", "error", "is_billed"),
    [
        ({"status": "Request Moderated", "result": None}, errors.ContentBlocked, False),
        ({"status": "Content Moderated", "result": None}, errors.ContentBlocked, False),
        ({"status": "Error", "result": None}, errors.BackendFailed, False),
        ({"status": "Ready", "result": {}}, errors.BackendFailed, None),
        ({"status": "Ready", "result": "soon"}, errors.BackendFailed, None),
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
        (Said({"detail": "Too many active tasks"}, 429, {"Retry-After": "3"}), errors.Hindered, 3),
        (Said({"detail": "Insufficient credits"}, 402), errors.Hindered, 0),
        (Said({"detail": "Oh no"}, 500), errors.Hindered, 0),
        (Said({"detail": [{"msg": "too small"}]}, 422), errors.BadInput, 0),
        (Said({"status": "Request Moderated"}, 422), errors.ContentBlocked, 0),
    ],
)
def test_who_refuses_has_taken_nothing(wire, story, refusal, error, rest) -> None:
    wire.fault("POST *", refusal)
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert type(told.error) is error
    assert getattr(told.error, "retry_after_seconds", 0) == rest
    assert (told.call, wire.billed) == (("refused", False, None), 0)


def test_a_wrong_key_is_the_servers_fault(wire, story, monkeypatch) -> None:
    monkeypatch.setenv("BFL_API_KEY", "wrong")
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert "refuses this server's key: Not authenticated" in told.error.message


def test_a_model_that_nobody_knows_is_the_catalogues_fault(wire, story) -> None:
    told = story.run("text-to-image", _options(wire, model="flux-9"), **ASKED)
    assert isinstance(told.error, errors.Hindered)
    assert told.error.message == "The upstream does not describe /v1/flux-9."


def test_a_task_that_is_not_known_at_first_is_asked_for_again(wire, story) -> None:
    wire.fault("GET /v1/*", Said({"status": "Task not found"}), Said({}, 404))
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert told.call == ("delivered", True, 40_000)
