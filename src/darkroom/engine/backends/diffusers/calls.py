"""One call of a pipeline for one or several requests: what it takes, and what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from darkroom.engine.backends.diffusers import pipelines, requests
from darkroom.engine.backends.diffusers.options import Options
from darkroom.engine.backends.diffusers.requests import Request
from darkroom.engine.backends.diffusers.steps import Steps, watched
from darkroom.engine.backends.pictures import Pixels
from darkroom.errors import BackendFailed

# Whether a pipeline takes these is its own affair: nobody asked for them by name.
_SILENT = {"width", "height", "frame_rate", "fps", "prompt"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request: frames, of a picture one, and what the pipeline did not take."""

    frames: Sequence[Pixels]
    ignored: tuple[str, ...]


def call(pipe: Any, asked: Sequence[Request], options: Options, steps: Steps) -> list[Answer]:
    """Ask the pipeline for all requests at once; they are alike but for words, pictures, seeds.

    Raises `BackendFailed` for what is no picture, and `Canceled` out of a step.
    """
    given, ignored = parameters(pipe, asked, options)
    with watched(pipe, steps), torch.inference_mode():
        made = pipe(**given)
    flagged = getattr(made, "nsfw_content_detected", None) or ()
    if any(flagged):
        raise BackendFailed("The model's safety checker withheld the picture: change the prompt.")
    clips = made.frames if hasattr(made, "frames") else [[one] for one in made.images]
    if len(clips) != len(asked):
        raise BackendFailed(f"The model made {len(clips)} results instead of {len(asked)}.")
    return [
        Answer(_pixels(frames), (*one.ignored, *ignored))
        for one, frames in zip(asked, clips, strict=True)
    ]


def parameters(
    pipe: Any, asked: Sequence[Request], options: Options
) -> tuple[dict[str, Any], list[str]]:
    """What the call is given, and the names of what this pipeline does not take."""
    known, first = pipelines.takes(type(pipe)), asked[0]
    scale = known.get("true_cfg_scale")
    is_guided_truly = scale is not None and (scale.default or 0) > 1
    negatives = [one.negative_prompt for one in asked]
    ignored = []
    if is_guided_truly and not any(negatives):
        # Guidance needs something to lead away from; Qwen's own recipe is a blank.
        negatives = [" "] * len(asked)
    elif any(negatives) and scale is not None and not is_guided_truly:
        # Distilled guidance: the words would be taken and not looked at.
        ignored, negatives = ["negative_prompt"], [""] * len(asked)
    wanted = {
        "prompt": _one_or_all([one.prompt for one in asked]),
        "negative_prompt": _one_or_all(negatives) if any(negatives) else None,
        "width": first.size[0],
        "height": first.size[1],
        "num_frames": first.frames,
        "num_inference_steps": options.steps,
        "true_cfg_scale" if is_guided_truly else "guidance_scale": options.guidance,
        "strength": options.strength if first.images else None,
        **_pictures(asked),
        # On the processor, so that a seed means the same on every device.
        "generator": [torch.Generator().manual_seed(one.seed) for one in asked],
        "output_type": "np",
    }
    if first.frames:
        rate = requests.frames_per_second(pipe, options)
        wanted |= {"frame_rate": rate, "fps": rate}
    given = {name: value for name, value in wanted.items() if value is not None and name in known}
    left = {name for name, value in wanted.items() if value is not None} - given.keys() - _SILENT
    return given, [*ignored, *sorted(left)]


def _pictures(asked: Sequence[Request]) -> dict[str, Any]:
    first = asked[0]
    if first.kind == "multi-image-to-video" and len(first.images) > 1:
        return {"image": first.images[0], "last_image": first.images[-1]}
    if len(first.images) > 1:
        return {"image": [*first.images]}
    return {
        "image": _one_or_all([one.images[0] for one in asked if one.images]),
        "mask_image": _one_or_all([one.mask for one in asked if one.mask is not None]),
    }


def _one_or_all(several: Sequence[Any]) -> Any:
    """A list only for several: not every pipeline takes one."""
    return (several[0] if several else None) if len(several) < 2 else [*several]


def _pixels(frames: Sequence[npt.NDArray[np.float32]]) -> list[Pixels]:
    """RGB uint8 from float 0..1; raises `BackendFailed` where nothing was painted."""
    found = np.asarray(frames, np.float32)
    if not np.isfinite(found).all():
        raise BackendFailed(
            'The model\'s numbers overflowed. Give it dtype = "bfloat16" or "float32" in its '
            "options."
        )
    pixels = np.asarray((found.clip(0, 1) * 255).round(), np.uint8)
    if all(frame.min() == frame.max() for frame in pixels):
        raise BackendFailed("The model answered an empty picture: one colour, nothing painted.")
    return [*pixels[..., :3]]
