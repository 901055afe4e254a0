"""The painter as a backend: paints from words, or repaints a picture; no weights, one core."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from darkroom.engine.backends import pictures
from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.painter.compose import Painting, paint
from darkroom.engine.backends.painter.repaint import repaint
from darkroom.errors import BadInput

_SIDE_MAX = 16_384


class Painter:
    """Darkroom's own procedural painter."""

    name: ClassVar[str] = "painter"
    kinds: ClassVar[frozenset[str]] = frozenset({"text-to-image", "image-to-image"})

    def setup(self, model: str, options: Mapping[str, Any]) -> None:
        """Loads nothing: the painter has no weights."""

    def run(self, given: Input, context: Context) -> Iterator[Output]:
        """Yields one PNG; raises `BadInput` for a size or an input picture it cannot use."""
        sources = given.files.get("images", ())
        painting = _painting(given, context, sources)
        scene = painting.scene
        notes: dict[str, Any] = {
            "words_used": list(scene.words_used),
            "words_ignored": list(scene.words_ignored),
            "style": scene.style,
            "subject": scene.subject,
        }
        if sources:
            notes["images_used"], notes["images_ignored"] = 1, len(sources) - 1
        yield pictures.write(
            painting.pixels,
            context.folder / "picture.png",
            software="Darkroom painter",
            seed=context.seed,
            source=pictures.MADE,
            notes=notes,
        )


def _painting(given: Input, context: Context, sources: Sequence[Path]) -> Painting:
    size = _size(given)
    prompt = str(given.fields.get("prompt") or "")
    told: dict[str, Any] = {
        "negative_prompt": str(given.fields.get("negative_prompt") or ""),
        "progress": context.progress,
    }
    if given.kind != "image-to-image":
        return paint(prompt, *size, context.seed, **told)
    if not sources:
        raise BadInput("image-to-image needs a picture.")
    return repaint(pictures.read(sources[0]), prompt, size, context.seed, **told)


def _size(given: Input) -> tuple[int, int]:
    width, height = given.fields.get("width"), given.fields.get("height")
    if not isinstance(width, int) or not isinstance(height, int):
        raise BadInput("The painter needs a whole width and height.")
    if not (1 <= width <= _SIDE_MAX and 1 <= height <= _SIDE_MAX):
        raise BadInput(f"Width and height must be 1 to {_SIDE_MAX} pixels.")
    return width, height
