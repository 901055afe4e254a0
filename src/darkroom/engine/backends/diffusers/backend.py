"""Diffusers as a backend: pictures and clips by the pipelines that the catalogue names."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any, ClassVar

import torch

from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.diffusers import calls, loras, pipelines, requests, results
from darkroom.engine.backends.diffusers.loading import device_of
from darkroom.engine.backends.diffusers.options import Options, read
from darkroom.engine.backends.diffusers.requests import Request
from darkroom.engine.backends.diffusers.shelf import Loaded, Shelf
from darkroom.errors import BackendFailed, TaskError

# The picture is there; what is left is to write it.
_ANSWERED = 0.95
# How many pictures or clips a call makes on a GPU: most of the gain, and memory for it in most
# cases. A clip takes the memory of many pictures.
_PICTURES, _CLIPS = 4, 2


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
        [answer] = self._ask(loaded, pipe, [asked], [context])
        context.progress(_ANSWERED)
        yield from self._written(pipe, asked, answer, context)
        context.progress(1.0)

    def together_max(self, kind: str) -> int:
        """How many results one call makes; unless the options say, more than one on a GPU only.

        What is compiled is compiled for each number anew, which takes minutes.
        """
        own = self._own
        made = pipelines.sibling(type(self._shelf.take(own).pipe), kind)
        if made is None or not pipelines.takes_several(made, kind):
            return 1
        usual = _CLIPS if kind.endswith("-to-video") else _PICTURES
        return own.together or (1 if own.compile or device_of(own) == "cpu" else usual)

    def run_together(
        self, given: Sequence[Input], contexts: Sequence[Context]
    ) -> Iterator[tuple[int, Output | TaskError]]:
        """Yields each output with its place; those that cannot share a call have their own."""
        loaded = self._shelf.take(self._own)
        pipe = loaded.pipe_for(given[0].kind)
        alike: dict[Any, list[tuple[int, Request]]] = {}
        for place, (one, context) in enumerate(zip(given, contexts, strict=True)):
            try:
                asked = requests.read(one, context.seed, pipe, self._own)
            except TaskError as refused:
                yield place, refused
            else:
                alike.setdefault(_likeness(asked), []).append((place, asked))
        for group in alike.values():
            sharing = [contexts[place] for place, _ in group]
            answers = self._ask(loaded, pipe, [asked for _, asked in group], sharing)
            notes = {"together": len(group)} if len(group) > 1 else {}
            write = functools.partial(self._kept, pipe, notes=notes)
            # Side by side: the GPU waits for all of them.
            with ThreadPoolExecutor(torch.get_num_threads()) as writers:
                kept = writers.map(write, [asked for _, asked in group], answers, sharing)
                for (place, _), outputs in zip(group, kept, strict=True):
                    for output in outputs:
                        yield place, output

    def _ask(
        self, loaded: Loaded, pipe: Any, asked: Sequence[Request], contexts: Sequence[Context]
    ) -> list[calls.Answer | BackendFailed]:
        """One call; for one that runs out of memory, once more without the other models."""
        own = self._own
        loras.apply(pipe, asked[0].loras, own.loras, allow_pickle=own.allow_pickle)
        try:
            return calls.call(pipe, asked, own, contexts)
        except torch.OutOfMemoryError:
            if len(asked) > 1 or not self._shelf.keep_only(loaded):
                raise
        return calls.call(pipe, asked, own, contexts)

    def _kept(
        self,
        pipe: Any,
        asked: Request,
        answer: calls.Answer | BackendFailed,
        context: Context,
        notes: Mapping[str, Any],
    ) -> Sequence[Output | TaskError]:
        """The outputs of one of several tasks, or what is wrong with it alone."""
        try:
            return [*self._written(pipe, asked, answer, context, notes)]
        except (BackendFailed, OSError) as failed:
            # A canceled task's folder may be gone; the others have nothing to do with it.
            return [BackendFailed(str(failed))]

    def _written(
        self,
        pipe: Any,
        asked: Request,
        answer: calls.Answer | BackendFailed,
        context: Context,
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> Iterator[Output]:
        if isinstance(answer, BackendFailed):
            raise answer
        notes = {"pipeline": type(pipe).__name__, **more}
        fps = requests.frames_per_second(pipe, self._own)
        yield from results.write(context.folder, asked, answer, notes, fps)


def _likeness(asked: Request) -> tuple[Any, ...]:
    """What must be the same in one call; no negative prompt may mean something else than none."""
    return asked.size, asked.frames, tuple(sorted(asked.loras.items())), bool(asked.negative_prompt)
