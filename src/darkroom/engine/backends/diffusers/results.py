"""A pipeline's frames as the file that the task is for, with how it came to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from darkroom.engine.backends import clips, pictures
from darkroom.engine.backends.contract import Output
from darkroom.engine.backends.diffusers.calls import Answer
from darkroom.engine.backends.diffusers.requests import Request
from darkroom.engine.backends.pictures import Pixels

_SOFTWARE = "Darkroom diffusers"
# IPTC's digital source type vocabulary: made by a model that has learned, or in part.
_MADE, _EDITED = "trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"


def write(
    folder: Path, asked: Request, answer: Answer, notes: Mapping[str, Any], fps: int
) -> Iterator[Output]:
    """Write a PNG, or an MP4 with its first frame as its cover."""
    source = _EDITED if asked.images else _MADE
    made = [_finished(frame, asked) for frame in answer.frames]
    height, width = made[0].shape[:2]
    noted = {**notes, "digital_source_type": source}
    if (width, height) != asked.asked:
        noted["size_asked"] = "{}x{}".format(*asked.asked)
    if answer.ignored:
        noted["ignored"] = [*answer.ignored]
    if asked.loras:
        noted["loras"] = dict(asked.loras)
    if asked.frames is None:
        yield pictures.write(
            made[0],
            folder / "picture.png",
            software=_SOFTWARE,
            seed=asked.seed,
            source=source,
            notes=noted,
        )
        return
    path = folder / "clip.mp4"
    with clips.Writer(path, (width, height), fps=fps) as writer:
        for frame in made:
            writer.add(frame)
    noted |= {"frames": len(made), "fps": fps}
    yield Output(path, writer.media_type, width, height, noted)
    yield pictures.write_cover(made[0], folder / "cover.jpg")


def _finished(frame: Pixels, asked: Request) -> Pixels:
    """A frame at the size that its kind promises, a given picture in it left as it was."""
    if asked.kind not in ("image-upscale", "image-expand"):
        return frame
    picture = Image.fromarray(frame).resize(asked.asked, Image.Resampling.LANCZOS)
    if asked.kept is not None:
        picture.paste(*asked.kept)
    return np.asarray(picture, np.uint8)
