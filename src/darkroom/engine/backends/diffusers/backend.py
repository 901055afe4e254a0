"""Diffusers as a backend: pictures and clips by the pipelines that the catalogue names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch

from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.diffusers import calls, loras, requests, results
from darkroom.engine.backends.diffusers.options import Options, read
from darkroom.engine.backends.diffusers.requests import Request
from darkroom.engine.backends.diffusers.shelf import Loaded, Shelf

# The picture is there; what is left is to write it.
_ANSWERED = 0.95


class Diffusers:
    """Runs any diffusers pipeline; keeps several loaded while there is memory for them."""

    name: ClassVar[str] = "diffusers"
    kinds: ClassVar[frozenset[str]] = frozenset(
        {
            *("text-to-image", "image-to-image", "image-expand", "image-upscale"),
            *("text-to-video", "image-to-video", "multi-image-to-video"),
        }
    )

    def __init__(self) -> None:
        self._shelf = Shelf()
        self._models: dict[str, Options] = {}

    @property
    def held(self) -> Mapping[str, float]:
        """The models that can run without loading, with the seconds that their loading took."""
        found = {key: self._shelf.seconds_of(one) for key, one in self._models.items()}
        return {key: seconds for key, seconds in found.items() if seconds is not None}

    def setup(self, model: str, options: Mapping[str, Any]) -> None:
        """Load the model's weights unless they are here; others make room where it needs it."""
        self._own = self._models[model] = read(model, options)
        self._shelf.take(self._own)

    def run(self, given: Input, context: Context) -> Iterator[Output]:
        """Yields one picture, or a clip and its cover; raises `BadInput`, `BackendFailed`."""
        own = self._own
        loaded = self._shelf.take(own)
        pipe = loaded.pipe_for(given.kind)
        asked = requests.read(given, context.seed, pipe, own)
        answer = self._ask(loaded, pipe, asked, context)
        context.progress(_ANSWERED)
        notes = {"pipeline": type(pipe).__name__}
        fps = requests.frames_per_second(pipe, own)
        yield from results.write(context.folder, asked, answer, notes, fps)
        context.progress(1.0)

    def _ask(self, loaded: Loaded, pipe: Any, asked: Request, context: Context) -> calls.Answer:
        """One call; when it runs out of memory, once more without the other models."""
        own = self._own
        loras.apply(pipe, asked.loras, own.loras, allow_pickle=own.allow_pickle)
        try:
            return calls.call(pipe, asked, own, context)
        except torch.OutOfMemoryError:
            if not self._shelf.keep_only(loaded):
                raise
        return calls.call(pipe, asked, own, context)
