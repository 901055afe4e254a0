"""What a backend is: a model in a child process, or a remote, which asks another service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import httpx  # a child needs none, and it is half of what starting one costs

from darkroom.errors import TaskError

# A larger picture is not shown: it is one of what is being made, not the result.
PREVIEW_BYTES_MAX = 2 * 2**20


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


@dataclass(frozen=True, slots=True)
class Preview:
    """What a task looks like so far: the bytes of a JPEG, PNG or WebP, 2 MiB and 4 megapixels.

    It need not be clean or small: what people see of it is made anew from its pixels, 512 a side.
    """

    picture: bytes


class Context(Protocol):
    """What a running task may use: a folder of its own, its seed, and ways to tell how it goes."""

    folder: Path
    seed: int

    def progress(self, fraction: float) -> None:
        """Tell how much is done, 0 to 1; raises `Canceled` when the task should stop here."""

    def preview(self, draw: Callable[[], Preview]) -> None:
        """Show what is made so far: `draw` is called if it is time for another, once a second."""


class Canceled(Exception):
    """The task was asked to stop; raised out of `Context.progress`."""


class Backend(Protocol):
    """A model that can run: made once a child, set up once a model, run once a task.

    It knows no HTTP, no database and no credits.
    """

    name: ClassVar[str]
    kinds: ClassVar[frozenset[str]]

    def setup(self, model: str, options: Mapping[str, Any]) -> None:
        """Load what the model needs; called once before the first run.

        `options` is what the model's catalogue entry tells this backend.
        """

    def run(self, given: Input, context: Context) -> Iterator[Output]:
        """Yield each output when its file is whole; raise a `TaskError` when there can be none."""


@runtime_checkable
class Keeper(Backend, Protocol):
    """A backend that keeps several models while there is memory; its `setup` is called again."""

    @property
    def held(self) -> Mapping[str, float]:
        """The models that need no loading now, with the seconds that loading each took."""


@runtime_checkable
class Joiner(Backend, Protocol):
    """A backend that can run several alike tasks in one call, where that is faster.

    They are of one model and kind, with as many files each and the same fields but for `prompt`,
    `negative_prompt`, `seed`, `image_number`, `video_number`, `aspect_ratio` and `resolution`.
    """

    def together_max(self, kind: str) -> int:
        """How many tasks of the kind the model that is set up takes in one call; 1: it does not."""

    def run_together(
        self, given: Sequence[Input], contexts: Sequence[Context]
    ) -> Iterator[tuple[int, Output | TaskError]]:
        """Yield each output with its task's place, or what stands against that task alone.

        Whatever is raised has all of them run one by one, by `run`. `progress` of any context
        tells it of them all, and raises `Canceled` when all of them should stop. Who is canceled
        alone may have no folder any more.
        """


@dataclass(frozen=True, slots=True)
class Call:
    """A request to another service, kept in a row before it leaves.

    `key` is the same in every attempt that goes on with it. It is `sending` until the service
    answers, then `accepted`, and `delivered` when the result was made.
    """

    key: str
    state: str
    remote_id: str | None
    # Whether an attempt before this one began it.
    is_resumed: bool


Ending = Literal["delivered", "refused", "failed", "canceled", "unknown"]


class Errand(Protocol):
    """What a remote's running task may use."""

    folder: Path
    seed: int
    http: httpx.AsyncClient

    async def open(self) -> Call:
        """The task's call that is still going on, or a new one; its row is stored.

        Raises `Canceled` when the task is no longer this attempt's.
        """

    async def accept(self, call: Call, remote_id: str) -> None:
        """Store at once what the service calls it."""

    async def close(
        self,
        call: Call,
        state: Ending,
        *,
        is_billed: bool | None,
        cost_micro: int | None = None,
        error: str | None = None,
    ) -> None:
        """Store how the call ended.

        `is_billed` is None where nobody knows, `cost_micro` in millionths of a US dollar.
        """

    async def pause(self, seconds: float) -> None:
        """Wait; raises `Canceled` as soon as the task should stop here."""

    async def fetch(self, address: str, name: str, *, bytes_max: int) -> Path:
        """Write what is at a public address into the task's folder; raises `BadInput`."""


class Remote(Protocol):
    """A service that makes results elsewhere: many tasks at once in the worker's own loop.

    So it awaits whatever takes time, and never pays twice: `Errand.open` comes before a request
    that costs something, and a call that is resumed is asked for, not sent again.
    """

    name: ClassVar[str]
    kinds: ClassVar[frozenset[str]]

    def run(
        self, given: Input, options: Mapping[str, Any], errand: Errand
    ) -> AsyncIterator[float | Preview | Output]:
        """Yield how much is done, 0 to 1, what it looks like, and each output when it is whole.

        Raises a `TaskError` when there can be none; `Hindered` where another backend, or another
        moment, may do better and nothing was paid for.
        """
