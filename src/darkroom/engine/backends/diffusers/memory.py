"""How much memory a pipeline takes, and how much is free where it would lie."""

from __future__ import annotations

import gc
import json
import resource
from pathlib import Path
from typing import Any

import torch

_WEIGHTS = (".safetensors", ".bin")


def free_bytes(device: str) -> int:
    """What a model may still take on the device: a GPU's memory, or this process's share."""
    if device.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info(device)
        # What torch holds back for itself can be used again as well.
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free + held)
    return _free_of_process()


def _free_of_process() -> int:
    """The machine's free memory, or what is left to this process's bound where one is set."""
    available = _kilobytes("/proc/meminfo", "MemAvailable") * 1024
    bound, _ = resource.getrlimit(resource.RLIMIT_DATA)
    if bound == resource.RLIM_INFINITY:
        return available
    return min(available, max(0, bound - _kilobytes("/proc/self/status", "VmData") * 1024))


def _kilobytes(path: str, name: str) -> int:
    """A line of a file of the kernel's; where there is none, as if nothing were scarce."""
    if not Path(path).exists():
        return 2**40
    for line in Path(path).read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return 2**40


def bytes_of(pipe: Any) -> int:
    """What the weights of a loaded pipeline take."""
    modules = [one for one in pipe.components.values() if isinstance(one, torch.nn.Module)]
    tensors = {
        id(tensor): tensor
        for module in modules
        for tensor in (*module.parameters(), *module.buffers())
    }
    return sum(one.numel() * one.element_size() for one in tensors.values())


def bytes_on_disk(folder: Path) -> int:
    """What the weights in a pipeline's folder take: the most that loading them can need.

    Of the variants of a component, such as fp16 beside the full weights, the largest counts.
    """
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    total = 0
    for name in index:
        sizes: dict[tuple[str, str], int] = {}
        for path in (folder / name).glob("*"):
            if path.suffix in _WEIGHTS:
                # model.safetensors and model.fp16.safetensors are the same weights.
                variant = next(iter(path.stem.split(".")[1:]), "")
                key = (path.suffix, variant.partition("-")[0])
                sizes[key] = sizes.get(key, 0) + path.stat().st_size
        total += max(sizes.values(), default=0)
    return total


def give_back() -> None:
    """Return what dropped pipelines held to the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
