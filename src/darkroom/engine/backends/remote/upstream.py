"""What an upstream is: its wire in a few steps, and what an answer of it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import msgspec

from darkroom import errors
from darkroom.engine.backends.contract import Call, Input
from darkroom.engine.backends.remote.line import Line
from darkroom.engine.backends.remote.options import Options


class Result(msgspec.Struct, frozen=True):
    """One result, at an address or as its bytes; `notes` are worth telling beside it.

    Only of a text the media type must be said.
    """

    address: str = ""
    data: bytes = b""
    notes: Mapping[str, Any] = msgspec.field(default_factory=dict)
    media_type: str = ""


class Seen(msgspec.Struct, frozen=True):
    """What a look at a call shows; `results` are there when it is done.

    `preview` is the path of what it looks like so far, another for each new picture.
    `cost_micro` is what it costs in millionths of a US dollar, where the upstream tells. An `error`
    ends it: `is_billed` says whether it costs something all the same, None where nobody knows.
    """

    is_begun: bool = True
    progress: float = 0.0
    preview: str = ""
    results: tuple[Result, ...] = ()
    cost_micro: int | None = None
    error: errors.TaskError | None = None
    is_billed: bool | None = False


class Upstream(Protocol):
    """The wire of one upstream; `core.run` does everything else.

    Its steps raise what `Line.send` raises.
    """

    name: ClassVar[str]
    kinds: ClassVar[frozenset[str]]
    options: ClassVar[type[Options]]
    # Where it is, and the environment variable that its own clients read the key from.
    address: ClassVar[str]
    variable: ClassVar[str]
    # Whether a request that is sent again under the same key finds the first one.
    is_idempotent: ClassVar[bool]
    # Whether a call that was taken back while it ran costs something; None: nobody knows.
    is_cancel_billed: ClassVar[bool | None]

    def headers(self, key: str) -> dict[str, str]:
        """The headers that prove who asks."""

    async def submit(self, given: Input, line: Line, call: Call) -> str | Seen:
        """Send the task: the upstream's id of it, or its result where it answers with that."""

    async def look(self, remote_id: str, line: Line) -> Seen:
        """How far a call is."""

    async def cancel(self, remote_id: str, line: Line) -> bool:
        """Take a call back; whether it surely stopped."""

    def explain(self, status: int, body: Any) -> errors.TaskError | None:
        """What a refusal means where its status does not tell: above all a content policy's."""
