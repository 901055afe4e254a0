"""The WeryAI wire: fields as they came, both spellings, codes and words, the original's gaps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from desks import Desk, tell

from darkroom import errors
from darkroom.domain import tasks
from darkroom.domain.kinds.table import KINDS
from darkroom.engine.backends.remote.line import Lost
from darkroom.engine.backends.remote.weryai import Darkroom, WeryAI
from weryai_double import WeryAIWire
from wire_double import KEY, picture

ORIGINAL, OURS = WeryAI(), Darkroom()


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[WeryAIWire]:
    monkeypatch.setenv("WERYAI_API_KEY", KEY)
    monkeypatch.setenv("DARKROOM_UPSTREAM_KEY", KEY)
    with WeryAIWire() as one:
        yield one


def _made(
    ground: Any, folder: Path, wire: WeryAIWire, *asked: Any, name: str = "weryai", **more: Any
) -> tuple[tasks.Task, list[Any]]:
    options = {name: {"model": "SEEDREAM", "address": wire.url, "credit_cost": 0.01}}

    async def story(desk: Desk) -> tuple[tasks.Task, list[Any]]:
        task = await desk.made(*asked, **more)
        return task, await desk.calls(task.id)

    return tell(ground, folder, options, story)


@pytest.mark.parametrize("spelling", ["reference", "quickstart"])
def test_fields_pass_through_and_either_spelling_is_read(ground, tmp_path, wire, spelling) -> None:
    with WeryAIWire(spelling) as wire:
        more = {"aspect_ratio": "16:9(2k)", "negative_prompt": "people"}
        task, [call] = _made(ground, tmp_path, wire, **more)
        assert (task.status, task.served_by) == ("SUCCESS", "weryai")
        [request] = wire.paid_requests("/v1/generation/text-to-image")
        # No width and height, no defaults, no seed: the original knows none of them.
        assert request.json == {"model": "SEEDREAM", "prompt": "a lake", **more}
        assert (call.remote_id, call.cost_micro, call.is_billed) == ("task_1", 80_000, True)


def test_inputs_are_sent_up_first(ground, tmp_path, wire) -> None:
    path = tmp_path / "input.png"
    path.write_bytes(picture(64, 64))
    files = {"image": [path]}
    task, _ = _made(ground, tmp_path, wire, "image-to-video", files, duration=5)
    assert (task.status, wire.uploads) == ("SUCCESS", [path.read_bytes()])
    [request] = wire.paid_requests("/v1/generation/image-to-video")
    assert request.json["image"] == "https://static.example/1"
    assert len(task.files) == 2  # the clip and its cover


def test_pictures_for_a_darkroom_go_along_with_the_seed(ground, tmp_path, wire) -> None:
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        path.write_bytes(picture(64, 64))
    files = {"images": paths}
    task, _ = _made(ground, tmp_path, wire, "image-to-image", files, name="darkroom")
    assert (task.status, wire.uploads) == ("SUCCESS", [])
    sent = wire.paid_requests("/v1/generation/image-to-image")[0].json
    assert [one.partition(",")[0] for one in sent["images"]] == ["data:image/png;base64"] * 2
    assert sent["seed"] == 7


def test_words_are_answered_at_once(ground, tmp_path, wire) -> None:
    path = tmp_path / "input.png"
    path.write_bytes(picture(64, 64))
    files = {"img_url": [path]}
    task, [call] = _made(ground, tmp_path, wire, "image-to-prompt", files, image_size=12)
    assert (task.status, task.notes) == ("SUCCESS", {"prompt": "A lake"})
    assert (call.remote_id, call.cost_micro) == (None, 12_340)


def test_every_kind_but_podcasts_and_chat_is_served() -> None:
    assert {*KINDS} - WeryAI.kinds == {"podcast-text", "podcast-audio", "chat"}


@pytest.mark.parametrize(
    ("code", "said", "meant"),
    [
        (1001, "too many", errors.Hindered),
        (1002, "aspect ratio cannot be empty", errors.BadInput),
        (1002, "Authentication failed", errors.Hindered),
        (1005, "moderation", errors.ContentBlocked),
        (1006, "model not supported", errors.Hindered),
        (1011, "insufficient credits", errors.Hindered),
        (1014, "too large", errors.BadInput),
        (2001, "image flagged", errors.ContentBlocked),
        (2003, "sensitive", errors.ContentBlocked),
        (2004, "format", errors.BadInput),
        (5000, "server error", errors.Hindered),
        (6010, "concurrent tasks", errors.Hindered),
        (6101, "daily limit", errors.Hindered),
    ],
)
def test_a_code_is_what_it_means(code, said, meant) -> None:
    error = ORIGINAL.explain(200, {"status": code, "message": said})
    assert (type(error), error.message) == (meant, f"weryai: {said}")


@pytest.mark.parametrize(
    ("name", "failure", "ending"),
    [
        ("weryai", {"msg": "敏感内容"}, (2003, None)),
        ("weryai", {"msg": "workflow error"}, (6004, None)),
        ("darkroom", {"msg": "refused", "error_code": 2003}, (2003, False)),
        ("darkroom", {"msg": "no such picture", "error_code": 1002}, (1002, False)),
    ],
)
def test_a_task_that_failed_there_fails_here(ground, tmp_path, wire, name, failure, ending) -> None:
    wire.failure, wire.looks = failure, 0
    task, [call] = _made(ground, tmp_path, wire, name=name)
    assert (task.status, task.charged_mill, call.state) == ("FAILED", 0, "failed")
    assert (task.error_code, call.is_billed) == ending


def test_a_darkroom_that_could_not_is_asked_again_since_that_cost_nothing(
    ground, tmp_path, wire
) -> None:
    wire.failure, wire.looks = {"msg": "no worker", "error_code": 6001}, 0
    options = {"darkroom": {"model": "X", "address": wire.url}}

    async def story(desk: Desk) -> tuple[tasks.Task, list[Any]]:
        task_id = await desk.submit()
        await desk.run(desk.attempt(await desk.claim()))
        wire.failure = {}
        return await desk.end(task_id), await desk.calls(task_id)

    task, calls = tell(ground, tmp_path, options, story)
    assert (task.status, [one.state for one in calls]) == ("SUCCESS", ["failed", "delivered"])


def test_a_key_that_was_used_for_another_body_leaves_the_outcome_open() -> None:
    with pytest.raises(Lost):
        OURS.explain(422, {"status": 1012, "message": "another request"})
