"""The SDK against a real server: what its user sees, in both colours and both spellings."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from scripted import COLOURS

from darkroom import client
from ground import wait_until

SMALL = {"model": "PAINTER", "resolution": "160x96"}


@pytest.fixture(params=["quickstart", "reference"])
def credited(request: pytest.FixtureRequest, server: Any) -> Callable[[int], str]:
    """Makes the key of a fresh account with so many credits, in one spelling."""
    return lambda credits_given=1000: server.ground.key(
        server.ground.account(credits_given).id, request.param
    )


@pytest.fixture(params=COLOURS, ids=lambda colour: colour.__name__)
def tell(request: pytest.FixtureRequest, server: Any) -> Callable[..., Any]:
    """What a story does with a client of the real server."""
    return lambda story, key: request.param(server.url, story, key)


def test_generate_makes_what_download_saves(tell, credited, tmp_path: Path) -> None:
    key = credited()
    tasks = tell(lambda c: c.text_to_image("a lake", image_number=2, **SMALL), key)
    assert [task.status for task in tasks] == ["SUCCESS", "SUCCESS"]
    assert {task.served_by for task in tasks} == {"painter"}
    paths = [tell(lambda c, task=task: c.download(task, tmp_path), key)[0] for task in tasks]
    for path in paths:
        with Image.open(path) as picture:
            assert picture.size == (160, 96)
    assert tell(lambda c: c.balance(), key) == 999
    assert tell(lambda c: c.batch(tasks[0].batch_id), key) == tasks


def test_image_to_image_takes_a_local_picture(tell, credited, tmp_path: Path) -> None:
    Image.new("RGB", (160, 96), "teal").save(tmp_path / "in.png")
    key = credited()
    [task] = tell(lambda c: c.image_to_image(tmp_path / "in.png", "a sketch", **SMALL), key)
    assert len(task.files) == 1


def test_history_finds_a_submit_by_its_request_id(tell, credited) -> None:
    key = credited()
    made = tell(lambda c: c.submit("text-to-image", prompt="a lake", **SMALL), key)
    [record] = wait_until(
        lambda: tell(lambda c: c.history(request_id=made.request_id), key).records
    )
    assert record["path"] == "/v1/generation/text-to-image"


@pytest.mark.parametrize(
    ("story", "kind"),
    [
        (lambda c: c.status(f"task_{uuid.uuid4().hex}"), client.NotFound),
        (lambda c: c.batch(10**17), client.NotFound),
        (lambda c: c.text_to_image("a lake", "NONE"), client.BadRequest),
        (lambda c: c.text_to_image("", "PAINTER"), client.BadRequest),
        (lambda c: c.text_to_image("a lake", "FLUX_PRO", image_number=8), "credits"),
        (lambda c: c.submit("poem", prompt="a"), client.NotFound),
    ],
)
def test_refusals_are_their_classes(tell, credited, story, kind) -> None:
    kind = client.InsufficientCredits if kind == "credits" else kind
    with pytest.raises(kind) as caught:
        tell(story, credited(10))
    assert caught.value.request_id in str(caught.value)


def test_models_lists_what_every_kind_costs(tell, credited) -> None:
    models = {model["model"]: model for model in tell(lambda c: c.models(), credited())}
    assert models["FLUX_PRO"]["kinds"]["text-to-image"]["rate"]["credits"] == 4
