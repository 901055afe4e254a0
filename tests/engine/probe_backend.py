"""A backend that does what its prompt says, and leaves a mark for every run it began."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from darkroom import errors
from darkroom.engine.backends.contract import Context, Input, Output

MARKS = "PROBE_MARKS"
# Work that takes its time; nothing ever sets it.
_PAUSE = threading.Event()


class Probe:
    """Paints a plain square; words such as `crash`, `hang`, `slow`, `refuse` choose how it ends."""

    name = "probe"
    kinds = frozenset({"text-to-image", "image-to-image"})

    def setup(self, model: str) -> None:
        pass

    def run(self, given: Input, context: Context) -> Iterator[Output]:
        marks = Path(os.environ[MARKS])
        mark = marks / f"{context.folder.name}.{os.getpid()}"
        mark.touch()
        prompt = given.fields["prompt"]
        crashes = "crash once" in prompt and len([*marks.glob(f"{context.folder.name[:31]}*")]) == 1
        if crashes or "crash always" in prompt:
            os.kill(os.getpid(), 9)
        if "refuse" in prompt:
            raise errors.BadInput("The probe was told to refuse.")
        if "break" in prompt:
            raise ValueError("The probe was told to break.")
        if "hang" in prompt:
            _PAUSE.wait(3600)
        steps = 40 if "slow" in prompt else 2
        for step in range(steps):
            context.progress(step / steps)
            _PAUSE.wait(0.05)
        path = context.folder / "probe.png"
        Image.new("RGB", (64, 64), (context.seed % 256, 0, 0)).save(path)
        yield Output(path, "image/png", 64, 64, {"pid": os.getpid()})
