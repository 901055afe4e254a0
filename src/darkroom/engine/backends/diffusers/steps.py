"""Progress and cancel at every step, by the bar that every pipeline draws."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from typing import Any

from darkroom.engine.backends.contract import Context

# Encoding the prompt comes before the steps, decoding the picture after them.
BEGINS, ENDS = 0.02, 0.9


class _Bar:
    """What stands where a pipeline's bar was: each step is told instead of drawn."""

    def __init__(self, context: Context, each: Collection[Any], total: int) -> None:
        self._context, self._each, self._total = context, each, total
        self._done = 0
        context.progress(BEGINS)

    def update(self, count: int = 1) -> None:
        """Take note of so many steps; raises `Canceled` when the task should stop."""
        self._done += count
        share = min(self._done / max(self._total, 1), 1.0)
        self._context.progress(BEGINS + (ENDS - BEGINS) * share)

    def __iter__(self) -> Iterator[Any]:
        for one in self._each:
            yield one
            self.update()

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def set_postfix(self, *_: object, **__: object) -> None:
        """Some pipelines write figures beside their bar."""


@contextlib.contextmanager
def watched(pipe: Any, context: Context) -> Iterator[None]:
    """Have a pipeline tell its steps while it is called.

    A cancel is raised between two steps and leaves the pipeline as it was: its own way to stop,
    `_interrupt`, decodes what is there and answers a half-made picture as if it were one.
    """

    def bar(iterable: Collection[Any] = (), total: int | None = None) -> _Bar:
        return _Bar(context, iterable, len(iterable) if total is None else total)

    pipe.progress_bar = bar
    try:
        yield
    finally:
        del pipe.progress_bar
