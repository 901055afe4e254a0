"""What can be seen of a result before it is done: in the end the result itself, never another."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contexts import Progress, Watcher
from PIL import Image

from darkroom import errors
from darkroom.engine.backends import clips, pictures
from darkroom.engine.backends.contract import Input, Output, Preview

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(300)]

_STEPS = 3
_FPS = 4
_KIND = "text-to-image"
# By what tells them apart: a VAE of pictures or of clips, latents packed or not, steps straight or
# not.
SHOWN = [
    *(("sd", _KIND), ("sdxl", "image-to-image"), ("flux", _KIND), ("flux", "image-expand")),
    *(("sd3", _KIND), ("qwen_image", _KIND), ("qwen_image", "image-to-image")),
    *(("wan", "text-to-video"), ("wan_i2v", "image-to-video")),
]
NOT_SHOWN = [("upscale", "image-upscale"), ("ltx", "text-to-video")]


class Blind(Progress):
    """A context that has no preview drawn."""

    def preview(self, draw: Callable[[], Preview]) -> None:
        """Nobody looks."""


@pytest.fixture
def set_up(diffusers: Any) -> Callable[..., Any]:
    """Sets the pipeline of a folder up, and gives the backend."""

    def backend(own: Path, **options: Any) -> Any:
        usual = {"model": str(own), "steps": _STEPS, "together": 4, "frames_per_second": _FPS}
        diffusers.setup("TINY", usual | options)
        return diffusers

    return backend


def _given(folder: Path, kind: str, prompt: str = "a fox", side: int = 64) -> Input:
    photo = folder / "photo.png"
    noise = np.random.default_rng(1).integers(0, 255, (40, 48, 3), np.uint8)
    Image.fromarray(noise).save(photo)
    fields: dict[str, Any] = {"prompt": prompt, "width": 96, "height": side}
    if kind.endswith("-to-video"):
        fields["duration"] = 1
    if kind == "image-expand":
        fields = {"canvas_size": "96x64", "original_image_size": "16x16"}
        fields |= {"original_image_location": "0,0"}
    name = {"image-to-image": "images", "image-to-video": "image"}.get(kind, "img_url")
    return Input(kind, "TINY", fields, {} if kind.startswith("text-") else {name: [photo]})


def _seen(shown: Preview) -> Any:
    with Image.open(io.BytesIO(shown.picture)) as opened:
        assert opened.format == "PNG"
        return np.asarray(opened.convert("RGB")).astype(int)


def _pixels(output: Output) -> Any:
    """A picture, or the first of a clip."""
    if output.media_type == "video/mp4":
        return next(clips.frames(output.path, fps=_FPS)).astype(int)
    return pictures.read(output.path).astype(int)


@pytest.mark.parametrize(("name", "kind"), SHOWN)
def test_what_is_shown_becomes_the_result_and_does_not_change_it(
    set_up, tiny: Callable[[str], Path], tmp_path: Path, name: str, kind: str
) -> None:
    import torch

    backend = set_up(tiny(name), strength=1.0)
    given = _given(tmp_path, kind)
    unseen, *_ = backend.run(given, Blind(tmp_path / "unseen"))
    drawn = torch.random.get_rng_state()
    context = Watcher(tmp_path / "seen")
    output, *_ = backend.run(given, context)
    assert torch.equal(torch.random.get_rng_state(), drawn)
    assert output.path.read_bytes() == unseen.path.read_bytes()
    assert len(context.shown) in (_STEPS, _STEPS - 1)
    own, first, last = _pixels(output), _seen(context.shown[0]), _seen(context.shown[-1])
    assert last.shape == own.shape == (64, 96, 3)
    # What was given stays as it is on its canvas, and the encoder of clips loses some of the noise.
    far, before = (np.abs(own - one)[16:] for one in (last, first))
    assert far.max() <= 1 or (output.media_type == "video/mp4" and far.mean() < before.mean())
    assert (first != last).any()


def test_of_several_in_one_call_each_shows_its_own(
    set_up, tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    backend = set_up(tiny("sdxl"))
    given = [_given(tmp_path, _KIND, prompt) for prompt in ("a fox", "fog")]
    contexts = [Watcher(tmp_path / f"{seed}", seed) for seed in range(2)]
    own = [_pixels(output) for _, output in backend.run_together(given, contexts)]
    far = [[np.abs(_seen(one.shown[-1]) - each).mean() for each in own] for one in contexts]
    assert far[0][0] < 1 < far[0][1]
    assert far[1][1] < 1 < far[1][0]


def test_what_is_large_is_shown_small(set_up, tiny: Callable[[str], Path], tmp_path: Path) -> None:
    """On the processor: of twelve by forty-eight latents by three and three one."""
    context = Watcher(tmp_path / "large")
    [output] = set_up(tiny("sdxl"), device="cpu").run(_given(tmp_path, _KIND, side=384), context)
    assert (output.width, output.height) == (96, 384)
    assert {_seen(one).shape for one in context.shown} == {(128, 32, 3)}


def _checked(own: Path, folder: Path) -> Path:
    """The pipeline of a folder with what may withhold its pictures, random as it is."""
    import diffusers
    import transformers
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker

    side: dict[str, Any] = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    side |= {"num_attention_heads": 2, "projection_dim": 8}
    eye = side | {"image_size": 32, "patch_size": 8}
    config = transformers.CLIPConfig(text_config=side, vision_config=eye, projection_dim=8)
    parts = diffusers.StableDiffusionPipeline.from_pretrained(own).components
    parts["safety_checker"] = StableDiffusionSafetyChecker(config).eval()
    parts["feature_extractor"] = transformers.CLIPImageProcessor(crop_size=32, size=32)
    diffusers.StableDiffusionPipeline(**parts).save_pretrained(folder)
    return folder


def test_what_may_be_withheld_is_not_shown(
    set_up, tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    backend = set_up(_checked(tiny("sd"), tmp_path / "checked"))
    context = Watcher(tmp_path / "hidden")
    # By random weights it may or may not be.
    with contextlib.suppress(errors.BackendFailed):
        [*backend.run(_given(tmp_path, _KIND), context)]
    assert not context.shown
    assert len(context.told) > _STEPS


@pytest.mark.parametrize(("name", "kind"), NOT_SHOWN)
def test_what_cannot_be_read_is_not_shown(
    set_up, tiny: Callable[[str], Path], tmp_path: Path, name: str, kind: str
) -> None:
    context = Watcher(tmp_path / "hidden")
    assert [*set_up(tiny(name)).run(_given(tmp_path, kind), context)]
    assert not context.shown


def test_weights_that_offload_are_not_moved_to_show_anything(
    set_up, tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    backend = set_up(tiny("sd"), device="cpu", offload="model")
    context = Watcher(tmp_path / "offloaded")
    assert [*backend.run(_given(tmp_path, _KIND), context)]
    assert not context.shown
