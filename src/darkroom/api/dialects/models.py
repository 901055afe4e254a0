"""Models with addresses of their own: which kind of which model such an address asks for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import msgspec.structs

from darkroom import errors, media
from darkroom.api.call import Call
from darkroom.api.dialects import foreign
from darkroom.domain import sizes
from darkroom.domain.kinds.kind import Kind, Submit
from darkroom.domain.kinds.table import KINDS

# How models of other services call the files that they take.
_SHOWN: Mapping[media.Sort, Collection[str]] = {
    "picture": (
        *("image", "images", "image_url", "image_urls", "input_image", "input_images", "img_url"),
        *("image_input", "start_image", "start_image_url", "first_frame_image", "init_image"),
        *("first_frame_url", "image_prompt", "reference_images", "reference_image_urls"),
    ),
    "clip": ("video", "videos", "video_url", "video_urls", "input_video"),
    "sound": ("audio", "audios", "audio_url", "audio_urls", "input_audio"),
}
_CLIP_SECONDS = 5
_WORDS = foreign.Words(
    names={
        "num_images": "image_number",
        "num_outputs": "image_number",
        "number_of_images": "image_number",
        "seconds": "duration",
        "text": "prompt",
    },
    shaped=("image_size", "width", "height"),
    hints={
        *("num_inference_steps", "num_steps", "steps", "guidance_scale", "guidance", "go_fast"),
        *("enable_safety_checker", "disable_safety_checker", "safety_tolerance", "acceleration"),
        *("output_quality", "prompt_upsampling", "enable_prompt_expansion", "prompt_optimizer"),
    },
    fixed={"output_format": ("png", "mp4"), "sync_mode": (False,)},
)
# fal's names of sizes.
_NAMED = {
    "square_hd": sizes.Size(1024, 1024),
    "square": sizes.Size(512, 512),
    "portrait_4_3": sizes.Size(768, 1024),
    "portrait_16_9": sizes.Size(576, 1024),
    "landscape_4_3": sizes.Size(1024, 768),
    "landscape_16_9": sizes.Size(1024, 576),
}
_COMMON = frozenset(one.name for one in msgspec.structs.fields(Submit))


class _Shown(msgspec.Struct, frozen=True):
    """The input files of one field."""

    name: str
    sort: media.Sort
    addresses: Sequence[str]


def named(call: Call, parts: Sequence[str]) -> tuple[str, Kind | None]:
    """The model and, if it is named, the kind of an address such as darkroom/painter.

    A kind may stand before the model, or behind it; who else the first part names does not matter.
    """
    kind = next((KINDS[one] for one in parts if one in KINDS), None)
    if kind is not None and kind.continues:
        raise errors.NotOffered(f"{kind.name} goes on with a task: only our own wire does that.")
    rest = [one for one in parts if one not in KINDS]
    if len(rest) > 1 and parts[0] not in KINDS:
        rest = rest[1:]
    model = foreign.find_model(call, "-".join(rest), {kind.name} if kind else KINDS.keys())
    return model, kind


def asked_for(call: Call, parts: Sequence[str], given: dict[str, Any]) -> foreign.Asked:
    """What the fields of a request ask of a model with an address of its own."""
    model, kind = named(call, parts)
    shown, plain = _parted(given)
    kind = kind or _fitting(call, model, shown, plain)
    size, field = _size(kind, plain)
    asked = foreign.read(kind, model, plain, _WORDS)
    for one in shown:
        if one.name in kind.files:
            foreign.show(asked, one.name, one.addresses, name=one.name)
            continue
        left = (n for n, rule in kind.files.items() if rule.sort == one.sort)
        ours = next((name for name in left if name not in asked.fields), "")
        foreign.show(asked, ours, one.addresses, name=one.name)
    asked.resize(call, size, field=field)
    if "duration" in kind.input.__struct_fields__:
        asked.usual_seconds(call, _CLIP_SECONDS)
    return asked


def _parted(given: Mapping[str, Any]) -> tuple[list[_Shown], dict[str, Any]]:
    """The input files of a request, and its other fields."""
    shown, plain = [], {}
    sorts: dict[str, media.Sort] = {name: sort for sort, names in _SHOWN.items() for name in names}
    for kind in KINDS.values():
        sorts |= {name: rule.sort for name, rule in kind.files.items()}
    for name, value in given.items():
        if name in sorts:
            shown.append(_Shown(name, sorts[name], [*_addresses(name, value)]))
        else:
            plain[name] = value
    return shown, plain


def _addresses(name: str, value: Any) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        address = one.get("url") if isinstance(one, dict) else one
        if not isinstance(address, str):
            raise errors.BadParameter(f"{name}: send the address of a file.", field=name)
        yield address


def _fitting(call: Call, model: str, shown: Sequence[_Shown], plain: Mapping[str, Any]) -> Kind:
    """The kind of a model that what was sent is for; raises `BadParameter` unless it is clear."""
    every = (KINDS[name] for name in call.edge.catalogue.backends_of(model))
    offered = [kind for kind in every if not kind.continues]
    given = {*plain, *(_WORDS.names[name] for name in plain if name in _WORDS.names)}
    found = [kind for kind in offered if _fits(kind, {one.sort for one in shown}, given)]
    # Of kinds that make something new the first is meant; tools are chosen by their names.
    made = [kind for kind in found if kind.count_field]
    if made or len(found) == 1:
        return (made or found)[0]
    names = [kind.name for kind in found or offered] or ["nothing"]
    raise errors.BadParameter(
        f"{model} does {', '.join(names)}: say which, such as {names[0]}/{model.lower()}, and send "
        "what it takes."
    )


def _fits(kind: Kind, sorts: Collection[str], given: Collection[str]) -> bool:
    takes = {rule.sort for rule in kind.files.values()}
    required = {one.name for one in msgspec.structs.fields(kind.input) if one.required}
    needed = {kind.files[name].sort for name in required if name in kind.files}
    plain = required - {"model", "duration", *kind.files}
    return needed <= set(sorts) <= takes and plain <= set(given)


def _size(kind: Kind, plain: dict[str, Any]) -> tuple[sizes.Size | None, str]:
    """The size that is asked for, if any, in the words of either service; and its field's name."""
    if kind.size is None:
        return None, ""
    if "width" in plain or "height" in plain:
        sides = plain.pop("width", None), plain.pop("height", None)
        return _pixels(sides, "width"), "width"
    name = "image_size" if "image_size" in plain else "size"
    value = plain.pop(name, None)
    if isinstance(value, dict):
        return _pixels((value.get("width"), value.get("height")), name), name
    if value in (None, "auto"):
        return None, name
    return _NAMED.get(str(value)) or foreign.size_of(str(value), field=name), name


def _pixels(sides: tuple[Any, Any], field: str) -> sizes.Size:
    return foreign.size_of("x".join(map(str, sides)), field=field)


def described(kind: Kind, *, has_sides: bool) -> dict[str, Any]:
    """The fields that a kind takes in the words of other services, as JSON Schema."""
    _, schemas = msgspec.json.schema_components([kind.input])
    known = schemas[kind.input.__name__]
    left_out = {"model", "aspect_ratio", "resolution", "image_number"} if kind.size else {"model"}
    left_out |= _COMMON - {"seed"}
    fields = {name: one for name, one in known["properties"].items() if name not in left_out}
    whole = {"type": "integer", "minimum": 1}
    if kind.size and has_sides:
        fields |= {"width": whole, "height": whole}
    elif kind.size:
        sides = {"type": "object", "properties": {"width": whole, "height": whole}}
        fields["image_size"] = sides
    if kind.count_field == "image_number":
        fields["num_outputs" if has_sides else "num_images"] = whole
    required = [name for name in known.get("required", ()) if name in fields]
    return {"type": "object", "title": "Input", "properties": fields, "required": required}
