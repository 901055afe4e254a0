"""Progress and cancel at every step, by the bar that every pipeline draws."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from darkroom.engine.backends.contract import Canceled, Context

# Encoding the prompt comes before the steps, decoding the picture after them.
BEGINS, ENDS = 0.02, 0.9


class Steps:
    """The steps of one call, for all tasks that share it; those that are canceled drop out."""

    def __init__(self, contexts: Sequence[Context]) -> None:
        self._contexts = contexts
        self._told = 0.0
        self.canceled: set[int] = set()

    def tell(self, fraction: float) -> None:
        """Tell every task how much is done; raises `Canceled` once none is left."""
        # A pipeline of several stages draws several bars: what was told is not taken back.
        self._told = max(self._told, fraction)
        for number, context in enumerate(self._contexts):
            if number not in self.canceled:
                try:
                    context.progress(self._told)
                except Canceled:
                    self.canceled.add(number)
        if len(self.canceled) == len(self._contexts):
            raise Canceled


class _Bar:
    """What stands where a pipeline's bar was: each step is told instead of drawn."""

    def __init__(self, steps: Steps, each: Iterable[Any] | None, total: int | None) -> None:
        self._steps, self._each = steps, each
        self._total = total or len(each)  # type: ignore[arg-type]
        self._done = 0
        steps.tell(BEGINS)

    def update(self, count: int = 1) -> None:
        """Take note of so many steps."""
        self._done += count
        share = min(self._done / max(self._total, 1), 1.0)
        self._steps.tell(BEGINS + (ENDS - BEGINS) * share)

    def __iter__(self) -> Iterator[Any]:
        for one in self._each or ():
            yield one
            self.update()

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def set_postfix(self, *_: object, **__: object) -> None:
        """Some pipelines write figures beside their bar."""


@contextlib.contextmanager
def watched(pipe: Any, steps: Steps) -> Iterator[None]:
    """Have a pipeline tell its steps while it is called.

    A cancel is raised between two steps and leaves the pipeline as it was: its own way to stop,
    `_interrupt`, decodes what is there and answers a half-made picture as if it were one.
    """

    def bar(iterable: Iterable[Any] | None = None, total: int | None = None) -> _Bar:
        return _Bar(steps, iterable, total)

    pipe.progress_bar = bar
    try:
        yield
    finally:
        del pipe.progress_bar
