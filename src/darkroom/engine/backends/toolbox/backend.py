"""The toolbox as a backend: works on given pictures by classical methods; no weights, one core."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import cv2

from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.toolbox.clip_tools import CLIP_TOOLS
from darkroom.engine.backends.toolbox.picture_tools import PICTURE_TOOLS

Tool = Callable[[Input, Context], Iterator[Output]]

_TOOLS: Mapping[str, Tool] = {**PICTURE_TOOLS, **CLIP_TOOLS}


class Toolbox:
    """Darkroom's own tools for pictures and clips, one function a kind."""

    name: ClassVar[str] = "toolbox"
    kinds: ClassVar[frozenset[str]] = frozenset(_TOOLS)

    def setup(self, model: str, options: Mapping[str, Any]) -> None:
        """Loads nothing: the tools have no weights."""

    def run(self, given: Input, context: Context) -> Iterator[Output]:
        """Yields what the kind's tool makes; raises `BadInput` for an input that it cannot use."""
        # One task uses one core: the worker decides how many run at a time.
        cv2.setNumThreads(1)
        yield from _TOOLS[given.kind](given, context)
