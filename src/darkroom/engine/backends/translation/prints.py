"""image-translate: what is written in a picture found, and set anew in another language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import msgspec
import numpy as np

from darkroom.engine.backends import pictures
from darkroom.engine.backends.contract import Context, Output
from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.erasure import erase
from darkroom.engine.backends.toolbox.steps import within
from darkroom.engine.backends.translation import blocks, lines, typesetting
from darkroom.engine.backends.translation.blocks import Block
from darkroom.engine.backends.translation.languages import LANGUAGES
from darkroom.errors import BadInput

_SIDE_MIN = 16
_BLOCKS, _MASK = "blocks.json", "letters.png"


def find(path: Path, reads: Sequence[str], context: Context) -> list[str]:
    """The texts of a picture; where they stand is kept in the context's folder."""
    context.progress(0.0)
    picture = _read(path)
    found = lines.found(picture, reads, context.folder)
    context.progress(0.9)
    kept, marked = blocks.blocks(picture, found)
    (context.folder / _BLOCKS).write_bytes(msgspec.json.encode(kept))
    cv2.imwrite(str(context.folder / _MASK), marked.astype(np.uint8) * 255)
    context.progress(1.0)
    return [one.text for one in kept]


def set_texts(
    path: Path, texts: Sequence[str], language: str, context: Context
) -> Iterator[Output]:
    """Yields the picture with a text for each that was found, where that stood."""
    picture = _read(path)
    kept = msgspec.json.decode((context.folder / _BLOCKS).read_bytes(), type=list[Block])
    marked = cv2.imread(str(context.folder / _MASK), cv2.IMREAD_GRAYSCALE)
    assert marked is not None
    clean = erase(picture, marked > 0, context.seed, within(context.progress, 0.0, 0.9))
    made = typesetting.set_texts(clean, kept, texts, LANGUAGES[language])
    yield pictures.write(
        made,
        context.folder / "picture.png",
        software="Darkroom translation",
        seed=context.seed,
        source=pictures.EDITED,
        notes={"texts_found": len(kept)},
    )
    context.progress(1.0)


def _read(path: Path) -> Pixels:
    picture = pictures.read(path)
    if min(picture.shape[:2]) < _SIDE_MIN:
        raise BadInput(f"The picture needs sides of {_SIDE_MIN} pixels at least.")
    return picture
