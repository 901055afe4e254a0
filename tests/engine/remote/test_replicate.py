"""Replicate: predictions over a real socket, with real tasks and rows; nothing is paid twice."""

from __future__ import annotations

import os

from replicate_wire import MODEL, ReplicateWire
from wires import LOST, SEED, png

from darkroom import errors
from darkroom.domain.tasks import SUCCESS

WIRE = ReplicateWire
ASKED = {"prompt": "a harbour", "width": 1920, "height": 1080}


def test_a_picture_from_words(wire, story) -> None:
    wire.waits, wire.runs = 1, 1
    told = story.run("text-to-image", wire.options(cancel_after="5m"), **ASKED)
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
    options = wire.options(model={"image-upscale": "someone/upscaler:abc"})
    told = story.run("image-upscale", options, {"img_url": [png()]})
    [sent] = wire.seen("POST *")
    assert sent.path == "/v1/predictions"
    assert sent.json["version"] == "abc"
    assert sent.json["input"].pop("image").startswith("data:image/png;base64,")
    assert sent.json["input"]["scale"] == 2
    assert told.task.status == SUCCESS


def test_a_large_picture_is_uploaded_first(wire, story) -> None:
    picture = png() + os.urandom(300_000)
    told = story.run("image-to-image", wire.options(), {"images": [picture]}, **ASKED)
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
    told = story.run("image-to-image", wire.options(), {"images": [picture]}, **ASKED)
    assert isinstance(told.error, errors.Hindered)
    assert told.call == ("refused", False, None)


def test_more_pictures_than_the_model_takes_are_refused(wire, story) -> None:
    told = story.run("image-to-image", wire.options(), {"images": [png(), png()]}, **ASKED)
    assert isinstance(told.error, errors.BadInput)
    assert wire.billed == 0


def test_a_canceled_task_is_taken_back_and_billed(wire, story) -> None:
    wire.runs = 1000

    async def stopped(database):
        await story.submit(database, "text-to-image", {}, ASKED)
        # What the model's own progress bar says.
        await story.canceled(database, wire.options(), lambda: story.attempts[0].progress == 0.45)
        return await story.told(database)

    told = story.ground.run(stopped)
    assert isinstance(told.error, errors.Canceled)
    assert (told.call, wire.is_canceled) == (("canceled", True, None), True)


def test_a_result_of_a_wrong_type_fails(wire, story) -> None:
    wire.picture = b"<html>no picture</html>"
    told = story.run("text-to-image", wire.options(), **ASKED)
    assert isinstance(told.error, errors.BackendFailed)
    assert told.made == []
