"""Workflows as models: from a submit through a ComfyUI to files that tell nothing of it."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator

import av
import pytest
from kitchens import Caller, Double, Kitchen, image_to_image, node, text_to_image
from PIL import Image

from ground import Ground, fresh_database, wait_until

WORDS = (b"red lake", b"KSampler", b"class_type", b"6.text")


def _picture(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


@pytest.fixture(scope="module")
def open_kitchen(
    postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kitchen]:
    """A server that has every model of these stories."""
    databases = fresh_database(postgres, template)
    kitchen = Kitchen(Ground(next(databases)), tmp_path_factory.mktemp("kitchen"))
    try:
        _offer_all(kitchen, kitchen.double().address)
        kitchen.start()
        yield kitchen
    finally:
        kitchen.close()
    next(databases, None)


def _offer_all(kitchen: Kitchen, address: str) -> None:
    kitchen.offer("FLUX", text_to_image(), [address])
    kitchen.offer("PAIR", text_to_image(n5_batch_size=2), [address])
    shown, clip = text_to_image(), text_to_image()
    shown["9"] = node("PreviewImage", "Preview", images=["8", 0])
    kitchen.offer("SHOWN", shown, [address])
    moving = text_to_image()
    moving["9"] = node("SaveAnimatedWEBP", "Save", images=["8", 0], filename_prefix="ComfyUI")
    kitchen.offer("MOVING", moving, [address])
    inputs = {"prompt": ["6.text"], "seed": "3.seed", "images": "10.image"}
    kitchen.offer("EDIT", image_to_image(), [address], inputs=inputs, kind="image-to-image")
    clip["9"] = node("SaveVideo", "Save", images=["8", 0], filename_prefix="video/ComfyUI")
    kitchen.offer("CLIP", clip, [address], kind="text-to-video")
    sound = {
        "6": node("CLIPTextEncode", "Words", text="a default"),
        "9": node("SaveAudio", "Save", audio=["6", 0], filename_prefix="audio/ComfyUI"),
    }
    kitchen.offer(
        "SOUND", sound, [address], inputs={"description": "6.text"}, kind="music-generate"
    )


@pytest.fixture
def double(open_kitchen: Kitchen) -> Iterator[Double]:
    """The ComfyUI of these stories, with an empty disk and a ready mind."""
    [one] = open_kitchen.doubles
    shutil.rmtree(one.folder)
    one.folder.mkdir()
    yield one
    one.set(hold=False, steps=0, fail=None, drop=0, old=False)


@pytest.fixture
def caller(open_kitchen: Kitchen) -> Caller:
    """Somebody with credits."""
    return open_kitchen.caller()


def test_a_submit_becomes_a_picture_that_holds_no_word_of_the_workflow(
    open_kitchen: Kitchen, caller: Caller, double: Double
) -> None:
    [task_id] = caller.submit("FLUX", prompt="a red lake", seed=41, resolution="96x64")
    [data] = caller.made(task_id)
    assert _picture(data).size == (96, 64)
    assert _picture(data).getpixel((0, 0)) == (20, 45, 20)  # of seed 41
    [saved] = (double.folder / "output" / "darkroom").iterdir()
    assert b"a red lake" in saved.read_bytes()
    assert b"text, watermark" in saved.read_bytes(), "what nobody names stays the workflow's"
    assert not any(word in data for word in WORDS)
    found = caller.status(task_id)
    assert (found["served_by"], found["cost"]) == ("comfyui", 2)
    assert open_kitchen.calls()[-1] == ("delivered", False, None)


def test_pictures_asked_for_together_are_tasks_with_seeds_of_their_own(
    caller: Caller, double: Double
) -> None:
    task_ids = caller.submit("PAIR", seed=10, image_number=3, resolution="64x64")
    made = [caller.made(task_id) for task_id in task_ids]
    reds = [[_picture(one).getpixel((0, 0))[0] for one in pictures] for pictures in made]
    assert reds == [[5, 5], [5, 5], [6, 6]]
    assert len({one for pictures in made for one in pictures}) == 6
    assert len(set(double.executions())) == 3


def test_the_same_request_again_makes_a_file_of_its_own(caller: Caller, double: Double) -> None:
    [first] = caller.submit("FLUX", seed=7)
    [made] = caller.made(first)
    for saved in (double.folder / "output" / "darkroom").iterdir():
        saved.unlink()
    [second] = caller.submit("FLUX", seed=7)
    [again] = caller.made(second)
    assert _picture(again).tobytes() == _picture(made).tobytes()


def test_a_file_that_is_gone_at_comfyui_is_said_to_be(caller: Caller, double: Double) -> None:
    [first] = caller.submit("SHOWN", seed=7)
    assert caller.made(first)
    for shown in (double.folder / "temp").iterdir():
        shown.unlink()
    [second] = caller.submit("SHOWN", seed=7)
    assert "no longer has the file" in caller.ended(second)["msg"]


def test_progress_is_told_as_the_sampler_goes(caller: Caller, double: Double) -> None:
    double.set(hold=True, steps=4)
    [task_id] = caller.submit("FLUX")
    # Four nodes of one each are done, and four steps of eight of the sampler, which counts 20.
    held = 100 * (4 + 20 * 4 // 8) // 26
    wait_until(lambda: caller.status(task_id)["progress"] == held, what="half of the sampler")
    double.set(steps=6)
    more = 100 * (4 + 20 * 6 // 8) // 26
    wait_until(lambda: caller.status(task_id)["progress"] == more, what="more of the sampler")
    double.set(hold=False)
    assert caller.made(task_id)


def test_input_pictures_are_uploaded_once_and_go_where_the_workflow_loads_them(
    kitchen: Kitchen, double: Double
) -> None:
    inputs = {"prompt": ["6.text"], "seed": "3.seed", "images": "10.image"}
    kitchen.offer("EDIT", image_to_image(), [double.address], inputs=inputs, kind="image-to-image")
    kitchen.start()
    caller, held = kitchen.caller(), io.BytesIO()
    Image.new("RGB", (48, 32), (200, 0, 0)).save(held, "PNG")
    given = caller.upload(held.getvalue())
    for _ in range(2):
        [task_id] = caller.submit("EDIT", kind="image-to-image", images=[given], seed=0)
        [data] = caller.made(task_id)
        assert (_picture(data).size, _picture(data).getpixel((0, 0))) == ((48, 32), (100, 45, 20))
    [uploaded] = (double.folder / "input" / "darkroom").iterdir()
    assert uploaded.suffix == ".png"
    [refused] = caller.submit("EDIT", kind="image-to-image", images=[given, given])
    assert caller.ended(refused)["msg"] == "EDIT takes 1 images, not 2."


def test_clips_and_sounds_come_without_the_workflow_too(caller: Caller, double: Double) -> None:
    [task_id] = caller.submit("CLIP", kind="text-to-video", prompt="a red lake", duration=1)
    [film] = caller.made(task_id)
    saved = next((double.folder / "output" / "darkroom").glob("*.mp4")).read_bytes()
    assert WORDS[0] in saved
    assert not any(word in film for word in WORDS)
    with av.open(io.BytesIO(film)) as container:
        assert len([*container.decode(video=0)]) == 8
    [task_id] = caller.submit(
        "SOUND", kind="music-generate", type="ONLY_MUSIC", description="a red lake"
    )
    [heard] = caller.made(task_id)
    assert not any(word in heard for word in WORDS)
    with av.open(io.BytesIO(heard), format="flac") as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) == 44100


def test_an_animated_picture_is_refused_and_not_cut_to_its_first(
    caller: Caller, double: Double
) -> None:
    [task_id] = caller.submit("MOVING")
    assert "let it save a video instead" in caller.ended(task_id)["msg"]
