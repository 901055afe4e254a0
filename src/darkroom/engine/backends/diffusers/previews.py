"""What a result looks like between two steps: its latents, made few, through the model's VAE."""

from __future__ import annotations

import functools
import inspect
import io
from collections.abc import Sequence
from typing import Any

import diffusers
import torch
from PIL import Image

from darkroom.engine.backends.contract import Context, Preview
from darkroom.engine.backends.diffusers import pipelines
from darkroom.engine.backends.diffusers.options import Options
from darkroom.engine.backends.diffusers.requests import Size

# Pixels a side at most, on the processor and elsewhere: a small part of a step's work. Of memory
# the result itself, which is still to come, needs as much and more.
_SIDE_ON_CPU, _SIDE = 128, 256
# VAEs that decode latents by themselves: of a picture, and of a clip its first frame alone.
_OF_PICTURES = (diffusers.AutoencoderKL, diffusers.AutoencoderDC)
_OF_CLIPS = (diffusers.AutoencoderKLQwenImage, diffusers.AutoencoderKLWan)
# Schedulers whose steps lie on a straight line to what is seen at the end (Euler's method).
_STRAIGHT = (diffusers.EulerDiscreteScheduler, diffusers.FlowMatchEulerDiscreteScheduler)
# How the latents of FLUX and its like are unpacked from patches of two by two.
_UNPACKED_BY = ["latents", "height", "width", "vae_scale_factor"]


def can_show(pipe: Any, options: Options) -> bool:
    """Whether what the pipeline makes may be seen before it is done, and is known how to.

    What a safety checker may withhold is not shown, and no weights are moved to show anything.
    """
    tensors = pipelines.takes(type(pipe)).get("callback_on_step_end_tensor_inputs")
    if tensors is None or "latents" not in (tensors.default or ()) or options.offload != "none":
        return False
    if any("safety" in name for name, part in pipe.components.items() if part is not None):
        return False
    vae = getattr(pipe, "vae", None) if getattr(pipe, "scheduler", None) else None
    if isinstance(vae, diffusers.AutoencoderKL) and vae.dtype == torch.float16:
        return not vae.config.force_upcast  # else its numbers overflow
    return isinstance(vae, (*_OF_PICTURES, *_OF_CLIPS))


class Viewer:
    """Shows each task of one call what is made for it, where a preview is due at a step.

    It reads latents and weights and draws no random numbers: the result stays what it is.
    """

    def __init__(self, pipe: Any, size: Size, contexts: Sequence[Context]) -> None:
        self._pipe, self._size, self._contexts = pipe, size, contexts
        self._before: Any = None
        config = pipe.scheduler.config
        self._is_straight = isinstance(pipe.scheduler, _STRAIGHT) and not config.get(
            "stochastic_sampling"
        )

    def see(self, _pipe: Any, _step: int, _time: Any, told: dict[str, Any]) -> dict[str, Any]:
        """A pipeline's `callback_on_step_end`, which is given back what it told."""
        before, self._before = self._before, self._grid(told["latents"])
        # Of the first step of a straight line only its end is known.
        if self._before is not None and (before is not None or not self._is_straight):
            for place, context in enumerate(self._contexts):
                context.preview(functools.partial(self._draw, self._before, before, place))
        return told

    def _grid(self, latents: Any) -> Any:
        """As tasks x channels x rows x columns, of a clip its first frame; None: not known how."""
        if latents.ndim == 3:
            latents = self._unpacked(latents)
        if latents.ndim == 5:
            latents = latents[:, :, 0]
        config = self._pipe.vae.config
        channels = config.get("latent_channels") or config.get("z_dim")
        shape = (len(self._contexts), channels)
        return latents if latents.ndim == 4 and latents.shape[:2] == shape else None

    def _unpacked(self, latents: Any) -> Any:
        unpack = getattr(self._pipe, "_unpack_latents", None)
        if unpack is None or [*inspect.signature(unpack).parameters] != _UNPACKED_BY:
            return latents
        scale = self._pipe.vae_scale_factor
        width, height = (side // (scale * 2) for side in self._size)
        if latents.shape[1] != width * height or latents.shape[2] % 4:
            return latents
        return unpack(latents, self._size[1], self._size[0], scale)

    def _clean(self, latents: Any, before: Any) -> Any:
        """The latents without the noise that is still to go: where their line leads at sigma 0."""
        scheduler = self._pipe.scheduler
        if not self._is_straight or not scheduler.step_index:
            return latents
        last, now = (float(scheduler.sigmas[scheduler.step_index - back]) for back in (1, 0))
        return latents - (latents - before) * (now / (now - last)) if now != last else latents

    def _draw(self, latents: Any, before: Any, place: int) -> Preview:
        """The picture of one task's latents, shrunk to few."""
        vae = self._pipe.vae
        latents = self._clean(latents, before)[place : place + 1]
        by = -(-max(self._size) // (_SIDE_ON_CPU if vae.device.type == "cpu" else _SIDE))
        shape = [-(-side // by) for side in latents.shape[2:]]
        few = torch.nn.functional.adaptive_avg_pool2d(latents.float(), shape)
        few = _unscaled(few, vae.config).to(vae.device, vae.dtype)
        if isinstance(vae, _OF_CLIPS):
            few = few[:, :, None]
        made = vae.decode(few, return_dict=False)[0]
        if made.ndim == 5:
            made = made[:, :, 0]
        pixels = ((made[0, :3].float() / 2 + 0.5).nan_to_num().clamp(0, 1) * 255).round()
        array = pixels.to(torch.uint8).permute(1, 2, 0).cpu().numpy()
        held = io.BytesIO()
        Image.fromarray(array).save(held, "PNG", compress_level=1)
        return Preview(held.getvalue())


def _unscaled(latents: Any, config: Any) -> Any:
    """As the VAE made them: every pipeline brings them to about one and back by these figures."""
    mean, deviation = config.get("latents_mean"), config.get("latents_std")
    latents = latents / (config.get("scaling_factor") or 1.0)
    if mean is None or deviation is None:
        return latents + (config.get("shift_factor") or 0.0)
    shape = (1, -1, 1, 1)
    mean, deviation = (latents.new_tensor(one).view(shape) for one in (mean, deviation))
    return latents * deviation + mean
