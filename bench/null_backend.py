"""A backend that does nothing: its picture is one pixel, written as it stands here."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from darkroom.engine.backends.contract import Context, Input, Output

_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9Q"
    "DwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Null:
    """What a task costs the platform when its model costs nothing."""

    name: ClassVar[str] = "null"
    kinds: ClassVar[frozenset[str]] = frozenset({"text-to-image"})

    def setup(self, model: str, options: Mapping[str, Any]) -> None:
        """Load nothing."""

    def run(self, given: Input, context: Context) -> Iterator[Output]:
        """Yield the one pixel."""
        path = context.folder / "pixel.png"
        path.write_bytes(_PIXEL)
        yield Output(path, "image/png", 1, 1)
