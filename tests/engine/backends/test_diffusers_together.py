"""Several results in one call of a pipeline: each the one that it is alone, and none another's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contexts import Progress
from PIL import Image

from darkroom import errors
from darkroom.engine.backends import clips, pictures
from darkroom.engine.backends.contract import Canceled, Input, Output

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(300)]

KIND = "text-to-image"
_FPS = 4
# Every kind that shares a call, by families that differ in how they take lists.
SHARED = [
    *((name, KIND) for name in ("sd", "sdxl", "flux", "sd3", "qwen_image")),
    *((name, "image-to-image") for name in ("sd", "sdxl", "flux", "sd3", "qwen_image")),
    *((name, "image-expand") for name in ("sd", "sdxl", "flux", "sd3", "qwen_image")),
    ("upscale", "image-upscale"),
    *(("wan", "text-to-video"), ("ltx", "text-to-video"), ("ltx", "image-to-video")),
]
WORDS = ("a fox", "waves at night, seen from above, a long way off", "fog", "a dog")


Open = Callable[..., "Studio"]


class Studio:
    """The backend with one tiny pipeline set up, which takes four tasks a call."""

    def __init__(self, folder: Path, backend: Any, own: Path, **options: Any) -> None:
        self.folder, self.backend = folder, backend
        usual = {"model": str(own), "steps": 3, "together": 4, "frames_per_second": _FPS}
        self.backend.setup("TINY", usual | options)

    def given(self, prompt: str, **fields: Any) -> Input:
        return Input(KIND, "TINY", {"prompt": prompt, "width": 64, "height": 64} | fields)

    def photo(self, number: int) -> Path:
        """A picture of its own, of a size of its own."""
        path = self.folder / f"photo-{number}.png"
        noise = np.random.default_rng(number).integers(0, 255, (40 + number, 48, 3), np.uint8)
        Image.fromarray(noise).save(path)
        return path

    def given_to(self, kind: str, number: int) -> Input:
        """One of several tasks of a kind: its own words and its own picture."""
        fields: dict[str, Any] = {"prompt": WORDS[number], "negative_prompt": "mud"}
        fields |= {"width": 64, "height": 64, "duration": 1}
        if not kind.endswith("-to-video"):
            del fields["duration"]
        if kind in ("image-expand", "image-upscale"):
            fields = {}
        if kind == "image-expand":
            fields = {"canvas_size": "100x80", "original_image_size": "60x40"}
            fields |= {"original_image_location": f"{10 + 8 * number},10"}  # a mask of its own
        photo = self.photo(0 if kind == "image-upscale" else number)
        name = {"image-to-image": "images", "image-to-video": "image"}.get(kind, "img_url")
        return Input(kind, "TINY", fields, {} if kind.startswith("text-") else {name: [photo]})

    def context(self, name: str, seed: int, cancel_at: float = 2.0) -> Progress:
        return Progress(self.folder / f"{name}-{seed}", seed, cancel_at)

    def together(self, given: list[Input]) -> dict[int, Any]:
        """What came of each, all told; of a clip the clip itself."""
        contexts = [self.context("together", seed) for seed in range(len(given))]
        told = [*self.backend.run_together(given, contexts)]
        covers = {place for place, one in told if _is_cover(one)}
        made = [(place, one) for place, one in told if not _is_cover(one)]
        assert sorted(place for place, _ in made) == [*range(len(given))]
        for place, one in made:
            if isinstance(one, Output):
                assert one.path.parent == contexts[place].folder
                assert (place in covers) == (one.media_type == "video/mp4")
        return dict(made)

    def alone(self, given: Input, seed: int) -> Output:
        output, *_ = self.backend.run(given, self.context("alone", seed))
        return output


def _is_cover(one: Any) -> bool:
    return isinstance(one, Output) and one.media_type == "image/jpeg"


def _pixels(output: Output) -> Any:
    """A picture, or all of a clip."""
    if output.media_type == "video/mp4":
        return np.stack([*clips.frames(output.path, fps=_FPS)]).astype(int)
    return pictures.read(output.path).astype(int)


@pytest.fixture
def open_studio(tiny: Callable[[str], Path], diffusers: Any, tmp_path: Path) -> Open:
    """Opens a studio with a tiny pipeline, by its name."""
    return lambda name, **options: Studio(tmp_path, diffusers, tiny(name), **options)


@pytest.fixture
def studio(open_studio: Open) -> Studio:
    """A studio with the smallest pipeline."""
    return open_studio("sd")


@pytest.mark.parametrize(("name", "kind"), SHARED)
def test_a_seed_makes_the_same_alone_and_together(open_studio: Open, name: str, kind: str) -> None:
    studio = open_studio(name, strength=0.9)
    assert studio.backend.together_max(kind) == 4
    given = [studio.given_to(kind, number) for number in range(4)]
    made = studio.together(given)
    pixels = {seed: _pixels(output) for seed, output in made.items()}
    for seed, output in made.items():
        assert output.notes["together"] == len(given)
        alone = _pixels(studio.alone(given[seed], seed))
        own, *others = (np.abs(alone - pixels[one]) for one in (seed, *(pixels.keys() - {seed})))
        # The sums of a matrix product come in another order: the last bit of a colour may differ,
        # of which the encoder of clips may make more, though nothing like another's.
        is_clip, apart = output.media_type == "video/mp4", min(far.mean() for far in others)
        assert own.max() <= 1 or (is_clip and own.mean() < apart / 20)
    assert len({output.path.read_bytes() for output in made.values()}) == 4


def test_what_cannot_share_a_call_has_its_own(studio: Studio) -> None:
    plain, other = studio.given("a fox"), studio.given("a fox", negative_prompt="fog")
    made = studio.together([plain, other, plain])
    assert [made[place].notes.get("together") for place in range(3)] == [2, None, 2]


def test_what_is_refused_leaves_the_others_theirs(open_studio: Open) -> None:
    studio = open_studio("sd", loras={"ink": {"path": "somebody/ink"}})
    made = studio.together([studio.given(one) for one in ("a fox", "<lora:oil> fog", "a dog")])
    assert isinstance(made[1], errors.BadInput)
    assert "There is no LoRA oil" in made[1].message
    assert made[0].notes["together"] == made[2].notes["together"] == 2


def test_who_lost_his_folder_costs_the_others_nothing(studio: Studio) -> None:
    contexts = [studio.context("lost", seed) for seed in range(2)]
    contexts[0].folder.rmdir()
    told = dict(studio.backend.run_together([studio.given("a")] * 2, contexts))
    assert isinstance(told[0], errors.BackendFailed)
    assert told[1].path.exists()


def test_a_cancel_stops_the_call_at_a_step(studio: Studio) -> None:
    contexts = [studio.context("canceled", 1, cancel_at=0.3), studio.context("canceled", 2)]
    with pytest.raises(Canceled):
        [*studio.backend.run_together([studio.given("a")] * 2, contexts)]
    assert contexts[0].told[-1] < 0.9
    assert studio.together([studio.given("a")] * 2)


def test_pictures_that_start_from_others_of_another_size_have_calls_of_their_own(
    open_studio: Open,
) -> None:
    studio = open_studio("upscale")
    small = [Input("image-upscale", "TINY", {}, {"img_url": [studio.photo(n)]}) for n in (0, 20, 1)]
    made = studio.together(small)
    assert [made[place].notes.get("together") for place in range(3)] == [2, None, 2]


def test_what_takes_no_list_runs_alone(open_studio: Open) -> None:
    studio = open_studio("wan_flf")
    for kind in ("image-to-video", "multi-image-to-video", "text-to-video"):
        assert studio.backend.together_max(kind) == 1


def test_a_list_of_pictures_is_told_from_views_of_one_result() -> None:
    """To the one each picture is another result's, to the other all are the same one's."""
    import diffusers

    from darkroom.engine.backends.diffusers import pipelines

    for one_each, kind in (
        (diffusers.ChromaImg2ImgPipeline, "image-to-image"),
        (diffusers.CogVideoXImageToVideoPipeline, "image-to-video"),
        (diffusers.Flux2Pipeline, "text-to-image"),
    ):
        assert pipelines.takes_several(one_each, kind)
    for several, kind in (
        *((diffusers.Flux2Pipeline, "image-to-image"), (diffusers.OmniGenPipeline, "image-expand")),
        (diffusers.QwenImageEditPlusPipeline, "image-to-image"),
        (diffusers.LTXConditionPipeline, "image-to-video"),
        (diffusers.HunyuanVideoImageToVideoPipeline, "image-to-video"),
        (diffusers.AmusedPipeline, "text-to-image"),
    ):
        assert not pipelines.takes_several(several, kind)


def test_it_is_off_on_the_processor_unless_asked_for(open_studio: Open) -> None:
    usual = open_studio("sd", together=None, device="cpu")
    assert usual.backend.together_max(KIND) == 1
