"""Weights: where they come from, which are refused, LoRAs, and what stays loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from contexts import Progress

from darkroom import errors
from darkroom.engine.backends import registry
from darkroom.engine.backends.contract import Input

pytestmark = pytest.mark.filterwarnings("ignore")

Tiny = Callable[[str], Path]


@pytest.fixture
def backend(tiny: Tiny) -> Any:
    """A backend that has nothing loaded."""
    return registry.create("diffusers")


def picture(backend: Any, folder: Path, prompt: str = "a fox") -> tuple[bytes, Any]:
    """A picture's file, and its notes."""
    given = Input("text-to-image", "TINY", {"prompt": prompt, "width": 64, "height": 64})
    [output] = backend.run(given, Progress(folder / "work", 3))
    return output.path.read_bytes(), output.notes


def copied(tiny: Tiny, folder: Path, **how: Any) -> Path:
    """A tiny pipeline of the test's own, changed by `change`, saved as `save_pretrained` can."""
    import diffusers

    pipe = diffusers.DiffusionPipeline.from_pretrained(tiny("sd"))
    how.pop("change", lambda _: None)(pipe)
    pipe.save_pretrained(folder / "own", **how)
    return folder / "own"


def test_pickles_are_refused_unless_they_are_trusted(backend, tiny: Tiny, tmp_path: Path) -> None:
    own = copied(tiny, tmp_path, safe_serialization=False)
    with pytest.raises(errors.BackendFailed, match="allow_pickle = true") as refused:
        backend.setup("OWN", {"model": str(own)})
    assert "safetensors" in refused.value.message
    backend.setup("OWN", {"model": str(own), "allow_pickle": True, "steps": 2})
    assert picture(backend, tmp_path)


def test_numbers_that_overflowed_are_no_picture(backend, tiny: Tiny, tmp_path: Path) -> None:
    def spoil(pipe: Any) -> None:
        pipe.vae.decoder.conv_out.bias.data.fill_(float("nan"))

    backend.setup("OWN", {"model": str(copied(tiny, tmp_path, change=spoil)), "steps": 2})
    with pytest.raises(errors.BackendFailed, match="numbers overflowed"):
        picture(backend, tmp_path)


def test_one_colour_is_no_picture(backend, tiny: Tiny, tmp_path: Path) -> None:
    def blank(pipe: Any) -> None:
        pipe.vae.decoder.conv_out.weight.data.zero_()
        pipe.vae.decoder.conv_out.bias.data.zero_()

    backend.setup("OWN", {"model": str(copied(tiny, tmp_path, change=blank)), "steps": 2})
    with pytest.raises(errors.BackendFailed, match="empty picture"):
        picture(backend, tmp_path)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("somebody/some-model", "neither a folder here nor to be had from the hub.*hf download"),
        ("/nowhere/at-all", "is no diffusers folder: it has no model_index.json"),
        ("./model.safetensors", "a single file is no pipeline"),
    ],
)
def test_what_is_not_here_is_said(backend, model: str, said: str) -> None:
    with pytest.raises(errors.BackendFailed, match=said):
        backend.setup("GONE", {"model": model})


@pytest.fixture
def lora(tiny: Tiny, tmp_path: Path) -> Path:
    """A LoRA for the tiny SDXL, with weights that show."""
    import diffusers
    import peft
    import torch

    pipe = diffusers.DiffusionPipeline.from_pretrained(tiny("sdxl"))
    torch.manual_seed(2)
    config = peft.LoraConfig(r=4, target_modules=["to_q", "to_v"], init_lora_weights=False)
    pipe.unet.add_adapter(config)
    layers = peft.get_peft_model_state_dict(pipe.unet)
    diffusers.StableDiffusionXLPipeline.save_lora_weights(tmp_path / "lora", layers)
    return tmp_path / "lora"


def test_a_lora_is_chosen_in_the_prompt_and_leaves_no_trace(
    backend, tiny: Tiny, lora: Path, tmp_path: Path
) -> None:
    table = {"model": str(tiny("sdxl")), "steps": 2, "loras": {"pixel": {"path": str(lora)}}}
    backend.setup("SDXL", table)
    plain, notes = picture(backend, tmp_path)
    assert "loras" not in notes
    chosen, notes = picture(backend, tmp_path, "a <lora:pixel> fox")
    assert notes["loras"] == {"pixel": 1.0}
    assert chosen != plain
    weak, notes = picture(backend, tmp_path, "a fox <lora:pixel:0.5>")
    assert notes["loras"] == {"pixel": 0.5}
    assert len({plain, chosen, weak}) == 3
    assert picture(backend, tmp_path)[0] == plain, "the LoRA stayed on"
    for choice, said in (
        ("<lora:ink>", "no LoRA ink; this model has pixel"),
        ("<lora:pixel:9>", "-4 to 4"),
    ):
        with pytest.raises(errors.BadInput, match=said):
            picture(backend, tmp_path, choice)


def test_a_lora_that_is_always_on_belongs_to_its_model_alone(
    backend, tiny: Tiny, lora: Path, tmp_path: Path
) -> None:
    plain = {"model": str(tiny("sdxl")), "steps": 2}
    always = plain | {"loras": {"pixel": {"path": str(lora), "weight": 0.7, "always": True}}}
    found = []
    for key, table in (("SDXL", plain), ("PIXEL", always), ("SDXL", plain), ("PIXEL", always)):
        backend.setup(key, table)
        found.append(picture(backend, tmp_path))
    assert [notes.get("loras") for _, notes in found] == [None, {"pixel": 0.7}] * 2
    assert found[0][0] == found[2][0] != found[1][0] == found[3][0]


def test_memory_that_runs_out_in_a_call_spoils_no_later_one(
    backend: Any, tiny: Tiny, tmp_path: Path
) -> None:
    import numpy as np
    import torch
    from PIL import Image

    def run_out(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    backend.setup("TINY", {"model": str(tiny("sdxl")), "steps": 2, "dtype": "bfloat16"})
    before, _ = picture(backend, tmp_path)
    photo = tmp_path / "photo.png"
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(photo)
    fields = {"prompt": "a fox", "width": 64, "height": 64}
    given = Input("image-to-image", "TINY", fields, {"images": [photo]})
    # SDXL has its VAE compute in float32 while it reads a picture.
    vae = backend._shelf.take(backend._models["TINY"]).pipe.vae
    full = vae.encoder.register_forward_pre_hook(run_out)
    with pytest.raises(torch.OutOfMemoryError):
        [*backend.run(given, Progress(tmp_path / "full", 3))]
    full.remove()
    assert vae.dtype == torch.bfloat16
    assert picture(backend, tmp_path)[0] == before


@dataclass
class _Memory:
    """A device that tells how much memory it has left."""

    left: int = 2**40

    def __call__(self, device: str) -> int:
        return self.left


def test_models_stay_loaded_while_there_is_memory(tiny: Tiny) -> None:
    from darkroom.engine.backends.diffusers import memory, options, shelf

    sd, flux, sdxl = (
        options.read(name, {"model": str(tiny(name))}) for name in ("sd", "flux", "sdxl")
    )
    device = _Memory()
    one = shelf.Shelf(device)
    first, second = one.take(sd), one.take(flux)
    assert [one.take(sd), one.take(flux)] == [first, second]
    device.left = 0
    third = one.take(sdxl)
    assert one.seconds_of(sd) is None
    assert one.seconds_of(flux) is None
    need = memory.bytes_on_disk(tiny("sdxl"))
    assert memory.bytes_of(third.pipe) == pytest.approx(need, rel=0.2)
    assert one.keep_only(third) is False


def test_the_one_used_longest_ago_goes_first(tiny: Tiny) -> None:
    from darkroom.engine.backends.diffusers import options, shelf

    class Full(_Memory):
        """A device on which there is room again once something has gone."""

        def __call__(self, device: str) -> int:
            answer, self.left = self.left, 2**40
            return answer

    sd, flux, sdxl = (
        options.read(name, {"model": str(tiny(name))}) for name in ("sd", "flux", "sdxl")
    )
    device = Full()
    one = shelf.Shelf(device)
    for each in (sd, flux, sd):
        one.take(each)
    device.left = 0
    one.take(sdxl)
    assert [one.seconds_of(each) is None for each in (sd, flux, sdxl)] == [False, True, False]
