"""The context that tests run backends in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from darkroom.engine.backends.contract import Canceled, Preview


class Progress:
    """A context that keeps what it is told, sees the first preview and, asked to, cancels."""

    def __init__(self, folder: Path, seed: int = 1, cancel_at: float = 2.0) -> None:
        self.folder, self.seed, self.cancel_at = folder, seed, cancel_at
        self.told: list[float] = []
        self.shown: list[Preview] = []
        folder.mkdir(parents=True, exist_ok=True)

    def progress(self, fraction: float) -> None:
        self.told.append(fraction)
        if fraction >= self.cancel_at:
            raise Canceled

    def preview(self, draw: Callable[[], Preview]) -> None:
        """As a child does, which lets none be drawn for a while after one."""
        if not self.shown:
            self.shown.append(draw())


class Watcher(Progress):
    """A context that has every preview drawn."""

    def preview(self, draw: Callable[[], Preview]) -> None:
        self.shown.append(draw())
