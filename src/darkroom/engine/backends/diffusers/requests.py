"""A task as a pipeline can be asked: words, whole sizes, pictures that fit them, a seed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from PIL import Image, ImageOps

from darkroom.domain.kinds.image_tools import numbers
from darkroom.engine.backends import pictures
from darkroom.engine.backends.contract import Input
from darkroom.engine.backends.diffusers import loras, pipelines
from darkroom.engine.backends.diffusers.options import Options
from darkroom.errors import BadInput

_SIDE_MAX = 16_384
# Enlarging takes memory by the square: as many pixels as a picture of 1024 x 1024.
_UPSCALE_PIXELS_MAX = 1024 * 1024
# These look at several pictures at once, by how their names begin.
_SEVERAL = ("Flux2", "QwenImageEditPlus")
Size = tuple[int, int]


class Request(msgspec.Struct, frozen=True):
    """One task for one pipeline; sizes are (width, height), `size` what the pipeline is asked."""

    kind: str
    prompt: str
    seed: int
    size: Size
    asked: Size
    negative_prompt: str = ""
    frames: int | None = None
    images: tuple[Image.Image, ...] = ()
    mask: Image.Image | None = None
    loras: Mapping[str, float] = msgspec.field(default_factory=dict)
    # Where a given picture lies in the result: it stays as it is.
    kept: tuple[Image.Image, Size] | None = None
    ignored: tuple[str, ...] = ()


def read(given: Input, seed: int, pipe: Any, options: Options) -> Request:
    """The task as this pipeline can be asked; raises `BadInput` for what cannot be used."""
    multiple = options.size_multiple or pipelines.size_multiple(pipe)
    if given.kind == "image-upscale":
        return _upscale(given, seed)
    if given.kind == "image-expand":
        return _expand(given, seed, multiple)
    asked = _asked(given)
    size = rounded(asked, multiple)
    prompt, chosen = loras.choose(str(given.fields.get("prompt") or ""), options.loras)
    images, ignored = _images(given, pipe, size)
    if given.fields.get("generate_audio") not in (None, False, "false"):
        ignored.append("generate_audio")
    return Request(
        given.kind,
        prompt,
        seed,
        size,
        asked,
        negative_prompt=str(given.fields.get("negative_prompt") or ""),
        frames=_frames(given, pipe, options),
        images=images,
        loras=chosen,
        ignored=tuple(ignored),
    )


def rounded(size: Size, multiple: int) -> Size:
    """The nearest size whose sides are whole multiples: some pipelines round on their own."""
    width, height = (max(multiple, round(side / multiple) * multiple) for side in size)
    return width, height


def _asked(given: Input) -> Size:
    width, height = given.fields.get("width"), given.fields.get("height")
    if not isinstance(width, int) or not isinstance(height, int):
        raise BadInput("A width and a height in whole pixels are needed.")
    if not (1 <= width <= _SIDE_MAX and 1 <= height <= _SIDE_MAX):
        raise BadInput(f"Width and height must be 1 to {_SIDE_MAX} pixels.")
    return width, height


def frames_per_second(pipe: Any, options: Options) -> int:
    """The rate of a model's clips."""
    return options.frames_per_second or pipelines.frames_per_second(type(pipe))


def _frames(given: Input, pipe: Any, options: Options) -> int | None:
    """As many frames as the seconds asked for, or a few more; None for a picture."""
    if "duration" not in given.fields:
        return None
    wanted = int(given.fields["duration"]) * frames_per_second(pipe, options)
    multiple = options.frames_multiple or pipelines.frames_multiple(pipe)
    return -(-(wanted - 1) // multiple) * multiple + 1


def _images(given: Input, pipe: Any, size: Size) -> tuple[tuple[Image.Image, ...], list[str]]:
    """The given pictures that this pipeline looks at, and what is left out."""
    paths = [path for name in ("images", "image") for path in given.files.get(name, ())]
    known = pipelines.takes(type(pipe))
    count_max = 2 if given.kind == "multi-image-to-video" and "last_image" in known else 1
    if type(pipe).__name__.startswith(_SEVERAL):
        count_max = len(paths)
    if not paths and given.kind.startswith(("image-", "multi-image-")):
        raise BadInput(f"{given.kind} needs a picture.")
    used = paths[: count_max - 1] + paths[-1:] if count_max == 2 else paths[:count_max]
    # What edits a picture by its words looks at all of it; what starts from it needs its size.
    is_fitted = "strength" in known or given.kind.endswith("-to-video")
    found = tuple(_fitted(_read(path), size) if is_fitted else _read(path) for path in used)
    left = len(paths) - len(found)
    return found, [f"{left} of {len(paths)} images"] if left else []


def _read(path: Path) -> Image.Image:
    return Image.fromarray(pictures.read(path))


def _fitted(picture: Image.Image, size: Size) -> Image.Image:
    return ImageOps.fit(picture, size, Image.Resampling.LANCZOS)


def _upscale(given: Input, seed: int) -> Request:
    picture = _read(given.files["img_url"][0])
    if picture.width * picture.height > _UPSCALE_PIXELS_MAX:
        raise BadInput("The input picture has more than 1048576 pixels: send a smaller one.")
    size = rounded(picture.size, 8)
    twice = (picture.width * 2, picture.height * 2)
    return Request(given.kind, "", seed, size, twice, images=(picture.resize(size),))


def _expand(given: Input, seed: int, multiple: int) -> Request:
    """The canvas with a mask over all that the picture does not cover."""
    canvas = numbers(given.fields["canvas_size"])
    inner = numbers(given.fields["original_image_size"])
    left, top = numbers(given.fields["original_image_location"])
    picture = _read(given.files["img_url"][0]).resize(inner, Image.Resampling.LANCZOS)
    # Around the picture its own colours, for what starts from what is there.
    whole = picture.resize(canvas, Image.Resampling.BILINEAR)
    whole.paste(picture, (left, top))
    mask = Image.new("L", canvas, 255)
    mask.paste(0, (left, top, left + inner[0], top + inner[1]))
    size = rounded(canvas, multiple)
    return Request(
        given.kind,
        "",
        seed,
        size,
        canvas,
        images=(whole.resize(size),),
        mask=mask.resize(size),
        kept=(picture, (left, top)),
    )
