"""Stability over a real socket, with real tasks and rows; nothing is paid for twice."""

from __future__ import annotations

import pytest
from stability_wire import StabilityWire
from wires import SEED, Said, Story, png

from darkroom import errors
from darkroom.domain.tasks import SUCCESS
from darkroom.engine.backends.remote.stability import Stability

WIRE = StabilityWire
ASKED = {"prompt": "a harbour", "width": 1920, "height": 1088}


def test_a_picture_from_words_comes_as_the_answer(wire, story) -> None:
    told = story.run("text-to-image", wire.options(), negative_prompt="fog", **ASKED)
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
    options = wire.options(model="sd3.5-large", extra={"strength": 0.5, "style_preset": "anime"})
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
    options = wire.options(model={kind: endpoint.rpartition("/")[2]})
    told = story.run(kind, options, {"img_url": [png()]}, **fields)
    [asked] = wire.asked
    assert asked.path == f"/v2beta/stable-image/{endpoint}"
    assert asked.form == sent | {"image": png()}
    assert told.task.status == SUCCESS


def test_what_takes_longer_is_asked_for_by_its_id(wire, story) -> None:
    told = story.run("image-upscale", wire.creative(), {"img_url": [png()]})
    assert [one.path for one in wire.asked[1:]] == ["/v2beta/results/gen-1"] * 2
    assert told.calls[0].remote_id == "gen-1"
    assert told.call == ("delivered", True, 30_000)


def test_a_canceled_task_may_be_billed_since_nothing_is_taken_back(wire, story) -> None:
    wire.waits = 1000

    async def stopped(database):
        await story.submit(database, "image-upscale", {"img_url": [png()]}, {})
        await story.canceled(database, wire.creative(), lambda: wire.seen("GET *"))
        return await story.told(database)

    told = story.ground.run(stopped)
    assert isinstance(told.error, errors.Canceled)
    assert told.call == ("canceled", None, None)


def test_nobody_looks_more_often_than_may_be(wire, ground, tmp_path) -> None:
    wire.waits = 1
    slow = Story(ground, tmp_path, Stability(look_seconds=1.5))
    told = slow.run("image-upscale", wire.creative(), {"img_url": [png()]})
    assert told.call == ("delivered", True, 30_000)
    # Half a second and a longer pause would have been three looks.
    assert len(wire.seen("GET *")) == 2


def test_a_crash_before_the_answer_leaves_the_outcome_unknown(wire, story) -> None:
    async def crashed(database):
        await story.submit(database, "text-to-image", {}, ASKED)
        async with story.claimed(database, wire.options()) as one:
            # All that a worker wrote who died while it waited for the answer.
            await one.runner.open()
            await one.give_back()
        await story.attempt(database, wire.options())
        return await story.told(database)

    told = story.ground.run(crashed)
    assert isinstance(told.error, errors.OutcomeUnknown)
    assert told.call == ("unknown", None, None)
    assert not wire.asked


def test_a_blurred_picture_is_no_result(wire, story) -> None:
    wire.reason = "CONTENT_FILTERED"
    told = story.run("text-to-image", wire.options(), **ASKED)
    assert isinstance(told.error, errors.ContentBlocked)
    assert told.call == ("failed", None, None)
    assert (told.made, told.task.charged_mill) == ([], 0)


def test_a_picture_that_is_no_base64_fails(wire, story) -> None:
    wire.fault("POST *", Said({"image": "??", "finish_reason": "SUCCESS"}))
    told = story.run("text-to-image", wire.options(), **ASKED)
    assert isinstance(told.error, errors.BackendFailed)
    assert told.call == ("failed", None, None)


def test_two_pictures_are_more_than_it_takes(wire, story) -> None:
    told = story.run("image-to-image", wire.options(), {"images": [png(), png()]}, **ASKED)
    assert isinstance(told.error, errors.BadInput)
    assert not wire.asked
