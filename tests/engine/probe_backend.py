"""A backend that does what its prompt says, and leaves a mark for every run it began."""

from __future__ import annotations

import functools
import io
import mmap
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from darkroom import errors
from darkroom.engine.backends.contract import Canceled, Context, Input, Output, Preview

MARKS = "PROBE_MARKS"
# A model that is listed although it cannot be loaded.
UNLOADABLE = "UNLOADABLE"
# Models that take a while to load.
HEAVY = "HEAVY"
# The size of a picture that no compression makes small: nine megabytes.
NOISE = (2048, 1536)
# Work that takes its time; nothing ever sets it.
_PAUSE = threading.Event()


class OutOfMemoryError(RuntimeError):
    """What torch calls it when a GPU is full."""


class StrangeInput(errors.BadInput):
    """An error that only this package knows."""


def _refuse() -> None:
    raise errors.BadInput("The probe was told to refuse.")


def _refuse_strangely() -> None:
    raise StrangeInput("The probe was told to refuse strangely.")


def _fail() -> None:
    raise ValueError("The probe was told to break.")


def _fail_oddly() -> None:
    raise ValueError("odd \0 text \udcff" + "!" * 10_000_000)


def _fill_gpu() -> None:
    raise OutOfMemoryError("CUDA out of memory.")


def _allocate() -> None:
    import numpy as np  # the other words need no library of that size

    np.ones(2**30, np.uint8)


def _hog() -> None:
    raise MemoryError


def _reserve() -> None:
    """Map far more address space than is used, as CUDA does."""
    mmap.mmap(-1, 2**36, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 0)


def _babble() -> None:
    os.write(int(sys.argv[1]), b"\xff" * 4096)


def _babble_a_little() -> None:
    os.write(int(sys.argv[1]), b"\0\0\0\x01\xff")


def _grip() -> None:
    """Keep Python's lock for longer than anybody waits."""
    re.match(r"(a+)+$", "a" * 60 + "b")


WORDS: dict[str, Callable[[], object]] = {
    "refuse": _refuse,
    "refuse strangely": _refuse_strangely,
    "break": _fail,
    "break oddly": _fail_oddly,
    "hog": _hog,
    "fill gpu": _fill_gpu,
    "allocate": _allocate,
    "reserve": _reserve,
    "babble": _babble,
    "babble a little": _babble_a_little,
    "exit": lambda: os._exit(3),
    "hang": lambda: _PAUSE.wait(3600),
    "grip": _grip,
}


def _mark(context: Context) -> Path:
    """A mark for a run that begins."""
    mark = Path(os.environ[MARKS]) / f"{context.folder.name}.{os.getpid()}"
    mark.write_text(str(os.getppid()))
    return mark


def _show(prompts: Sequence[str], contexts: Sequence[Context]) -> None:
    """Show what each looks like so far, where its prompt says so: its own red."""

    def drawn(context: Context) -> Preview:
        with (Path(os.environ[MARKS]).parent / "drawn").open("a") as log:
            log.write(f"{context.seed}\n")
        held = io.BytesIO()
        Image.new("RGB", (40, 20), (context.seed % 256, 0, 0)).save(held, "PNG")
        return Preview(held.getvalue())

    for prompt, context in zip(prompts, contexts, strict=True):
        if "show" in prompt:
            context.preview(functools.partial(drawn, context))


class Probe:
    """Paints a plain square; its prompt's words, between commas, choose how it ends.

    `crash once` and `hog once` are met by the first attempt only; `spawn` leaves a process of its
    own running, named by a mark, and `deaf` does not stop when it is asked to. `wait` waits until
    the test lets it go on. `show` shows at every step what it looks like.
    """

    name = "probe"
    kinds = frozenset({"text-to-image", "image-to-image"})

    def setup(self, model: str, options: Mapping[str, Any]) -> None:
        if model == UNLOADABLE:
            raise FileNotFoundError("weights/unet.safetensors")
        if model.startswith(HEAVY):
            _PAUSE.wait(0.5)

    def run(self, given: Input, context: Context) -> Iterator[Output]:
        marks, mark = Path(os.environ[MARKS]), _mark(context)
        prompt = given.fields["prompt"]
        is_first = len([*marks.glob(f"{context.folder.name[:31]}*")]) == 1
        if "crash always" in prompt or ("crash once" in prompt and is_first):
            os.kill(os.getpid(), 9)
        if "hog once" in prompt and is_first:
            raise MemoryError
        if "spawn" in prompt:
            started = subprocess.Popen(["sleep", "3600"])
            mark.write_text(str(started.pid))
        for word in prompt.split(", "):
            WORDS.get(word, lambda: None)()
        self._wait([context], [prompt])
        steps = 40 if "slow" in prompt else 2
        for step in range(steps):
            self._step(context, step / steps, is_deaf="deaf" in prompt)
            _show([prompt], [context])
        path = context.folder / "probe.png"
        Image.new("RGB", (64, 64), (context.seed % 256, 0, 0)).save(path)
        if "noise" in prompt:
            noise = os.urandom(NOISE[0] * NOISE[1] * 3)
            Image.frombytes("RGB", NOISE, noise).save(path, compress_level=0)
        if "broken file" in prompt:
            path.write_bytes(b"\x89PNG\r\n\x1a\n")
        if "astray" in prompt:
            path = path.rename(marks / "astray.png")
        gpu = os.environ.get("CUDA_VISIBLE_DEVICES")
        notes = {"pid": os.getpid(), "gpu": gpu} | ({"odd": "\0"} if "odd notes" in prompt else {})
        yield Output(path, "image/svg" if "svg" in prompt else "image/png", 64, 64, notes)

    def _wait(self, contexts: Sequence[Context], prompts: Sequence[str]) -> None:
        opened = Path(os.environ[MARKS]).parent / "open"
        while any("wait" in one for one in prompts) and not opened.exists():
            self._step(contexts[0], 0.1, is_deaf=False)
            _show(prompts, contexts)

    def _step(self, context: Context, fraction: float, *, is_deaf: bool) -> None:
        while True:
            try:
                context.progress(fraction)
            except Canceled:
                if not is_deaf:
                    raise
            _PAUSE.wait(0.05)
            if not is_deaf:
                return


class Choir(Probe):
    """A probe that runs up to four tasks in one call, and notes which of them lead it.

    Of more than two, `hog together` takes too much memory; of any, `hang together` never ends.
    """

    name = "choir"

    def together_max(self, kind: str) -> int:
        return 4 if kind == "text-to-image" else 1

    def run_together(
        self, given: Sequence[Input], contexts: Sequence[Context]
    ) -> Iterator[tuple[int, Output | errors.TaskError]]:
        prompts = [one.fields["prompt"] for one in given]
        for context in contexts:
            _mark(context)
        if "hog together" in prompts and len(given) > 2:
            raise OutOfMemoryError
        if "hang together" in prompts:
            _PAUSE.wait(3600)
        self._wait(contexts, prompts)
        steps = 40 if "slow" in prompts else 2
        for step in range(steps):
            self._step(contexts[0], step / steps, is_deaf=False)
            _show(prompts, contexts)
        notes = {"pid": os.getpid(), "together": len(given), "lead": contexts[0].folder.name}
        for place, (prompt, context) in enumerate(zip(prompts, contexts, strict=True)):
            if prompt == "refuse":
                yield place, errors.BadInput("The probe was told to refuse.")
                continue
            path = context.folder / "probe.png"
            try:
                Image.new("RGB", (64, 64), (context.seed % 256, 0, 0)).save(path)
            except OSError as gone:
                yield place, errors.BackendFailed(str(gone))
            else:
                yield place, Output(path, "image/png", 64, 64, notes)
