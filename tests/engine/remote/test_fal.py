"""fal: its queue over a real socket, with real tasks and rows; nothing is paid for twice."""

from __future__ import annotations

from fal_wire import MODEL, FalWire
from wires import ASKED, SEED, Said, png

from darkroom import errors
from darkroom.domain.tasks import SUCCESS

WIRE = FalWire


def test_a_picture_from_words(wire, story) -> None:
    wire.waits, wire.runs = 1, 1
    told = story.run("text-to-image", wire.options(), negative_prompt="fog", **ASKED)
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
    options = wire.options(model={"image-to-image": "fal-ai/flux/dev/image-to-image"})
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
    options = wire.options(model="fal-ai/kling-video/v2/image-to-video")
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
    options = wire.options(model="fal-ai/kling-video/v2/image-to-video")
    told = story.run("image-to-video", options, {"image": [png()]}, **ASKED, duration=7)
    assert isinstance(told.error, errors.BadInput)
    assert "5, 10 seconds" in told.error.message
    assert told.call == ("refused", False, None)
    assert not wire.seen("POST *")


def test_the_key_goes_to_no_other_house(wire, story) -> None:
    wire.fault(
        "POST *", Said({"response_url": f"{wire.address.replace('127.0.0.1', 'localhost')}/x"})
    )
    told = story.run("text-to-image", wire.options(), **ASKED)
    assert told.call == ("unknown", None, None)
    assert not wire.seen("GET /x*")


def test_a_canceled_task_leaves_the_queue_for_free(wire, story) -> None:
    wire.waits = 1000

    async def stopped(database):
        await story.submit(database, "text-to-image", {}, ASKED)
        await story.canceled(database, wire.options(), lambda: wire.seen("GET */status"))
        return await story.told(database)

    told = story.ground.run(stopped)
    assert isinstance(told.error, errors.Canceled)
    assert told.call == ("canceled", False, None)
    assert (len(wire.seen("PUT */cancel")), wire.billed) == (1, 0)


def test_a_task_that_is_canceled_while_it_runs_may_be_billed(wire, story) -> None:
    wire.runs = 1000

    async def stopped(database):
        await story.submit(database, "text-to-image", {}, ASKED)
        await story.canceled(database, wire.options(), lambda: wire.seen("GET */status"))
        return await story.told(database)

    assert story.ground.run(stopped).call == ("canceled", None, None)


def test_who_does_not_begin_in_time_is_passed_over(wire, story) -> None:
    wire.waits = 1000

    async def late(database):
        await story.submit(database, "text-to-image", {}, ASKED)
        options = wire.options(start_seconds_max=0.1)
        await story.attempt(database, options, has_other=True)
        return await story.told(database)

    told = story.ground.run(late)
    assert isinstance(told.error, errors.Hindered)
    assert told.call == ("canceled", False, None)
    # fal itself gives up as well, where we could not.
    assert wire.seen("POST *")[0].headers["x-fal-request-timeout"] == "1.1"


def test_a_runner_that_failed_is_free_and_another_may_do_it(wire, story) -> None:
    gone = {"detail": "Runner disconnected", "error_type": "runner_disconnected"}
    completed = {"status": "COMPLETED", "error": "gone", "error_type": "runner_disconnected"}
    wire.fault("GET */status", Said(completed))
    wire.end = Said(gone, 503)
    told = story.run("text-to-image", wire.options(), **ASKED)
    assert isinstance(told.error, errors.Hindered)
    assert not told.error.stays
    assert told.call == ("failed", False, None)


def test_a_result_elsewhere_is_fetched_without_the_key(wire, story) -> None:
    elsewhere = wire.address.replace("127.0.0.1", "localhost")
    wire.end = Said({"images": [{"url": f"{elsewhere}/files/2.png"}]})
    told = story.run("text-to-image", wire.options(), **ASKED)
    assert told.task.status == SUCCESS
    assert "authorization" not in wire.seen("GET /files/2.png")[0].headers


def test_a_model_is_described_once(wire, story) -> None:
    for _ in range(2):
        story.run("text-to-image", wire.options(), **ASKED)
    assert len(wire.seen("GET /api/openapi/*")) == 1
