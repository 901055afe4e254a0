"""The one place where an error becomes an answer."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from darkroom import errors
from darkroom.api import wire
from darkroom.api.trace import Trace

_log = logging.getLogger(__name__)
# nginx's word for a caller who left before the answer; nobody reads it but the call history.
_CLIENT_CLOSED = 499


class InternalError(errors.Refusal):
    """The server failed. Tell its operator the request id."""

    status = 500
    code = 5000


async def answer(
    work: Awaitable[Response],
    trace: Trace,
    say: Callable[[errors.Refusal, Trace], Response],
) -> Response:
    """Await an answer and say whatever it raises as a refusal."""
    try:
        return await work
    except errors.Refusal as refused:
        problem = refused
    except (errors.DatabaseUnavailable, errors.FilesUnavailable) as fault:
        _log.error("%s: %s", trace.request_id, fault)
        what = "database" if isinstance(fault, errors.DatabaseUnavailable) else "files"
        problem = errors.Unavailable(
            f"The server cannot reach its {what} right now. Try again shortly.",
            retry_after_seconds=2,
        )
    except ClientDisconnect:
        trace.code = _CLIENT_CLOSED
        return Response(status_code=_CLIENT_CLOSED)
    except Exception:  # noqa: BLE001 - the last resort: logged whole, answered with the id alone
        _log.exception("%s failed", trace.request_id)
        problem = InternalError()
    trace.code, trace.error = problem.code, problem.message
    return say(problem, trace)


def envelope(problem: errors.Refusal, trace: Trace) -> Response:
    """A refusal as the API says it."""
    return wire.refusal(problem, trace.wire, trace.request_id)


class Wording(msgspec.Struct, frozen=True):
    """How a wire says refusals; `statuses` are those of HTTP where it has others than ours."""

    say: Callable[[errors.Refusal, Trace], Response] = envelope
    statuses: Mapping[type[errors.Refusal], int] = msgspec.field(default_factory=dict)

    def status(self, refused: type[errors.Refusal]) -> int:
        """The HTTP status of a refusal."""
        other = (n for known, n in self.statuses.items() if issubclass(refused, known))
        return next(other, refused.status)
