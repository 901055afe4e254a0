"""Meanings: what the codes of refusals and of failed tasks say, from the errors that have them."""

from __future__ import annotations

import functools

from darkroom import errors

_CLIENT_CLOSED = 499


def of_refusal(code: int | None, status: int) -> str | None:
    """What a refusal with this code means; of those that share it, the one with its HTTP status."""
    if status == _CLIENT_CLOSED:
        return "The caller left before the answer."
    known = _refusals()
    return known.get((code, status)) or known.get((code, None))


def of_failure(code: int) -> str | None:
    """What a task's failure with this code means."""
    return _failures().get(code)


@functools.cache
def _refusals() -> dict[tuple[int | None, int | None], str]:
    found: dict[tuple[int | None, int | None], str] = {}
    kinds = [*errors.Refusal.__subclasses__()]
    for kind in kinds:
        found.setdefault((kind.code, kind.status), kind().message)
        found.setdefault((kind.code, None), kind().message)
        kinds += kind.__subclasses__()
    return found


@functools.cache
def _failures() -> dict[int, str]:
    found: dict[int, str] = {}
    kinds = [errors.TaskError]
    for kind in kinds:
        found.setdefault(kind.code, kind().message)
        kinds += kind.__subclasses__()
    return found
