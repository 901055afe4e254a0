"""Black Forest Labs over a real socket, with real tasks and rows; nothing is paid for twice."""

from __future__ import annotations

import base64

import pytest
from bfl_wire import BflWire
from wires import SEED, Said, png

from darkroom import errors
from darkroom.domain.tasks import SUCCESS

WIRE = BflWire
ASKED = {"prompt": "a harbour", "width": 1920, "height": 1080}


def test_a_picture_within_the_models_bounds_and_its_price(wire, story) -> None:
    told = story.run("text-to-image", wire.options(), **ASKED)
    [sent] = wire.seen("POST *")
    assert sent.path == "/v1/flux-pro-1.1"
    # 1920x1080 is more than it makes: the same shape, within its bounds, in its steps.
    assert sent.json == {"prompt": "a harbour", "seed": SEED, "width": 1440, "height": 800}
    # Four credits, told when it was sent.
    assert (told.task.status, told.call) == (SUCCESS, ("delivered", True, 40_000))


def test_pictures_go_under_their_numbers(wire, story) -> None:
    pictures = [png(16, 8), png(8, 16)]
    options = wire.options(model="flux-kontext-pro")
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
        wire.options(model="flux-pro-1.0-expand", extra={"prompt": "more sea"}),
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


@pytest.mark.parametrize("cost", [None, "4", -1, float("nan"), 1e300])
def test_a_price_that_is_none_is_not_kept(wire, story, cost) -> None:
    wire.looks["t0"] = 0
    there = f"{wire.address}/v1/get_result?id=t0"
    wire.fault("POST *", Said({"id": "t0", "polling_url": there, "cost": cost}))
    told = story.run("text-to-image", wire.options(), **ASKED)
    assert told.call == ("delivered", True, None)


def test_a_canceled_task_may_be_billed_since_nothing_is_taken_back(wire, story) -> None:
    wire.waits = 1000

    async def stopped(database):
        await story.submit(database, "text-to-image", {}, ASKED)
        await story.canceled(database, wire.options(), lambda: story.attempts[0].progress == 0.5)
        return await story.told(database)

    told = story.ground.run(stopped)
    assert isinstance(told.error, errors.Canceled)
    assert told.call == ("canceled", None, None)


def test_a_model_that_nobody_knows_is_the_catalogues_fault(wire, story) -> None:
    told = story.run("text-to-image", wire.options(model="flux-9"), **ASKED)
    assert isinstance(told.error, errors.Hindered)
    assert told.error.message == "The upstream does not describe /v1/flux-9."
