"""What ComfyUI shows of a prompt is seen by its owner while it runs, small and clean."""

from __future__ import annotations

import asyncio
import io
import json
import struct
import time
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from kitchens import Caller, Double, Kitchen, node, text_to_image
from PIL import Image

from darkroom.engine.backends.comfyui import frames
from darkroom.engine.backends.comfyui.news import News
from ground import Ground, wait_until

SEED = 180


@pytest.fixture(scope="module")
def kept_kitchen(
    shared_ground: Ground, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Kitchen, Double]]:
    """A house that offers a workflow, and the ComfyUI that runs it, for all tests of this file."""
    kitchen = Kitchen(shared_ground, tmp_path_factory.mktemp("kitchen"))
    try:
        double = kitchen.double()
        kitchen.offer("TINY", text_to_image(), [double.address])
        kitchen.start()
        yield kitchen, double
    finally:
        kitchen.close()


@pytest.fixture
def served(kept_kitchen: tuple[Kitchen, Double]) -> tuple[Kitchen, Double, Caller]:
    """The house with nothing to do, a ComfyUI that behaves as any does, and a fresh caller."""
    kitchen, double = kept_kitchen
    double.set(hold=False, steps=0, previews=["picture"])
    wait_until(lambda: double.waiting() == (0, 0), what="the end of what others asked for")
    return kitchen, double, kitchen.caller()


def _shown(caller: Caller, task_id: str) -> str:
    """The address of a task's preview, once it has one."""
    address: str = wait_until(
        lambda: caller.status(task_id).get("preview_url"), what="the preview of the task"
    )
    return address


def _kept(kitchen: Kitchen) -> int:
    """How many previews the database holds."""
    with psycopg.connect(kitchen.ground.conninfo) as connection:
        row = connection.execute("SELECT count(*) FROM previews").fetchone()
    assert row is not None
    return int(row[0])


def test_a_preview_is_its_owners_while_the_task_runs(
    served: tuple[Kitchen, Double, Caller],
) -> None:
    kitchen, double, caller = served
    double.set(hold=True, steps=3)
    [task_id] = caller.submit("TINY", seed=SEED)
    address = _shown(caller, task_id)
    answer = caller.http.get(address)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "no-store"
    assert b"SECRET" not in answer.content
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (512, 256))
        red = picture.convert("RGB").getpixel((50, 50))[0]
    assert abs(red - SEED) < 12
    batch = caller.status(task_id)["batch_id"]
    [told] = caller.http.get(f"/v1/generation/batch/{batch}/status").json()["data"]
    assert told["preview_url"].partition("?")[0] == address.partition("?")[0]
    assert httpx.get(address).status_code == 401
    assert kitchen.caller().http.get(address).status_code == 404
    double.set(hold=False)
    assert len(caller.made(task_id)) == 1
    assert caller.http.get(address).status_code == 404
    assert "preview_url" not in caller.status(task_id)
    assert _kept(kitchen) == 0


def test_the_reference_wire_does_not_know_of_previews(
    served: tuple[Kitchen, Double, Caller],
) -> None:
    kitchen, double, caller = served
    double.set(hold=True, steps=3)
    key = kitchen.ground.key(kitchen.ground.account().id, "reference")
    with httpx.Client(base_url=kitchen.url, headers={"Authorization": f"Bearer {key}"}) as http:
        other = Caller(http)
        [task_id] = other.submit("TINY")
        wait_until(lambda: _kept(kitchen) == 1, what="the preview")
        assert "preview_url" not in other.status(task_id)
        assert http.get(f"/v1/generation/{task_id}/preview").status_code == 200
        other.cancel(task_id)
    assert caller.http.get(f"/v1/generation/{task_id}/preview").status_code == 404


def test_a_cancel_takes_the_preview_at_once(served: tuple[Kitchen, Double, Caller]) -> None:
    kitchen, double, caller = served
    double.set(hold=True, steps=3)
    [task_id] = caller.submit("TINY")
    address = _shown(caller, task_id)
    caller.cancel(task_id)
    assert caller.http.get(address).status_code == 404
    assert caller.ended(task_id)["error_code"] == 6005
    assert _kept(kitchen) == 0


def test_one_that_does_not_say_whose_a_preview_is_shows_them_too(double: Double) -> None:
    double.set(quiet=True)
    assert _heard(double, own=text_to_image()).preview is not None


@pytest.mark.parametrize("names", [["huge", "headless", "empty", "text"], ["bomb"]])
def test_what_is_no_preview_is_left_out(
    served: tuple[Kitchen, Double, Caller], names: list[str]
) -> None:
    _, double, caller = served
    # The same again and again, and at last a picture, which is seen all the same.
    double.set(hold=True, steps=3, previews=names)
    [task_id] = caller.submit("TINY")
    wait_until(lambda: caller.status(task_id)["progress"] > 5, what="the first steps")
    assert "preview_url" not in caller.status(task_id)
    double.set(hold=True, steps=4, previews=[*names, "picture"])
    assert caller.http.get(_shown(caller, task_id)).status_code == 200
    double.set(hold=False)
    assert len(caller.made(task_id)) == 1


def test_hundreds_of_previews_are_shown_one_a_second(
    served: tuple[Kitchen, Double, Caller],
) -> None:
    _, double, caller = served
    double.set(previews=["picture"] * 200)
    began = time.monotonic()
    [task_id] = caller.submit("TINY")
    seen = set()
    with caller.http.stream("GET", f"/v1/generation/{task_id}/events") as events:
        for line in events.iter_lines():
            if line.startswith("data: "):
                seen.add(json.loads(line.removeprefix("data: ")).get("preview_url"))
    assert len(caller.made(task_id)) == 1
    assert 1 <= len(seen - {None}) <= time.monotonic() - began + 1


def test_previews_of_prompts_that_nobody_follows_are_nobodys(double: Double) -> None:
    """ComfyUI sends those of a prompt without a client to everybody, not saying whose they are."""
    plain = {
        "5": node("EmptyImage", "Size", width=64, height=64, batch_size=1, color=0),
        "9": node("SaveImage", "Save", images=["5", 0], filename_prefix="plain"),
    }
    assert _heard(double, own=plain, foreign=text_to_image()).preview is None


def _heard(double: Double, *, own: Any, foreign: Any = None) -> News:
    """The news of a prompt of ours to its end, behind one of somebody else's."""

    async def story() -> News:
        news = News("f3b0f5a2-0000-4000-8000-000000000000", own)
        await news.listen(double.address)
        async with httpx.AsyncClient(base_url=double.address) as http:
            if foreign is not None:
                await http.post("/prompt", json={"prompt": foreign})
            names = {"client_id": news._id, "prompt_id": news._id}
            await http.post("/prompt", json={"prompt": own} | names)
        async with asyncio.timeout(20):
            while not news.is_due:
                news.changed.clear()
                await news.changed.wait()
        await news.leave()
        return news

    return asyncio.run(story())


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\0\0\0\x01",
        struct.pack(">II", 2, 1) + b"unencoded",
        struct.pack(">II", 3, 1) + b"9 text",
        struct.pack(">II", 4, 2) + b"{}picture",
        struct.pack(">II", 4, 2) + b"[]picture",
        struct.pack(">II", 4, 2**32 - 1) + b"{}",
        struct.pack(">II", 4, 3) + b"\xff\xfe\xfd",
        struct.pack(">II", 4, 20_000) + b"[" * 20_000,
    ],
)
def test_a_message_of_another_sort_or_a_broken_one_has_no_picture(message: bytes) -> None:
    assert frames.read(message) is None


def test_a_preview_names_its_prompt_or_none() -> None:
    words = json.dumps({"node_id": "3", "prompt_id": "a"}).encode()
    told = frames.read(struct.pack(">II", 4, len(words)) + words + b"picture")
    assert told == frames.Frame(b"picture", "a")
    assert frames.read(struct.pack(">II", 1, 1) + b"picture") == frames.Frame(b"picture", None)
