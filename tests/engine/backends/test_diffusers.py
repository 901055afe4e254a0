"""Every family of pipelines makes what its kinds promise, with real architectures, tiny weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contexts import Progress
from PIL import Image

from darkroom import errors
from darkroom.engine.backends import clips, pictures
from darkroom.engine.backends.contract import Canceled, Input, Output

pytestmark = pytest.mark.filterwarnings("ignore")

_STEPS = 4
_FPS = 4
# Which pipeline does which kind, with which class, at which size for 90 x 70, and what it drops.
MADE = [
    ("sd", "text-to-image", "StableDiffusionPipeline", (88, 72), ()),
    ("sd", "image-to-image", "StableDiffusionImg2ImgPipeline", (88, 72), ("1 of 2 images",)),
    ("sd", "image-expand", "StableDiffusionInpaintPipeline", (100, 80), ()),
    ("sdxl", "text-to-image", "StableDiffusionXLPipeline", (88, 72), ()),
    ("sdxl", "image-to-image", "StableDiffusionXLImg2ImgPipeline", (88, 72), ("1 of 2 images",)),
    ("sdxl", "image-expand", "StableDiffusionXLInpaintPipeline", (100, 80), ()),
    ("flux", "text-to-image", "FluxPipeline", (96, 64), ("negative_prompt",)),
    (
        *("flux", "image-to-image", "FluxImg2ImgPipeline", (96, 64)),
        ("1 of 2 images", "negative_prompt"),
    ),
    ("flux", "image-expand", "FluxInpaintPipeline", (100, 80), ()),
    ("sd3", "text-to-image", "StableDiffusion3Pipeline", (96, 64), ()),
    ("sd3", "image-to-image", "StableDiffusion3Img2ImgPipeline", (96, 64), ("1 of 2 images",)),
    ("sd3", "image-expand", "StableDiffusion3InpaintPipeline", (100, 80), ()),
    ("qwen_image", "text-to-image", "QwenImagePipeline", (96, 64), ()),
    ("qwen_image", "image-to-image", "QwenImageImg2ImgPipeline", (96, 64), ("1 of 2 images",)),
    ("qwen_image", "image-expand", "QwenImageInpaintPipeline", (100, 80), ()),
    ("upscale", "image-upscale", "StableDiffusionUpscalePipeline", (100, 60), ()),
    ("wan", "text-to-video", "WanPipeline", (96, 64), ("generate_audio",)),
    ("wan_i2v", "image-to-video", "WanImageToVideoPipeline", (96, 64), ("generate_audio",)),
    (
        *("wan_flf", "multi-image-to-video", "WanImageToVideoPipeline", (96, 64)),
        ("1 of 3 images", "generate_audio"),
    ),
    ("ltx", "text-to-video", "LTXPipeline", (96, 64), ("generate_audio",)),
    ("ltx", "image-to-video", "LTXImageToVideoPipeline", (96, 64), ("generate_audio",)),
]
FIRST = [(name, kind) for name, kind, *_ in MADE if kind in ("text-to-image", "text-to-video")]


@dataclass
class Studio:
    """The backend with all that tests give it: pipelines, pictures, folders."""

    tiny: Callable[[str], Path]
    folder: Path
    backend: Any
    kept: dict[tuple[str, str, float | None], bytes] = field(default_factory=dict)

    def open(self, name: str, **options: Any) -> None:
        """Set a tiny pipeline up as a model."""
        table = {"model": str(self.tiny(name)), "steps": _STEPS, "frames_per_second": _FPS}
        self.backend.setup(name.upper(), table | options)

    def given(self, kind: str, **fields: Any) -> Input:
        """A task of the kind."""
        usual: dict[str, Any] = {"prompt": "a fox", "negative_prompt": "fog"}
        usual |= {"width": 90, "height": 70}
        photo = self.folder / "photo.png"
        files = {"image-to-image": {"images": [photo] * 2}, "image-to-video": {"image": [photo]}}
        files["multi-image-to-video"] = {"images": [photo] * 3}
        if kind.endswith("video"):
            usual |= {"duration": 1, "generate_audio": True}
        if kind == "image-expand":
            usual = {"canvas_size": "100x80", "original_image_size": "60x40"}
            usual |= {"original_image_location": "10,10"}
        if kind == "image-upscale":
            usual = {}
        return Input(kind, "TINY", usual | fields, files.get(kind, {"img_url": [photo]}))

    def run(self, kind: str, seed: int = 1, **fields: Any) -> list[Output]:
        """What comes of a task of the kind."""
        return [*self.backend.run(self.given(kind, **fields), Progress(self.folder / kind, seed))]

    def first(self, name: str, kind: str, strength: float | None = None) -> bytes:
        """The file of the first run of a kind; what comes of others is compared with it."""
        self.open(name, strength=strength)
        key = (name, kind, strength)
        if key not in self.kept:
            self.kept[key] = self.run(kind)[0].path.read_bytes()
        return self.kept[key]

    def picture(self, seed: int = 1, **fields: Any) -> bytes:
        """The file of a picture from words."""
        return self.run("text-to-image", seed, **fields)[0].path.read_bytes()


@pytest.fixture(scope="module")
def studio(
    tiny: Callable[[str], Path], diffusers: Any, tmp_path_factory: pytest.TempPathFactory
) -> Studio:
    """One studio for all tests of this file."""
    folder = tmp_path_factory.mktemp("studio")
    noise = np.random.default_rng(1).integers(0, 255, (30, 50, 3), np.uint8)
    Image.fromarray(noise).save(folder / "photo.png")
    return Studio(tiny, folder, diffusers)


@pytest.mark.parametrize(("name", "kind", "made", "size", "ignored"), MADE)
def test_a_pipeline_makes_what_its_kinds_promise(
    studio: Studio, name: str, kind: str, made: str, size: tuple[int, int], ignored: tuple[str, ...]
) -> None:
    studio.open(name)
    context = Progress(studio.folder / f"{name}-{kind}")
    output, *cover = studio.backend.run(studio.given(kind), context)
    assert output.notes["pipeline"] == made
    assert (output.width, output.height) == size
    assert tuple(output.notes.get("ignored", ())) == ignored
    is_kept = kind in ("image-expand", "image-upscale")
    assert output.notes.get("size_asked") == (None if is_kept else "90x70")
    assert all(before <= after for before, after in pairwise(context.told))
    assert context.told[-1] == 1.0
    assert len(context.told) >= 4
    studio.kept[name, kind, None] = output.path.read_bytes()
    if kind.endswith("video"):
        clip = clips.probe(output.path)
        # As many as the second asks for, in steps of the family: of four, of LTX's of eight.
        frames = 9 if name == "ltx" else 5
        assert (clip.width, clip.height, output.notes["frames"]) == (*size, frames)
        assert clip.seconds == pytest.approx(frames / _FPS)
        assert [one.media_type for one in cover] == ["image/jpeg"]
    else:
        assert pictures.read(output.path).shape == (*size[::-1], 3)
        assert not cover


def test_a_picture_stays_as_it_is_on_its_larger_canvas(studio: Studio) -> None:
    studio.open("sdxl")
    [output] = studio.run("image-expand")
    photo = Image.open(studio.folder / "photo.png").resize((60, 40), Image.Resampling.LANCZOS)
    kept = pictures.read(output.path)[10:50, 10:70]
    assert np.array_equal(kept, np.asarray(photo))


@pytest.mark.parametrize(("name", "kind"), FIRST)
def test_the_seed_alone_decides(studio: Studio, name: str, kind: str) -> None:
    first = studio.first(name, kind)
    again, other = (studio.run(kind, seed)[0].path.read_bytes() for seed in (1, 8))
    assert first == again
    assert first != other


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kind, *_ in MADE])
def test_a_cancel_stops_at_a_step_and_leaves_the_pipeline_usable(
    studio: Studio, name: str, kind: str
) -> None:
    # SDXL keeps a part of a picture by its strength: of four steps one.
    strength = 1.0 if kind in ("image-to-image", "image-expand") else None
    before = studio.first(name, kind, strength)
    context = Progress(studio.folder / "canceled", cancel_at=0.3)
    with pytest.raises(Canceled):
        [*studio.backend.run(studio.given(kind), context)]
    assert context.told[-1] < 0.9, "it went on to the end"
    assert not [*context.folder.iterdir()]
    assert studio.run(kind)[0].path.read_bytes() == before


def test_kinds_of_one_model_share_their_weights(studio: Studio) -> None:
    for name in ("sdxl", "flux", "ltx"):
        studio.open(name)
        own = studio.backend._models[name.upper()]
        loaded = studio.backend._shelf.take(own)
        for kind in ("image-to-image", "image-expand") if name != "ltx" else ("image-to-video",):
            pipe = loaded.pipe_for(kind)
            assert type(pipe) is not type(loaded.pipe)
            for part, module in loaded.pipe.components.items():
                assert getattr(pipe, part) is module


def test_models_that_differ_in_a_call_s_options_share_their_weights(studio: Studio) -> None:
    studio.open("sdxl")
    held = studio.backend._shelf.take(studio.backend._models["SDXL"])
    own = {"model": str(studio.tiny("sdxl")), "steps": 2, "guidance": 1.0}
    studio.backend.setup("SDXL_FAST", own)
    assert studio.backend._shelf.take(studio.backend._models["SDXL_FAST"]) is held
    assert {"SDXL", "SDXL_FAST"} <= studio.backend.held.keys()


def test_options_of_a_call_reach_the_pipeline(studio: Studio) -> None:
    studio.open("sdxl")
    usual = studio.picture()
    for option in ({"steps": 3}, {"guidance": 1.5}):
        studio.open("sdxl", **option)
        assert studio.picture() != usual
    studio.open("sdxl", size_multiple=32)
    assert studio.run("text-to-image")[0].width == 96
    studio.open("wan", frames_per_second=10, frames_multiple=8)
    [clip, _] = studio.run("text-to-video")
    assert (clip.notes["fps"], clip.notes["frames"]) == (10, 17)


def test_half_precision_is_kept_by_every_kind(studio: Studio) -> None:
    studio.open("sdxl", dtype="bfloat16")
    for kind in ("text-to-image", "image-to-image", "image-expand"):
        assert studio.run(kind)
    loaded = studio.backend._shelf.take(studio.backend._models["SDXL"])
    assert str(loaded.pipe.unet.dtype) == "torch.bfloat16"


def test_kinds_that_share_weights_take_turns_in_offloading(studio: Studio) -> None:
    # Onto the processor, which shows the turns and saves nothing.
    studio.open("sdxl", device="cpu", offload="model", strength=1.0)
    kinds = ("text-to-image", "image-to-image", "text-to-image", "image-to-image")
    files = [studio.run(kind)[0].path.read_bytes() for kind in kinds]
    assert files[:2] == files[2:]


def test_the_options_are_checked_in_words(studio: Studio) -> None:
    for option, said in (
        ({"stepps": 3}, "unknown field `stepps`"),
        ({"steps": 0}, "steps"),
        ({"device": "gpu"}, "device"),
        ({"offload": "some"}, "offload"),
    ):
        with pytest.raises(errors.BackendFailed, match=said) as refused:
            studio.open("sd", **option)
        assert "options.diffusers" in refused.value.message


def test_a_kind_that_the_weights_do_not_serve_is_refused_in_words(studio: Studio) -> None:
    for name, kind, said in (
        ("wan", "image-to-video", "does not do image-to-video, only text-to-video"),
        ("wan_i2v", "multi-image-to-video", "only image-to-video: take the kind out"),
        ("upscale", "text-to-image", "only image-upscale"),
    ):
        studio.open(name)
        with pytest.raises(errors.BackendFailed, match=said):
            studio.run(kind)


def test_input_that_cannot_be_used_is_refused_in_words(studio: Studio, tmp_path: Path) -> None:
    studio.open("sd")
    with pytest.raises(errors.BadInput, match="whole pixels"):
        studio.run("text-to-image", width=None)
    with pytest.raises(errors.BadInput, match="1 to 16384"):
        studio.run("text-to-image", width=10**6)
    bare = Input("image-to-image", "SD", {"prompt": "", "width": 64, "height": 64})
    with pytest.raises(errors.BadInput, match="needs a picture"):
        [*studio.backend.run(bare, Progress(tmp_path))]
    Image.new("RGB", (2000, 1000)).save(tmp_path / "large.png")
    large = Input("image-upscale", "UPSCALE", {}, {"img_url": [tmp_path / "large.png"]})
    studio.open("upscale")
    with pytest.raises(errors.BadInput, match="send a smaller one"):
        [*studio.backend.run(large, Progress(tmp_path))]
