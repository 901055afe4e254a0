"""A pipeline from its folder or its hub id onto its device, safe formats only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from darkroom.engine.backends.diffusers.options import Options
from darkroom.errors import BackendFailed

_INDEX = "model_index.json"


def device_of(options: Options) -> str:
    """Where the model runs: as the options say, else on the GPU if there is one."""
    if options.device:
        return options.device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def dtype_of(options: Options) -> Any:
    """The type of the weights: as the options say, else bfloat16 where the device computes it."""
    device = device_of(options)
    if options.dtype:
        return getattr(torch, options.dtype)
    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.float32 if device == "cpu" else torch.float16


def folder_of(options: Options) -> Path:
    """The folder with the weights, downloaded first where a hub id is not here yet."""
    folder = Path(options.model).expanduser()
    if (folder / _INDEX).is_file():
        return folder
    if folder.is_absolute() or options.model.count("/") > 1 or options.model.startswith("."):
        raise BackendFailed(
            f"{options.model} is no diffusers folder: it has no {_INDEX}. Name the folder that "
            "save_pretrained wrote or a hub id; a single file is no pipeline."
        )
    try:
        found = diffusers.DiffusionPipeline.download(
            options.model, revision=options.revision, use_safetensors=_safe(options)
        )
    except (OSError, ValueError) as exc:
        raise BackendFailed(
            f"{options.model} is neither a folder here nor to be had from the hub: {_first(exc)} "
            f"Download it once where there is a network: hf download {options.model}"
        ) from exc
    return Path(found)


def load(folder: Path, options: Options) -> Any:
    """The pipeline, on its device or with the offloading that the options ask for."""
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    # It says of every image processor that torchvision is missing, which none of them needs.
    transformers.utils.logging.set_verbosity_error()
    try:
        pipe = diffusers.DiffusionPipeline.from_pretrained(
            folder,
            dtype=dtype_of(options),
            use_safetensors=_safe(options),
            local_files_only=True,
        )
    except OSError as exc:
        if "safetensors" in str(exc) and not options.allow_pickle:
            raise BackendFailed(
                f"{folder} has weights that are no safetensors. A pickle runs code when it is "
                "loaded: convert it, or, if you trust who made it, set allow_pickle = true. "
                f"({_first(exc)})"
            ) from exc
        raise
    if options.compile:
        (getattr(pipe, "transformer", None) or pipe.unet).compile()
    return pipe


def place(pipe: Any, options: Options) -> None:
    """Put a pipeline on its device; siblings that offload take turns, so each is placed anew."""
    device = device_of(options)
    if options.offload == "none":
        pipe.to(device)
        return
    pipe.remove_all_hooks()
    if options.offload == "model":
        pipe.enable_model_cpu_offload(device=device)
    else:
        pipe.enable_sequential_cpu_offload(device=device)


def _safe(options: Options) -> bool | None:
    """Whether only safetensors may be read; None: these first."""
    return None if options.allow_pickle else True


def _first(exc: Exception) -> str:
    """The first line of an error, as a sentence."""
    line = str(exc).strip().splitlines()[0]
    return line if line.endswith(".") else f"{line}."
