"""Options: what a model's catalogue entry tells of its ComfyUIs and its workflows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from darkroom import errors

_ADDRESSES_MAX = 32

Address = Annotated[str, msgspec.Meta(pattern=r"^https?://[^/\s?#]+(/[^\s?#]*)?$")]
# From a field of ours to the inputs that take it, each as NODE.INPUT.
Inputs = dict[str, str | tuple[str, ...]]


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A workflow's file, and which of its inputs take which fields."""

    workflow: str
    inputs: Inputs


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[KEY.options.comfyui]`: the ComfyUIs, and a workflow for all of the model's kinds.

    A kind that has a workflow of its own has it in `[KEY.options.comfyui.kinds.<kind>]`.
    """

    addresses: Annotated[tuple[Address, ...], msgspec.Meta(min_length=1, max_length=_ADDRESSES_MAX)]
    workflow: str = ""
    inputs: Inputs = {}
    kinds: dict[str, Named] = {}

    def of_kind(self, kind: str) -> Named:
        """The workflow for a kind; raises `Hindered` for none."""
        if kind in self.kinds:
            return self.kinds[kind]
        if self.workflow:
            return Named(workflow=self.workflow, inputs=self.inputs)
        raise errors.Hindered(f"The catalogue names no ComfyUI workflow for {kind}.")


def read(options: Mapping[str, Any]) -> Options:
    """The options, checked; raises `Hindered`, since other backends may be told better."""
    try:
        return msgspec.convert(options, Options, strict=False)
    except msgspec.ValidationError as exc:
        raise errors.Hindered(f"The catalogue's options for comfyui: {exc}") from exc
