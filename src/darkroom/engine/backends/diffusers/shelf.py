"""The shelf: pipelines that are loaded, as many as there is memory for, the last used longest."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from darkroom.engine.backends.diffusers import loading, memory, pipelines
from darkroom.engine.backends.diffusers.options import Options
from darkroom.errors import BackendFailed

# What a model needs beside its weights to make something, as a part of them. Who runs out of
# memory all the same gets it from the others on the shelf.
_WORK_PART = 0.25
Weights = tuple[Any, ...]


class Loaded(msgspec.Struct):
    """Weights in memory, with the pipelines of each class that share them."""

    pipe: Any
    options: Options
    # How long they took to load.
    seconds: float = 0.0
    siblings: dict[type, Any] = msgspec.field(default_factory=dict)
    # The last pipeline that was placed: its hooks are on the modules.
    placed: Any = None

    def pipe_for(self, kind: str) -> Any:
        """The pipeline that does a kind, ready to be called; made of the same modules."""
        made = pipelines.sibling(type(self.pipe), kind)
        if kind == "multi-image-to-video" and not pipelines.ends_with_picture(self.pipe):
            made = None
        if made is None:
            known = sorted(pipelines.kinds(type(self.pipe)) - {kind})
            raise BackendFailed(
                f"{type(self.pipe).__name__} with these weights does not do {kind}, only "
                f"{', '.join(known) or 'nothing of ours'}: "
                "take the kind out of the model's catalogue entry."
            )
        if made is type(self.pipe):
            pipe = self.pipe
        elif (pipe := self.siblings.get(made)) is None:
            pipe = self.siblings[made] = pipelines.shared(self.pipe, made)
        if pipe is not self.placed:
            loading.place(pipe, self.options)
            self.placed = pipe
        return pipe


class Shelf:
    """Loaded weights by where they come from and how they are held."""

    def __init__(self, free_bytes: Callable[[str], int] = memory.free_bytes) -> None:
        self._free_bytes = free_bytes
        self._loaded: dict[Weights, Loaded] = {}
        # What weights took when they were loaded before; at first the size of their files.
        self._bytes: dict[Weights, int] = {}

    def take(self, options: Options) -> Loaded:
        """The weights that the options mean, loaded unless they are; then the last to go."""
        key = _weights(options)
        found = self._loaded.pop(key, None)
        if found is None:
            found = self._load(key, options)
        self._loaded[key] = found
        return found

    def _load(self, key: Weights, options: Options) -> Loaded:
        began = time.monotonic()
        folder = loading.folder_of(options)
        needed = self._bytes.get(key) or memory.bytes_on_disk(folder)
        # What offloads lies in the machine's memory, and on the GPU by parts.
        place = loading.device_of(options) if options.offload == "none" else "cpu"
        self._make_room(int(needed * (1 + _WORK_PART)), place)
        pipe = loading.load(folder, options)
        self._bytes[key] = memory.bytes_of(pipe)
        found = Loaded(pipe, options)
        loading.place(pipe, options)
        found.placed = pipe
        found.seconds = time.monotonic() - began
        return found

    def _make_room(self, needed: int, device: str) -> None:
        while self._loaded and self._free_bytes(device) < needed:
            del self._loaded[next(iter(self._loaded))]
            memory.give_back()

    def keep_only(self, kept: Loaded) -> bool:
        """Drop all others; whether there were any."""
        before = len(self._loaded)
        self._loaded = {key: one for key, one in self._loaded.items() if one is kept}
        memory.give_back()
        return len(self._loaded) < before

    def seconds_of(self, options: Options) -> float | None:
        """How long the weights of these options took to load, None when they are not here."""
        found = self._loaded.get(_weights(options))
        return None if found is None else found.seconds


def _weights(options: Options) -> Weights:
    """What tells loaded weights apart: models that differ in the rest share them."""
    place = Path(options.model).expanduser()
    return (
        str(place.resolve()) if place.exists() else options.model,
        options.revision,
        loading.dtype_of(options),
        loading.device_of(options),
        options.offload,
        options.compile,
        options.allow_pickle,
    )
