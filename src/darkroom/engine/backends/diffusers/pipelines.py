"""What a pipeline class can do: its kinds, what its call takes, its sizes and frames."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

# The tables of diffusers' auto_pipeline that hold one class a family, by our kinds.
_TABLES = {
    "text-to-image": "AUTO_TEXT2IMAGE_PIPELINES_MAPPING",
    "image-to-image": "AUTO_IMAGE2IMAGE_PIPELINES_MAPPING",
    "image-expand": "AUTO_INPAINT_PIPELINES_MAPPING",
    "text-to-video": "AUTO_TEXT2VIDEO_PIPELINES_MAPPING",
    "image-to-video": "AUTO_IMAGE2VIDEO_PIPELINES_MAPPING",
}
# Kinds whose weights serve others too. What was trained to fill masks or to refine is for that.
_BASES = ("text-to-image", "text-to-video")
# The rate at which a family was trained, by how its classes' names begin: no pipeline tells it.
_FRAMES_PER_SECOND = {
    "AnimateDiff": 8,
    "CogVideoX": 8,
    "Allegro": 15,
    "Wan": 16,
    "HunyuanVideo": 24,
    "LTX": 25,
    "Mochi": 30,
}
FRAMES_PER_SECOND = 24
_SCALES = ("vae_scale_factor_spatial", "vae_spatial_compression_ratio", "vae_scale_factor")
_TIMES = (
    "vae_scale_factor_temporal",
    "vae_temporal_compression_ratio",
    "vae_scale_factor_temporal_compression",
)
# What a call takes that starts from a picture or fills a part of it.
_BEGINS = {"strength", "mask_image"}
# With these a result may have several pictures, so that a list of them may be one result's.
_SEVERAL = {"last_image", "conditions", "frame_index", "video", "image_reference"}
# Latents that are so small are not cut into patches of two by two as well.
_SCALE_UNPATCHED = 32


def takes(made: type) -> Mapping[str, inspect.Parameter]:
    """The parameters of the class's call."""
    return inspect.signature(made.__call__).parameters


def takes_several(made: type, kind: str) -> bool:
    """Whether one call makes several results of a kind, each from its own words, seed and picture.

    The class must say that it takes lists of these. A list of pictures is one for each result where
    a result starts from its picture, fills it or enlarges it, and where a clip begins with it. To
    what edits by words alone it means several views for one result.
    """
    known, own = takes(made), {"prompt", "generator"}
    if kind not in _BASES:
        own |= {"image", "mask_image"}
        begins = kind in ("image-upscale", "image-to-video") or known.keys() & _BEGINS
        if not begins or known.keys() & _SEVERAL:
            return False
    lists = {name for name, one in known.items() if "list[" in str(one.annotation).lower()}
    return "generator" in known and own & known.keys() <= lists


def kinds(made: type) -> frozenset[str]:
    """The kinds that weights of this class serve, its siblings' included; empty: none of ours."""
    own = _own_kinds(made)
    return own | {kind for kind in _TABLES if kind not in own and sibling(made, kind)}


def sibling(made: type, kind: str) -> type | None:
    """The class that does a kind with the weights of this one, itself where it does."""
    own = _own_kinds(made)
    if kind in own:
        return made
    bases = [base for base in _BASES if base in own]
    for base in bases:
        for family, one in _table(base).items():
            if one is made and kind in _TABLES:
                return _table(kind).get(family)
    return None


def _table(kind: str) -> Mapping[str, type]:
    from diffusers.pipelines import auto_pipeline

    found: Mapping[str, type] = getattr(auto_pipeline, _TABLES[kind], {})
    return found


def _own_kinds(made: type) -> frozenset[str]:
    known, name = takes(made), made.__name__
    if "Control" in name or "control_image" in known:
        return frozenset()
    if "num_frames" in known:
        return _clip_kinds(known)
    if "mask_image" in known:
        return frozenset({"image-expand"})
    if "image" in known:
        if "Upscale" in name:
            return frozenset({"image-upscale"})
        is_both = made in _table("text-to-image").values()
        return frozenset({"image-to-image", "text-to-image"} if is_both else {"image-to-image"})
    is_picture = "num_images_per_prompt" in known and "prompt" in known
    return frozenset({"text-to-image"} if is_picture else ())


def _clip_kinds(known: Mapping[str, inspect.Parameter]) -> frozenset[str]:
    if "image" not in known:
        return frozenset({"text-to-video"} if "prompt" in known else ())
    found = {"image-to-video"}
    if "last_image" in known:
        found.add("multi-image-to-video")
    if "conditions" in known:
        found.add("text-to-video")
    return frozenset(found)


def shared(pipe: Any, made: type) -> Any:
    """A pipeline of another class over the same modules.

    Not by `from_pipe`: it casts what it shares to one type, float32 unless told, although some
    layers of a model in bfloat16 are kept in float32 on purpose.
    """
    known = {**pipe.config, **pipe.components}
    # A class that was looked up, whose constructor mypy would have another instance change.
    wanted = inspect.signature(made.__init__).parameters  # type: ignore[misc]
    return made(**{name: known[name] for name in wanted if name in known})


def ends_with_picture(pipe: Any) -> bool:
    """Whether a clip can be led to a last picture: an image encoder's words need places for two."""
    if getattr(pipe, "image_encoder", None) is None:
        return True
    return getattr(pipe.transformer.config, "pos_embed_seq_len", None) is not None


def size_multiple(pipe: Any) -> int:
    """What width and height must be whole multiples of, pixels.

    The VAE's scale, and twice that where a transformer sees patches of two by two latents.
    """
    scale = next((int(getattr(pipe, name)) for name in _SCALES if hasattr(pipe, name)), 8)
    is_patched = getattr(pipe, "unet", None) is None and scale < _SCALE_UNPATCHED
    return scale * 2 if is_patched else scale


def frames_multiple(pipe: Any) -> int:
    """Frames come as so many k + 1."""
    return next((int(getattr(pipe, name)) for name in _TIMES if hasattr(pipe, name)), 4)


def frames_per_second(made: type) -> int:
    """The rate of a class's clips."""
    for begins, rate in _FRAMES_PER_SECOND.items():
        if made.__name__.startswith(begins):
            return rate
    return FRAMES_PER_SECOND
