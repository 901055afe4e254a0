"""What a backend is: `setup` and `run`, in a child process, with no HTTP, database or credits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol


@dataclass(frozen=True, slots=True)
class Input:
    """One task as a backend sees it.

    `fields` are the kind's validated fields, those that were left out as their defaults; kinds that
    are asked for a size come with whole `width` and `height`, pixels.
    `files` holds the fetched inputs by field name, in the caller's order.
    """

    kind: str
    model: str
    fields: Mapping[str, Any]
    files: Mapping[str, Sequence[Path]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Output:
    """One finished file in the context's folder, and what is worth telling about it.

    A picture beside a clip or a sound is its cover. Notes that the kind tells of (its `told`) are
    shown beside the results. Width and height are pixels, None for what has none. Who holds a
    picture's pixels may tell its likeness, which saves decoding the file for it.
    """

    path: Path
    media_type: str
    width: int | None = None
    height: int | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    likeness: int | None = None


class Context(Protocol):
    """What a running task may use: a folder of its own, its seed, and a way to tell progress."""

    folder: Path
    seed: int

    def progress(self, fraction: float) -> None:
        """Tell how much is done, 0 to 1; raises `Canceled` when the task should stop here."""


class Canceled(Exception):
    """The task was asked to stop; raised out of `Context.progress`."""


class Backend(Protocol):
    """A model that can run: made once a child, set up once a model, run once a task."""

    name: ClassVar[str]
    kinds: ClassVar[frozenset[str]]

    def setup(self, model: str) -> None:
        """Load what the model needs; called once before the first run."""

    def run(self, given: Input, context: Context) -> Iterator[Output]:
        """Yield each output when its file is whole; raise a `TaskError` when there can be none."""
