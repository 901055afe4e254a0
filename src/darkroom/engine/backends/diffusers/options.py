"""What an operator may say of a model in the table `options.diffusers` of its catalogue entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from darkroom.errors import BackendFailed

_Count = Annotated[int, msgspec.Meta(ge=1, le=1000)]


class Lora(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A LoRA: a file, a folder or a hub id; `always` on, or chosen by `<lora:NAME>` in a prompt."""

    path: Annotated[str, msgspec.Meta(min_length=1)]
    weight: Annotated[float, msgspec.Meta(ge=-4, le=4)] = 1.0
    always: bool = False


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the weights lie, how they are held, and what every call of the pipeline gets.

    What is left out, the pipeline and the device choose. `size_multiple`, `frames_multiple`
    (frames come as n k + 1) and `frames_per_second` are for pipelines that tell them wrongly.
    """

    model: Annotated[str, msgspec.Meta(min_length=1)]
    revision: str | None = None
    dtype: Literal["bfloat16", "float16", "float32"] | None = None
    device: Annotated[str, msgspec.Meta(pattern=r"^(cpu|mps|(cuda|xpu)(:\d+)?)$")] | None = None
    offload: Literal["none", "model", "sequential"] = "none"
    compile: bool = False
    together: Annotated[int, msgspec.Meta(ge=1, le=64)] | None = None
    allow_pickle: bool = False
    loras: dict[str, Lora] = {}
    steps: _Count | None = None
    guidance: Annotated[float, msgspec.Meta(ge=0, le=50)] | None = None
    strength: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    size_multiple: Annotated[int, msgspec.Meta(ge=2, le=256, multiple_of=2)] | None = None
    frames_multiple: Annotated[int, msgspec.Meta(ge=1, le=64)] | None = None
    frames_per_second: Annotated[int, msgspec.Meta(ge=1, le=120)] | None = None


def read(key: str, table: Mapping[str, Any]) -> Options:
    """The options of a model; raises `BackendFailed` with a sentence for what is none."""
    try:
        return msgspec.convert(table, Options, strict=False)
    except msgspec.ValidationError as exc:
        raise BackendFailed(
            f"{key}: the catalogue's table options.diffusers is not understood: {exc}. "
            "See docs/howto/diffusers.md."
        ) from exc
