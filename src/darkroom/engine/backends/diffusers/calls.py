"""One call of a pipeline: what it is given, and what comes back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from darkroom.engine.backends.contract import Context
from darkroom.engine.backends.diffusers import loading, pipelines, previews, requests
from darkroom.engine.backends.diffusers.options import Options
from darkroom.engine.backends.diffusers.requests import Request
from darkroom.engine.backends.diffusers.steps import watched
from darkroom.engine.backends.pictures import Pixels
from darkroom.errors import BackendFailed

# Whether a pipeline takes these is its own affair: nobody asked for them by name.
_SILENT = {"width", "height", "frame_rate", "fps"}
# What each of several has for itself.
_OWN = {"prompt", "negative_prompt", "generator", "image", "mask_image"}


class Answer(msgspec.Struct, frozen=True):
    """What came of a request: frames, of a picture one, and what the pipeline did not take."""

    frames: Sequence[Pixels]
    ignored: tuple[str, ...]


def call(
    pipe: Any, asked: Sequence[Request], options: Options, contexts: Sequence[Context]
) -> list[Answer | BackendFailed]:
    """Ask the pipeline for one or several: what came of each, or that it is no picture.

    Meanwhile each is shown what it looks like so far, where that can be. Raises `Canceled` at a
    step. Several differ in their words, seeds and pictures alone, of which each has one at the
    most, and all of them have a negative prompt or none.
    """
    given, ignored = parameters(pipe, asked[0], options)
    if len(asked) > 1:
        each = [parameters(pipe, one, options)[0] for one in asked]
        given |= {name: [one[name] for one in each] for name in _OWN & given.keys()}
    if previews.can_show(pipe, options):
        viewer = previews.Viewer(pipe, asked[0].size, contexts)
        given["callback_on_step_end"] = viewer.see
    with _kept_whole(pipe, options), watched(pipe, contexts[0]):
        made = pipe(**given)
    frames = made.frames if hasattr(made, "frames") else [[image] for image in made.images]
    if len(asked) == 1:
        frames = frames[:1]  # of several, any other number than theirs is an error
    withheld = getattr(made, "nsfw_content_detected", None) or [False] * len(asked)
    return [
        _answer(found, is_withheld, (*one.ignored, *ignored))
        for found, is_withheld, one in zip(frames, withheld, asked, strict=True)
    ]


@contextlib.contextmanager
def _kept_whole(pipe: Any, options: Options) -> Iterator[None]:
    """Whatever breaks a call off, a cancel or no memory, the next one finds the pipeline as it was.

    Only at its own end does a pipeline cast back a VAE that it had compute in float32, and send
    away from the GPU what offloads.
    """
    vae = getattr(pipe, "vae", None)
    with contextlib.ExitStack() as broken:
        broken.callback(loading.place, pipe, options)
        if vae is not None:
            broken.callback(vae.to, dtype=vae.dtype)
        yield
        broken.pop_all()


def _answer(
    frames: Sequence[npt.NDArray[np.float32]], is_withheld: bool, ignored: tuple[str, ...]
) -> Answer | BackendFailed:
    if is_withheld:
        return BackendFailed("The model's safety checker withheld the picture: change the prompt.")
    try:
        return Answer(_pixels(frames), ignored)
    except BackendFailed as failed:
        return failed


def parameters(pipe: Any, asked: Request, options: Options) -> tuple[dict[str, Any], list[str]]:
    """What the call is given, and the names of what this pipeline does not take."""
    known = pipelines.takes(type(pipe))
    scale = known.get("true_cfg_scale")
    is_guided_truly = scale is not None and (scale.default or 0) > 1
    negative, ignored = asked.negative_prompt, []
    if is_guided_truly:
        # Guidance needs something to lead away from; Qwen's own recipe is a blank.
        negative = negative or " "
    elif negative and scale is not None:
        # Distilled guidance: the words would be taken and not looked at.
        negative, ignored = "", ["negative_prompt"]
    wanted = {
        "prompt": asked.prompt,
        "negative_prompt": negative or None,
        "width": asked.size[0],
        "height": asked.size[1],
        "num_frames": asked.frames,
        "num_inference_steps": options.steps,
        "true_cfg_scale" if is_guided_truly else "guidance_scale": options.guidance,
        "strength": options.strength if asked.images else None,
        **_pictures(asked),
        # On the processor, so that a seed means the same on every device.
        "generator": torch.Generator().manual_seed(asked.seed),
        "output_type": "np",
    }
    if asked.frames:
        rate = requests.frames_per_second(pipe, options)
        wanted |= {"frame_rate": rate, "fps": rate}
    given = {name: value for name, value in wanted.items() if value is not None and name in known}
    meant = {name for name, value in wanted.items() if value not in (None, "")}
    left = meant - given.keys() - _SILENT
    return given, [*ignored, *sorted(left)]


def _pictures(asked: Request) -> dict[str, Any]:
    first, *others = asked.images or (None,)
    if others and asked.kind == "multi-image-to-video":
        return {"image": first, "last_image": others[-1]}
    return {"image": [first, *others] if others else first, "mask_image": asked.mask}


def _pixels(frames: Sequence[npt.NDArray[np.float32]]) -> list[Pixels]:
    """RGB uint8 from float 0..1; raises `BackendFailed` where nothing was painted."""
    pixels = []
    for frame in frames:  # one by one: a clip as floats is four times as large
        if not np.isfinite(frame).all():
            raise BackendFailed(
                'The model\'s numbers overflowed. Give it dtype = "bfloat16" or "float32" in its '
                "options."
            )
        pixels.append(np.asarray((frame[..., :3].clip(0, 1) * 255).round(), np.uint8))
    if all(frame.min() == frame.max() for frame in pixels):
        raise BackendFailed("The model answered an empty picture: one colour, nothing painted.")
    return pixels
