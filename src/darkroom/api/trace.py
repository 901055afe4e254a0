"""What is known of one request while it is answered, and becomes its call record."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from starlette.types import Scope

from darkroom.domain.buckets import Limit

SCOPE_KEY = "darkroom.trace"


class Trace(msgspec.Struct):
    """One request's id and what its answer turned out to be about."""

    request_id: str
    wire: str
    account_id: str | None = None
    api_key_id: str | None = None
    code: int | None = None
    batch_id: int | None = None
    task_id: str | None = None
    mill: int | None = None
    # What a refusal said.
    error: str | None = None
    limits: Sequence[Limit] = ()


def of(scope: Scope) -> Trace:
    """The trace of the request with this scope."""
    trace = scope[SCOPE_KEY]
    assert isinstance(trace, Trace)
    return trace
