"""What a pipeline's folder or hub id says of itself, before any weights are loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from darkroom.engine.backends.diffusers import pipelines
from darkroom.errors import ConfigInvalid

_INDEX = "model_index.json"
# The side of the pictures that a model was trained on, where it does not tell.
_SIDE = 1024
# How many seconds of a clip a family was trained on, by how its classes' names begin.
_SECONDS = {"CogVideoX": 6, "Mochi": 3}
_CLIP_SECONDS = 5


class Found(msgspec.Struct, frozen=True):
    """What can be offered: the kinds, the pictures' usual side in pixels, a clip's seconds."""

    source: str
    is_remote: bool
    pipeline: str
    kinds: tuple[str, ...]
    side: int
    seconds: int


def inspect(source: str) -> Found:
    """What a folder, or a hub id, is; raises `ConfigInvalid` with what to do."""
    folder = Path(source).expanduser()
    is_remote = not folder.exists()
    index = _read(source, _INDEX)
    if index is None:
        raise ConfigInvalid(
            f"{source} has no {_INDEX}: name a folder that save_pretrained wrote, or a hub id. "
            "A single file with weights is no pipeline."
        )
    import diffusers
    import transformers

    # It says of every image processor that torchvision is missing, which none of them needs.
    transformers.utils.logging.set_verbosity_error()
    name = str(index.get("_class_name"))
    made = getattr(diffusers, name, None)
    if not isinstance(made, type):
        raise ConfigInvalid(
            f"{source} is a {name}, which diffusers {diffusers.__version__} does not know: "
            "upgrade diffusers. Pipelines that bring code of their own are not run."
        )
    kinds = [*pipelines.kinds(made)]
    if "multi-image-to-video" in kinds and not _ends_with_picture(source, index):
        kinds.remove("multi-image-to-video")
    if not kinds:
        raise ConfigInvalid(f"{source} is a {name}: no kind of Darkroom's can be made with it.")
    seconds = (number for begins, number in _SECONDS.items() if name.startswith(begins))
    return Found(
        source if is_remote else str(folder.resolve()),
        is_remote,
        name,
        # What needs no picture comes first: it is what a model is tried with.
        tuple(sorted(kinds, key=lambda kind: (not kind.startswith("text"), kind))),
        _side(source, index),
        next(seconds, _CLIP_SECONDS),
    )


def _ends_with_picture(source: str, index: Mapping[str, Any]) -> bool:
    """As `pipelines.ends_with_picture`, from the files."""
    if (index.get("image_encoder") or [None])[0] is None:
        return True
    return (_read(source, "transformer/config.json") or {}).get("pos_embed_seq_len") is not None


def _side(source: str, index: Mapping[str, Any]) -> int:
    """The pictures' side that the denoiser's configuration tells, times the VAE's scale."""
    part = "unet" if index.get("unet") else "transformer"
    latents = (_read(source, f"{part}/config.json") or {}).get("sample_size")
    blocks = (_read(source, "vae/config.json") or {}).get("block_out_channels")
    if not isinstance(latents, int) or not isinstance(blocks, list):
        return _SIDE
    return int(latents * 2 ** (len(blocks) - 1))


def _read(source: str, name: str) -> dict[str, Any] | None:
    """One JSON file of the pipeline, None where there is none."""
    folder = Path(source).expanduser()
    path = folder / name if folder.exists() else _fetched(source, name)
    if path is None or not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _fetched(source: str, name: str) -> Path | None:
    import huggingface_hub
    from huggingface_hub import errors

    try:
        return Path(huggingface_hub.hf_hub_download(source, name))
    except (OSError, ValueError) as exc:
        is_unknown = isinstance(exc, errors.LocalEntryNotFoundError)
        if isinstance(exc, errors.EntryNotFoundError) and not is_unknown:
            return None
        raise ConfigInvalid(
            f"{source} is no folder here, and the hub did not answer for it: "
            f"{str(exc).strip().splitlines()[0]}"
        ) from exc
