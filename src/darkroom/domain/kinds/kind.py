"""What a kind is: one declaration from which its route, documents, price and command follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec

PROMPT_CHARS_MAX = 2000
NEGATIVE_PROMPT_CHARS_MAX = 1000
SEED_MAX = 2**31 - 1
DEADLINE_SECONDS_MAX = 86_400
PRIORITY_MAX = 9


class Submit(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The fields that nearly every kind takes."""

    webhook_url: Annotated[
        str | None, msgspec.Meta(description="Where to POST the results when the task has ended.")
    ] = None
    webhook_events: Annotated[
        Annotated[
            list[Literal["ended", "started", "progress", "output"]], msgspec.Meta(min_length=1)
        ]
        | None,
        msgspec.Meta(description="What to POST there: ended, started, progress, output."),
    ] = None
    caller_id: Annotated[
        Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None,
        msgspec.Meta(description="A tag of your own, echoed in status."),
    ] = None
    deadline_seconds: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=DEADLINE_SECONDS_MAX)] | None,
        msgspec.Meta(description="A task that has not begun after so long ends FAILED, for free."),
    ] = None
    priority: Annotated[
        int,
        msgspec.Meta(
            ge=0, le=PRIORITY_MAX, description="Of your own waiting tasks the highest begin first."
        ),
    ] = 0


@dataclass(frozen=True, slots=True)
class Files:
    """A field whose items are addresses of input files."""

    count_max: int
    bytes_max: int
    media_types: frozenset[str]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of generation.

    `outputs` is the status field that lists the results; `count_field` the input field that says
    how many tasks a submit makes; `texts` the fields that the content policy reads (what not to
    show is none of them: naming it there is a habit of care); `files` the
    fields that hold input addresses; `unit` what a rate's price is for.
    """

    name: str
    summary: str
    input: type[Submit]
    outputs: Literal["images"]
    count_field: str
    unit: Literal["image", "megapixel"]
    texts: tuple[str, ...]
    example: Mapping[str, Any]
    files: Mapping[str, Files] = field(default_factory=dict)
