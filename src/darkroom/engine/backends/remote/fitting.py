"""Fitting: what a task asks for, put into the fields that an upstream's model takes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from darkroom import errors
from darkroom.domain.kinds.image_tools import numbers
from darkroom.engine.backends.contract import Input
from darkroom.engine.backends.remote.descriptions import Field, Fields
from darkroom.engine.backends.remote.inputs import margins

_RATIO = re.compile(r"(\d{1,4})\s?[:x*/]\s?(\d{1,4})")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
# Fields of models by what they are to us; the first that a model takes is sent.
NAMES = {
    "prompt": ("prompt", "text_prompt"),
    "negative_prompt": ("negative_prompt",),
    "seed": ("seed",),
    "number": ("num_images", "num_outputs", "number_of_images"),
    "duration": ("duration", "seconds", "duration_seconds"),
    "generate_audio": ("generate_audio",),
    "upscale": ("upscale_factor", "scale", "scale_factor", "upscaling_factor"),
    "left": ("left", "expand_left"),
    "top": ("top", "up", "expand_top"),
    "right": ("right", "expand_right"),
    "bottom": ("bottom", "down", "expand_bottom"),
}
PICTURES = (
    "image_urls",
    "input_images",
    "image_input",
    "images",
    "image_url",
    "input_image",
    "image",
    "start_image_url",
    "start_image",
    "first_frame_image",
    "first_frame_url",
    "image_prompt",
)
# How much larger a picture becomes.
_UPSCALE = 2


def fit(
    given: Input, seed: int, pictures: Sequence[str], takes: Fields, extra: Mapping[str, Any]
) -> dict[str, Any]:
    """The fields to send; what the model does not take is left out, `extra` comes last.

    Raises `BadInput` where the model cannot make what is asked for.
    """
    fitted = _plain(given, seed, takes) | _shape(given, takes)
    if pictures:
        fitted |= _shown(pictures, takes)
    return fitted | dict(extra)


def nearest_ratio(width: int, height: int, choices: Iterable[str]) -> str | None:
    """The choice whose shape is nearest, such as 16:9; none of those that are no shape."""
    shapes = {one: _ratio_of(one) for one in choices}
    fitting = {one: ratio for one, ratio in shapes.items() if ratio}
    asked = math.log(width / height)
    return min(fitting, key=lambda one: abs(math.log(fitting[one]) - asked), default=None)


def _ratio_of(text: str) -> float:
    match = _RATIO.search(text)
    return int(match[1]) / int(match[2]) if match and int(match[1]) and int(match[2]) else 0.0


def _plain(given: Input, seed: int, takes: Fields) -> dict[str, Any]:
    fields = given.fields
    wanted: dict[str, Any] = {"seed": seed, "number": 1}
    for name in ("prompt", "negative_prompt"):
        if fields.get(name):
            wanted[name] = fields[name]
    if "duration" in fields:
        wanted["duration"] = fields["duration"]
        wanted["generate_audio"] = fields["generate_audio"] in (True, "true")
    if given.kind == "image-upscale":
        wanted["upscale"] = _UPSCALE
    fitted = {}
    if given.kind == "image-expand":
        wanted |= margins(fields)
        for name in ("canvas_size", "original_image_size", "original_image_location"):
            if name in takes:
                fitted[name] = [*numbers(fields[name])]
    for wish, value in wanted.items():
        taken = next((one for one in NAMES[wish] if one in takes), None)
        if taken is not None and (said := _said(value, takes[taken], wish)) is not None:
            fitted[taken] = said
    return fitted


def _said(value: Any, field: Field, wish: str) -> Any:
    """A value as the field spells it: 5, "5" or "5s"; None where it has no word for it."""
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    if not field.choices:
        return value if field.types & {"integer", "number"} or not field.types else str(value)
    for choice in field.choices:
        match = _NUMBER.search(str(choice))
        if match and float(match[0]) == value:
            return choice
    if wish == "duration":
        raise errors.BadInput(
            f"The model makes clips of {', '.join(map(str, field.choices))} seconds, "
            f"not of {value}."
        )
    return None


def _shape(given: Input, takes: Fields) -> dict[str, Any]:
    """How large and of which shape; an edited picture keeps its own unless another is named."""
    fields = given.fields
    is_named = bool(fields.get("aspect_ratio") or fields.get("resolution"))
    if "width" not in fields or (given.files and not is_named):
        return {}
    width, height = fields["width"], fields["height"]
    fitted: dict[str, Any] = {}
    if "width" in takes and "height" in takes:
        fitted["width"], fitted["height"] = _bounded(width, height, takes)
    for name in ("image_size", "size"):
        if name in takes and (said := _size(width, height, takes[name])) is not None:
            fitted[name] = said
    if "aspect_ratio" in takes:
        choices = [one for one in takes["aspect_ratio"].choices if isinstance(one, str)]
        if "custom" in choices and "width" in fitted:
            fitted["aspect_ratio"] = "custom"
        elif choices:
            fitted["aspect_ratio"] = nearest_ratio(width, height, choices)
        else:
            ratio = Fraction(width, height).limit_denominator(21)
            fitted["aspect_ratio"] = f"{ratio.numerator}:{ratio.denominator}"
    if "resolution" in takes:
        fitted["resolution"] = _resolution(given, takes["resolution"])
    return {name: value for name, value in fitted.items() if value is not None}


def _bounded(width: int, height: int, takes: Fields) -> tuple[int, int]:
    """The size in the same shape, within what the model makes."""
    sides, fields = (width, height), (takes["width"], takes["height"])
    scale = min(1.0, *(field.high / side for side, field in zip(sides, fields, strict=True)))
    grow = max(1.0, *(field.low / side for side, field in zip(sides, fields, strict=True)))
    whole = [
        int(min(max(round(side * scale * grow / field.multiple), 1) * field.multiple, field.high))
        for side, field in zip(sides, fields, strict=True)
    ]
    return whole[0], whole[1]


def _size(width: int, height: int, field: Field) -> Any:
    if "object" in field.types:
        return {"width": width, "height": height}
    return nearest_ratio(width, height, (one for one in field.choices if isinstance(one, str)))


def _resolution(given: Input, field: Field) -> Any:
    """The choice that says the same: 1080p by the shorter side, 2K by the pixels."""
    width, height = given.fields["width"], given.fields["height"]
    kilo = round(math.sqrt(width * height) / 1024)
    asked = {
        str(given.fields.get("resolution") or "").lower(),
        f"{min(width, height)}p",
        f"{kilo}k",
    }
    return next((one for one in field.choices if str(one).lower() in asked), None)


def _shown(pictures: Sequence[str], takes: Fields) -> dict[str, Any]:
    name = next((one for one in PICTURES if one in takes), None)
    if name is None:
        raise errors.Hindered(
            "The upstream's model takes no picture: name another for this kind in the catalogue."
        )
    if "array" in takes[name].types:
        return {name: [*pictures]}
    # Some take more under numbered names: input_image, input_image_2, …
    names = [name, *(f"{name}_{number}" for number in range(2, len(pictures) + 1))]
    if any(one not in takes for one in names):
        raise errors.BadInput(f"The model takes fewer than {len(pictures)} pictures.")
    return dict(zip(names, pictures, strict=True))
