"""LoRAs: chosen by name in a prompt or always on, each loaded once, their weights set per call."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from darkroom.engine.backends.diffusers.options import Lora
from darkroom.errors import BackendFailed, BadInput

_WEIGHT_MAX = 4.0
# As many tools write them in a prompt: <lora:NAME> or <lora:NAME:WEIGHT>.
_CHOICE = re.compile(r"<lora:([^:<>]+)(?::(-?\d+(?:\.\d+)?))?>")


def choose(prompt: str, known: Mapping[str, Lora]) -> tuple[str, dict[str, float]]:
    """The prompt without its choices, and the weights of the LoRAs by name.

    Raises `BadInput` for a name that the model does not have, or a weight that is out of bounds.
    """
    chosen = {name: one.weight for name, one in known.items() if one.always}
    for name, weight in _CHOICE.findall(prompt):
        if name not in known:
            raise BadInput(
                f"There is no LoRA {name}; this model has {', '.join(sorted(known)) or 'none'}."
            )
        chosen[name] = float(weight) if weight else known[name].weight
        if abs(chosen[name]) > _WEIGHT_MAX:
            raise BadInput(f"The weight of a LoRA is -{_WEIGHT_MAX:g} to {_WEIGHT_MAX:g}.")
    return " ".join(_CHOICE.sub(" ", prompt).split()) if chosen else prompt, chosen


def apply(
    pipe: Any, chosen: Mapping[str, float], known: Mapping[str, Lora], *, allow_pickle: bool
) -> None:
    """Switch these LoRAs on and all others off; what was never used is loaded now."""
    if not hasattr(pipe, "load_lora_weights"):
        if chosen:
            raise BackendFailed(f"{type(pipe).__name__} takes no LoRA.")
        return
    names = {name: _adapter(known[name].path) for name in chosen}
    loaded = {one for held in pipe.get_list_adapters().values() for one in held}
    for name, adapter in names.items():
        if adapter not in loaded:
            pipe.load_lora_weights(
                known[name].path,
                adapter_name=adapter,
                use_safetensors=None if allow_pickle else True,
            )
    if names:
        pipe.enable_lora()
        pipe.set_adapters([*names.values()], [chosen[name] for name in names])
    elif loaded:
        pipe.disable_lora()


def _adapter(path: str) -> str:
    """A LoRA's name inside the pipeline: models that share the weights may name two alike."""
    return "lora" + hashlib.sha256(path.encode()).hexdigest()[:16]
