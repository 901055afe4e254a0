"""OpenAI's wire: what is sent to which model, and what its answers come to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from desks import Desk, tell

from darkroom.domain import tasks
from ground import Ground
from openai_double import OpenAIWire
from wire_double import KEY, picture


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIWire]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with OpenAIWire() as one:
        yield one


def _options(wire: OpenAIWire, model: str = "gpt-image-1", **more: Any) -> dict[str, Any]:
    return {"openai": {"model": model, "address": wire.url, **more}}


def _made(
    ground: Ground, folder: Path, options: dict[str, Any], *asked: Any, **more: Any
) -> tuple[tasks.Task, list[Any]]:
    """A task when it has ended, and its calls."""

    async def story(desk: Desk) -> tuple[tasks.Task, list[Any]]:
        task = await desk.made(*asked, **more)
        return task, await desk.calls(task.id)

    return tell(ground, folder, options, story)


def test_a_picture_comes_in_the_answer_and_costs_what_its_tokens_do(ground, tmp_path, wire) -> None:
    prices = {"text_input": 5.0, "image_input": 10.0, "output": 40.0}
    options = _options(wire, token_cost=prices, extra={"quality": "high"})
    task, [call] = _made(ground, tmp_path, options)
    assert (task.status, task.served_by, task.charged_mill) == ("SUCCESS", "openai", 5000)
    [request] = wire.requests
    assert request.json == {
        "model": "gpt-image-1",
        "prompt": "a lake",
        "size": "1024x1024",
        "quality": "high",
        "n": 1,
    }
    assert (call.state, call.is_billed, call.cost_micro) == ("delivered", True, 169_650)
    assert len(wire.billed) == 1


def test_a_picture_at_an_address_is_fetched_and_its_revised_prompt_is_told(
    ground, tmp_path, wire
) -> None:
    options = _options(wire, "dall-e-3", cost=0.04)
    task, [call] = _made(ground, tmp_path, options, width=1600, height=904)
    assert (task.status, task.notes) == ("SUCCESS", {"revised_prompt": "A lake, revised"})
    assert wire.requests[0].json["size"] == "1792x1024"
    assert call.cost_micro == 40_000


def test_what_only_some_servers_take_is_sent_where_the_catalogue_says_so(
    ground, tmp_path, wire
) -> None:
    options = _options(wire, "house-diffusion", takes=["seed", "negative_prompt"])
    task, _ = _made(ground, tmp_path, options, width=720, height=1280, negative_prompt="people")
    assert task.status == "SUCCESS"
    sent = wire.requests[0].json
    assert (sent["size"], sent["seed"], sent["negative_prompt"]) == ("720x1280", 7, "people")


@pytest.mark.parametrize(("count", "field"), [(1, "image"), (2, "image[]")])
def test_pictures_go_up_in_a_form(ground, tmp_path, wire, count, field) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(count)]
    for path in paths:
        path.write_bytes(picture(64, 64))
    files = {"images": paths}
    task, _ = _made(ground, tmp_path, _options(wire), "image-to-image", files)
    assert task.status == "SUCCESS"
    form = wire.requests[0].form
    assert [len(form[field]), form["prompt"], form["n"]] == [count, [b"a lake"], [b"1"]]


def test_a_video_is_asked_for_until_it_is_done(ground, tmp_path, wire) -> None:
    path = tmp_path / "first.png"
    path.write_bytes(picture(64, 64))
    options = _options(wire, "sora-2")
    more = {"duration": 8, "width": 1280, "height": 720}
    task, [call] = _made(ground, tmp_path, options, "image-to-video", {"image": [path]}, **more)
    assert (task.status, call.remote_id, len(task.files)) == ("SUCCESS", "video_1", 2)
    form = wire.requests[0].form
    assert (form["seconds"], form["size"]) == ([b"8"], [b"1280x720"])
    assert form["input_reference"] == [path.read_bytes()]


def test_a_refusal_of_content_ends_the_task_in_its_words(ground, tmp_path, wire) -> None:
    wire.faults.append("policy")
    task, [call] = _made(ground, tmp_path, _options(wire))
    assert (task.status, task.error_code, task.charged_mill) == ("FAILED", 2003, 0)
    assert "The double was told: policy." in task.error
    # Nobody says whether what was refused costs something.
    assert (call.state, call.is_billed) == ("failed", None)


def test_a_video_that_is_blocked_ends_the_task(ground, tmp_path, wire) -> None:
    wire.video_fault = "moderation_blocked"
    task, [call] = _made(
        ground, tmp_path, _options(wire, "sora-2"), "text-to-video", duration=4, width=1280
    )
    assert (task.status, task.error_code) == ("FAILED", 2003)
    assert (call.state, call.is_billed, call.error) == ("failed", None, task.error)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"model": ""}, "does not say what the upstream's model for text-to-image is called"),
        ({"modle": "x"}, "Object contains unknown field `modle`"),
        ({"address": ""}, "OTHER_KEY is not set"),
    ],
)
def test_a_wrong_catalogue_says_what_is_wrong_and_asks_nobody(
    ground, tmp_path, wire, more, said
) -> None:
    options = {"openai": {**_options(wire, key="OTHER_KEY")["openai"], **more}}

    async def story(desk: Desk) -> Any:
        await desk.submit()
        attempt = desk.attempt(await desk.claim())
        await desk.run(attempt)
        return attempt.error

    error = tell(ground, tmp_path, options, story)
    assert said in str(error)
    assert not wire.billed
