"""Stability over a real socket, with real tasks and rows; nothing is paid for twice."""

from __future__ import annotations

import base64

import pytest
from wires import LOST, SEED, TWICE, Asked, Said, Story, Wire, png

from darkroom import errors
from darkroom.domain.tasks import SUCCESS
from darkroom.engine.backends.remote.stability import Stability

KEY = "sk-secret"


class StabilityWire(Wire):
    """Pictures at once, or under an id that is asked for some times."""

    def __init__(self) -> None:
        super().__init__()
        self.working = 1
        self.reason = "SUCCESS"

    def serve(self, asked: Asked) -> Said:
        if asked.headers["authorization"] != f"Bearer {KEY}":
            return Said({"id": "e", "name": "unauthorized", "errors": ["no such key"]}, 401)
        assert asked.headers["accept"] == "application/json"
        picture = base64.b64encode(self.picture).decode()
        told = {"finish_reason": self.reason, "seed": SEED}
        if asked.method == "POST":
            self.billed += 1
            if asked.path.endswith("upscale/creative"):
                return Said({"id": "gen-1"}, 202 if self.working else 200)
            return Said({"image": picture} | told)
        if self.working:
            self.working -= 1
            return Said({"id": "gen-1", "status": "in-progress"}, 202)
        return Said({"result": picture} | told)


@pytest.fixture
def wire(monkeypatch):
    monkeypatch.setenv("STABILITY_API_KEY", KEY)
    with StabilityWire().running() as one:
        yield one


@pytest.fixture
def story(ground, tmp_path):
    return Story(ground, tmp_path, Stability(look_seconds=0.05))


def _options(wire, **more):
    return {"address": wire.address, "model": "core", "cost": 0.03} | more


ASKED = {"prompt": "a harbour", "width": 1920, "height": 1088}


def test_a_picture_from_words_comes_as_the_answer(wire, story) -> None:
    told = story.run("text-to-image", _options(wire), negative_prompt="fog", **ASKED)
    [sent] = wire.asked
    assert sent.path == "/v2beta/stable-image/generate/core"
    assert sent.form == {
        "prompt": "a harbour",
        "negative_prompt": "fog",
        "aspect_ratio": "16:9",
        "seed": str(SEED),
    }
    assert (told.task.status, told.call) == (SUCCESS, ("delivered", True, 30_000))
    assert [(one.width, one.height) for one in told.made] == [(16, 8)]


def test_a_picture_from_a_picture_by_the_sd3_endpoint(wire, story) -> None:
    picture = png()
    options = _options(wire, model="sd3.5-large", extra={"strength": 0.5, "style_preset": "anime"})
    story.run("image-to-image", options, {"images": [picture]}, **ASKED)
    [sent] = wire.asked
    assert sent.path == "/v2beta/stable-image/generate/sd3"
    assert sent.form == {
        "prompt": "a harbour",
        "seed": str(SEED),
        "model": "sd3.5-large",
        "mode": "image-to-image",
        "strength": "0.5",
        "style_preset": "anime",
        "image": picture,
    }


@pytest.mark.parametrize(
    ("kind", "endpoint", "fields", "sent"),
    [
        ("image-upscale", "upscale/fast", {}, {}),
        ("image-bg-remove", "edit/remove-background", {}, {}),
        (
            "image-expand",
            "edit/outpaint",
            {
                "original_image_size": "16x8",
                "canvas_size": "32x32",
                "original_image_location": "4,6",
            },
            {"seed": "7", "left": "4", "right": "12", "up": "6", "down": "18"},
        ),
    ],
)
def test_tools(wire, story, kind, endpoint, fields, sent) -> None:
    options = _options(wire, model={kind: endpoint.rpartition("/")[2]})
    told = story.run(kind, options, {"img_url": [png()]}, **fields)
    [asked] = wire.asked
    assert asked.path == f"/v2beta/stable-image/{endpoint}"
    assert asked.form == sent | {"image": png()}
    assert told.task.status == SUCCESS


def _creative(wire):
    return _options(wire, model="creative", extra={"prompt": "a harbour"})


def test_what_takes_longer_is_asked_for_by_its_id(wire, story) -> None:
    told = story.run("image-upscale", _creative(wire), {"img_url": [png()]})
    assert [one.path for one in wire.asked[1:]] == ["/v2beta/results/gen-1"] * 2
    assert told.calls[0].remote_id == "gen-1"
    assert told.call == ("delivered", True, 30_000)


def test_a_canceled_task_may_be_billed_since_nothing_is_taken_back(wire, story) -> None:
    wire.working = 1000

    async def stopped(database):
        await story.submit(database, "image-upscale", {"img_url": [png()]}, {})
        await story.canceled(database, _creative(wire), lambda: wire.seen("GET *"))
        return await story.told(database)

    told = story.ground.run(stopped)
    assert isinstance(told.error, errors.Canceled)
    assert told.call == ("canceled", None, None)


def test_nobody_looks_more_often_than_may_be(wire, ground, tmp_path) -> None:
    wire.working = 1
    slow = Story(ground, tmp_path, Stability(look_seconds=1.5))
    told = slow.run("image-upscale", _creative(wire), {"img_url": [png()]})
    assert told.call == ("delivered", True, 30_000)
    # Half a second and a longer pause would have been three looks.
    assert len(wire.seen("GET *")) == 2


def test_what_was_sent_is_asked_for_after_a_crash(wire, story) -> None:
    wire.working = 3

    async def crashed(database):
        await story.submit(database, "image-upscale", {"img_url": [png()]}, {})
        await story.interrupted(database, _creative(wire), lambda: wire.seen("GET *"))
        await story.attempt(database, _creative(wire))
        return await story.told(database)

    told = story.ground.run(crashed)
    assert told.call == ("delivered", True, 30_000)
    assert (len(wire.seen("POST *")), wire.billed) == (1, 1)


def test_a_crash_before_the_answer_leaves_the_outcome_unknown(wire, story) -> None:
    async def crashed(database):
        await story.submit(database, "text-to-image", {}, ASKED)
        async with story.claimed(database, _options(wire)) as one:
            # All that a worker wrote who died while it waited for the answer.
            await one.runner.open()
            await one.give_back()
        await story.attempt(database, _options(wire))
        return await story.told(database)

    told = story.ground.run(crashed)
    assert isinstance(told.error, errors.OutcomeUnknown)
    assert told.call == ("unknown", None, None)
    assert not wire.asked


def test_a_lost_answer_is_not_asked_for_twice(wire, story) -> None:
    wire.fault("POST *", LOST)
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert isinstance(told.error, errors.OutcomeUnknown)
    assert told.call == ("unknown", None, None)
    assert (len(wire.seen("POST *")), wire.billed) == (1, 1)


@pytest.mark.parametrize("body", [b"\x00what", {"finish_reason": "SUCCESS"}, []])
def test_an_answer_that_says_nothing_is_a_lost_one(wire, story, body) -> None:
    wire.fault("POST *", Said(body))
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert told.call == ("unknown", None, None)


def test_an_answer_that_comes_twice_counts_once(wire, story) -> None:
    wire.fault("POST *", TWICE)
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert (told.call, wire.billed) == (("delivered", True, 30_000), 1)


def test_a_blurred_picture_is_no_result(wire, story) -> None:
    wire.reason = "CONTENT_FILTERED"
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert isinstance(told.error, errors.ContentBlocked)
    assert told.call == ("failed", None, None)
    assert (told.made, told.task.charged_mill) == ([], 0)


def test_a_picture_that_is_no_base64_fails(wire, story) -> None:
    wire.fault("POST *", Said({"image": "??", "finish_reason": "SUCCESS"}))
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert isinstance(told.error, errors.BackendFailed)
    assert told.call == ("failed", None, None)


def test_two_pictures_are_more_than_it_takes(wire, story) -> None:
    told = story.run("image-to-image", _options(wire), {"images": [png(), png()]}, **ASKED)
    assert isinstance(told.error, errors.BadInput)
    assert not wire.asked


@pytest.mark.parametrize(
    ("name", "status", "error", "rest"),
    [
        ("content_moderation", 403, errors.ContentBlocked, 0),
        ("payment_required", 402, errors.Hindered, 0),
        ("rate_limit_exceeded", 429, errors.Hindered, 60),
        ("internal_error", 500, errors.Hindered, 0),
        ("bad_request", 400, errors.BadInput, 0),
        ("invalid_dimensions", 422, errors.BadInput, 0),
    ],
)
def test_who_refuses_has_taken_nothing(wire, story, name, status, error, rest) -> None:
    body = {"id": "e", "name": name, "errors": ["some reason"]}
    headers = {"Retry-After": str(rest)} if rest else {}
    wire.fault("POST *", Said(body, status, headers))
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert type(told.error) is error
    assert getattr(told.error, "retry_after_seconds", 0) == rest
    assert "some reason" in told.error.message
    assert (told.call, wire.billed) == (("refused", False, None), 0)


def test_a_wrong_key_is_the_servers_fault(wire, story, monkeypatch) -> None:
    monkeypatch.setenv("STABILITY_API_KEY", "wrong")
    told = story.run("text-to-image", _options(wire), **ASKED)
    assert "refuses this server's key: no such key" in told.error.message
