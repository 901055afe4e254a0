"""Pictures by diffusers through a child of Darkroom, beside a bare loop on the same device.

By itself, since it wants an accelerator: `.venv/bin/python bench/measure_diffusers.py`. Weights
are random, the architecture is SDXL's own; with `--tiny`, or without a GPU, it is a toy that shows
that this runs, and its figures say nothing of a GPU's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from darkroom.engine import protocol
from darkroom.engine.process import Process, error_of

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS))

import tiny_pipelines  # noqa: E402 - the tests' own toys

_STREAMS = 8
_PROMPT = "a red fox in the snow, morning light"
# Pictures before the first that counts: the child loads its model for it.
_WARM = 1


def _full(folder: Path, device: str) -> Path:
    """A folder with a pipeline of SDXL's size (stable-diffusion-xl-base-1.0), random weights."""
    tiny = tiny_pipelines.sdxl()
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device):
        parts = {
            "vae": diffusers.AutoencoderKL(
                block_out_channels=(128, 256, 512, 512),
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                layers_per_block=2,
                latent_channels=4,
                sample_size=1024,
                scaling_factor=0.13025,
            ),
            "unet": diffusers.UNet2DConditionModel(
                sample_size=128,
                block_out_channels=(320, 640, 1280),
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
                transformer_layers_per_block=(1, 2, 10),
                attention_head_dim=(5, 10, 20),
                cross_attention_dim=2048,
                use_linear_projection=True,
                addition_embed_type="text_time",
                addition_time_embed_dim=256,
                projection_class_embeddings_input_dim=2816,
            ),
            "text_encoder": _words(transformers.CLIPTextModel, 768, 12, tiny),
            "text_encoder_2": _words(transformers.CLIPTextModelWithProjection, 1280, 32, tiny),
        }
    torch.set_default_dtype(torch.float32)
    kept = {name: tiny.components[name] for name in ("tokenizer", "tokenizer_2", "scheduler")}
    diffusers.StableDiffusionXLPipeline(**parts, **kept).save_pretrained(folder / "sdxl")
    return folder / "sdxl"


def _words(made: Any, width: int, layers: int, tiny: Any) -> Any:
    """A text encoder of CLIP's shape, for the toy's tokenizer."""
    like = tiny.text_encoder.config.to_dict()
    sizes = {"hidden_size": width, "projection_dim": width, "intermediate_size": 4 * width}
    more = {"num_hidden_layers": layers, "num_attention_heads": width // 64}
    return made(transformers.CLIPTextConfig(**{**like, **sizes, **more})).eval()


def _bare(folder: Path, device: str, plan: argparse.Namespace) -> Iterator[float]:
    """Pictures a second of a loop of one at a time, then of one call for several."""
    dtype = torch.bfloat16 if device != "cpu" else torch.float32
    pipe = diffusers.DiffusionPipeline.from_pretrained(folder, dtype=dtype).to(device)
    pipe.set_progress_bar_config(disable=True)

    def make(count: int, seed: int) -> None:
        seeds = [torch.Generator().manual_seed(seed + number) for number in range(count)]
        pipe(
            prompt=[_PROMPT] * count,
            width=plan.side,
            height=plan.side,
            num_inference_steps=plan.steps,
            generator=seeds,
        )

    for count in (1, _STREAMS):
        make(count, 0)
        yield _rate(plan.pictures, count, lambda seed, count=count: make(count, seed))
    # The child wants the device's memory.
    pipe.to("cpu")
    if device != "cpu":
        torch.cuda.empty_cache()


def _rate(pictures: int, at_once: int, make: Callable[[int], None]) -> float:
    """Pictures a second, by the median call."""
    took = []
    for seed in range(max(1, pictures // at_once)):
        began = time.monotonic()
        make(seed)
        took.append(time.monotonic() - began)
    return at_once / statistics.median(took)


async def _child(folder: Path, work: Path, plan: argparse.Namespace) -> tuple[float, float]:
    """Pictures a second of one caller of one child, then of several, files included."""
    process = await Process.start(threads=torch.get_num_threads())
    try:
        found = [await _called(process, folder, work, plan, count) for count in (1, _STREAMS)]
    finally:
        await process.kill()
    return found[0], found[1]


async def _called(
    process: Process, folder: Path, work: Path, plan: argparse.Namespace, callers: int
) -> float:
    """Pictures a second of so many callers that wait alike, by the median time between two ends.

    Several share a call, as a worker has them do: each makes a picture of its own in it.
    """
    options = {"model": str(folder), "steps": plan.steps, "together": callers}
    ended: list[float] = []
    for first in range(0, callers * _WARM + plan.pictures, callers):
        asked = []
        for number in range(first, first + callers):
            place = work / f"{callers}-{number}"
            place.mkdir()
            fields = {"prompt": _PROMPT, "width": plan.side, "height": plan.side}
            kind = "text-to-image"
            asked.append(
                protocol.Run("diffusers", "BENCH", kind, fields, {}, str(place), number, options)
            )
        await (_one(process, asked[0]) if callers == 1 else _several(process, asked))
        ended.append(time.monotonic())
    between = [later - before for before, later in pairwise(ended[_WARM - 1 :])]
    return callers / statistics.median(between)


async def _one(process: Process, asked: protocol.Run) -> None:
    async for _ in process.run(asked):
        pass


async def _several(process: Process, asked: list[protocol.Run]) -> None:
    """Raises what kept a picture from being made in the one call."""
    async for told in process.run_together(asked):
        if isinstance(told, protocol.Apart):
            raise RuntimeError("They could not run in one call.")
        if isinstance(told, protocol.Of) and isinstance(told.told, protocol.Failed):
            raise error_of(told.told)


def main() -> None:
    """Measure, print one JSON document with pictures a second and the ratios to the bare calls.

    `ratio_together` is what callers gain by sharing a call.
    """
    parser = argparse.ArgumentParser(description="Diffusers in Darkroom beside a bare loop.")
    parser.add_argument("--tiny", action="store_true", help="a toy, as on a machine without a GPU")
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--steps", type=int, default=20)
    plan = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    is_tiny = plan.tiny or device == "cpu"
    plan.side = 64 if is_tiny else 1024
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        made = tiny_pipelines.save(folder, "sdxl") if is_tiny else _full(folder, device)
        one, batch = _bare(made, device, plan)
        alone, several = asyncio.run(_child(made, folder, plan))
    found = {
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "architecture": "toy" if is_tiny else "SDXL",
        "pixels": plan.side**2,
        "steps": plan.steps,
        "pictures_per_second": {
            "bare loop": one,
            f"bare, {_STREAMS} a call": batch,
            "child, one caller": alone,
            f"child, {_STREAMS} callers": several,
        },
        "ratio_one_caller": alone / one,
        f"ratio_{_STREAMS}_callers": several / batch,
        "ratio_together": several / alone,
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
