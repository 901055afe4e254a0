"""Pictures that the tests of the toolbox work on, and a context that keeps what it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from contexts import Progress
from PIL import Image, ImageDraw, ImageFont

from darkroom.engine.backends.contract import Input, Output
from darkroom.engine.backends.toolbox.backend import Toolbox

Pixels = npt.NDArray[np.uint8]


def run(kind: str, context: Progress, picture: Pixels | Path, **given: Any) -> Output:
    """Run one tool on a picture; what is given as an array or path is a file, the rest a field."""
    files, fields = {"img_url": [_file(context, "img_url", picture)]}, {}
    for name, value in given.items():
        if isinstance(value, np.ndarray | Path):
            files[name] = [_file(context, name, value)]
        else:
            fields[name] = value
    toolbox = Toolbox()
    toolbox.setup("TOOLBOX", {})
    [output] = toolbox.run(Input(kind, "TOOLBOX", fields, files), context)
    return output


def _file(context: Progress, name: str, value: Pixels | Path) -> Path:
    if isinstance(value, Path):
        return value
    path = context.folder / f"{name}.png"
    Image.fromarray(value).save(path)
    return path


def pixels_of(output: Output) -> Pixels:
    """A result as it lies in its file."""
    with Image.open(output.path) as picture:
        assert picture.size == (output.width, output.height)
        return np.asarray(picture)


def scene(width: int = 240, height: int = 160, seed: int = 0) -> Pixels:
    """Sky over rough ground."""
    rng = np.random.default_rng(seed)
    rows = np.linspace(0, 1, height)[:, None, None]
    picture = (1 - rows) * (90, 150, 220) + rows * (190, 210, 235) + np.zeros((height, width, 1))
    ground = rng.normal(0, 26, (height, width, 1)) + np.array([96, 110, 60])
    from_row = height * 5 // 8
    picture[from_row:] = cv2.GaussianBlur(ground, (0, 0), 1)[from_row:]
    return np.clip(picture, 0, 255).astype(np.uint8)


def subject(width: int = 240, height: int = 160) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """A red thing with a dark stripe on grey ground, and where it is."""
    rng = np.random.default_rng(1)
    ground = rng.normal(0, 2, (height, width, 3)) + np.linspace(205, 180, height)[:, None, None]
    drawn = np.zeros((height, width), np.uint8)
    cv2.ellipse(drawn, (width // 2, height // 2), (width // 6, height // 3), 0, 0, 360, 255, -1)
    soft = cv2.GaussianBlur(drawn, (0, 0), 0.8)[..., None] / 255
    thing = np.full((height, width, 3), (190, 50, 40), np.float64)
    thing[height // 2 - 8 : height // 2 + 8] = (60, 30, 90)
    mixed = thing * soft + ground * (1 - soft)
    return np.clip(mixed, 0, 255).astype(np.uint8), drawn > 0


def lettered(picture: Pixels, text: str, size: int = 26) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """A picture with white words on it, and where they are."""
    drawn = Image.new("L", picture.shape[1::-1], 0)
    font = ImageFont.load_default(size)
    place = (picture.shape[1] / 2, picture.shape[0] * 0.6)
    ImageDraw.Draw(drawn).text(place, text, fill=255, font=font, anchor="mm")
    ink = np.asarray(drawn)[..., None] / 255
    return (picture * (1 - ink) + 250 * ink).astype(np.uint8), ink[..., 0] > 0.4
