"""The core of every upstream: a call sent once, followed to its end, and its result brought home.

A row is stored before a request leaves that may cost money, and the upstream's id at once when it
answers. After a crash a call goes on by asking. A request whose answer was lost is sent again only
under the same key and only to an upstream that knows keys; else its outcome is unknown, and the
task ends without being paid for twice.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import msgspec

from darkroom import errors
from darkroom.engine.backends.contract import Call, Canceled, Errand, Input, Output, Preview
from darkroom.engine.backends.remote import results
from darkroom.engine.backends.remote.line import Line, Lost
from darkroom.engine.backends.remote.options import Options
from darkroom.engine.backends.remote.upstream import Seen, Upstream

_log = logging.getLogger(__name__)
# Between two looks: at first, and at most; each pause is so much longer than the one before.
_PAUSE_SECONDS = 0.5
_PAUSE_SECONDS_MAX = 10.0
_PAUSE_GROWTH = 1.3
# Times that a request is sent in one attempt, and looks in a row that may fail.
_SENDS_MAX = 3
_LOOKS_FAILED_MAX = 8
_PREVIEW_SECONDS_MAX = 5.0
_MICRO = 1_000_000


async def run(
    upstream: Upstream, given: Input, options: Mapping[str, Any], errand: Errand
) -> AsyncIterator[float | Preview | Output]:
    """Yield the progress and the results of a task that an upstream makes."""
    line = line_to(upstream, options, errand)
    call, seen = await begin(upstream, given, line)
    if isinstance(seen, str):
        remote_id, shown = seen, ""
        async for seen in _followed(upstream, remote_id, line, call):
            yield seen.progress
            if seen.preview not in ("", shown):
                shown = seen.preview
                if preview := await _preview(shown, line):
                    yield preview
    assert isinstance(seen, Seen)
    cost_micro = cost_micro_of(seen, line.options)
    try:
        for number, result in enumerate(seen.results):
            for output in await results.bring(result, f"result-{number}", line):
                yield output
    except errors.BackendFailed as error:
        said = error.message
        await errand.close(call, "failed", is_billed=True, cost_micro=cost_micro, error=said)
        raise
    await errand.close(call, "delivered", is_billed=True, cost_micro=cost_micro)


def line_to(upstream: Upstream, options: Mapping[str, Any], errand: Errand) -> Line:
    """A task's line to an upstream; raises `Hindered` where the options or the key are wrong."""
    told = _options(upstream, options)
    return Line(
        upstream.name,
        told,
        errand,
        address=told.address or upstream.address,
        headers=upstream.headers(key) if (key := _key(upstream, told)) else {},
        explain=upstream.explain,
    )


async def begin(upstream: Upstream, given: Input, line: Line) -> tuple[Call, str | Seen]:
    """Store the call, send it; what answered: the upstream's id of it, or its end.

    A call that is refused, fails or is lost is closed, and raised.
    """
    await line.errand.pause(0)
    call = await line.errand.open()
    return call, await _sent(upstream, given, line, call)


def cost_micro_of(seen: Seen, told: Options) -> int | None:
    """What a call costs in millionths of a US dollar, by its answer, else by the catalogue."""
    if seen.cost_micro is None and told.cost is not None:
        return round(told.cost * _MICRO)
    return seen.cost_micro


def _options(upstream: Upstream, options: Mapping[str, Any]) -> Options:
    try:
        return msgspec.convert(options, upstream.options, strict=False)
    except msgspec.ValidationError as exc:
        raise errors.Hindered(f"The catalogue's options for {upstream.name}: {exc}") from exc


def _key(upstream: Upstream, options: Options) -> str:
    """The upstream's key; a service of one's own, at an address of one's own, may need none."""
    name = options.key or upstream.variable
    key = os.environ.get(name, "")
    if not key and not options.address:
        raise errors.Hindered(f"{name} is not set: the worker has no key for {upstream.name}.")
    if not upstream.address and not options.address:
        raise errors.Hindered(f"The catalogue's options for {upstream.name} have no address.")
    return key


async def _sent(upstream: Upstream, given: Input, line: Line, call: Call) -> str | Seen:
    """The upstream's id of the call, or its end where it answers with that."""
    if call.remote_id is not None:
        return call.remote_id
    may_be_taken = call.is_resumed
    if may_be_taken and not upstream.is_idempotent:
        raise await _unknown(upstream, line.errand, call)
    for number in range(_SENDS_MAX):
        try:
            with _understood(upstream):
                answer = await upstream.submit(given, line, call)
        except Lost:
            if not upstream.is_idempotent:
                raise await _unknown(upstream, line.errand, call) from None
            may_be_taken = True
            await line.errand.pause(2.0**number)
            continue
        except errors.TaskError as error:
            if may_be_taken and isinstance(error, errors.Hindered):
                # It says nothing of the request before, whose answer was lost.
                raise errors.Hindered(error.message, stays=True) from error
            await line.errand.close(call, "refused", is_billed=False, error=error.message)
            raise
        if isinstance(answer, str):
            await line.errand.accept(call, answer)
        elif answer.error is not None:
            raise await _failed(line.errand, call, answer)
        return answer
    # The call goes on: whoever sends it again does so under the same key.
    raise errors.Hindered(f"{upstream.name} did not answer.", stays=True)


async def _followed(
    upstream: Upstream, remote_id: str, line: Line, call: Call
) -> AsyncIterator[Seen]:
    """Each look at a call; the last has its results."""
    failed, pause, began = 0, _PAUSE_SECONDS, time.monotonic()
    while True:
        try:
            with _understood(upstream):
                seen = await upstream.look(remote_id, line)
        except (Lost, errors.TaskError) as exc:
            failed += 1
            if isinstance(exc, errors.Hindered):
                pause = min(max(pause, exc.retry_after_seconds), _PAUSE_SECONDS_MAX)
            if failed == _LOOKS_FAILED_MAX:
                said = f"{upstream.name} does not say what became of the call: {exc}"
                raise errors.Hindered(said, stays=True) from exc
        else:
            failed = 0
            if seen.error is not None:
                raise await _failed(line.errand, call, seen)
            yield seen
            if seen.results:
                return
            is_late = time.monotonic() - began > (line.options.start_seconds_max or float("inf"))
            if is_late and not seen.is_begun and await _is_stopped(upstream, remote_id, line):
                await line.errand.close(call, "canceled", is_billed=False)
                raise errors.Hindered(f"{upstream.name} did not begin in time.")
        try:
            await line.errand.pause(pause)
        except Canceled:
            await _take_back(upstream, remote_id, line, call)
            raise
        pause = min(pause * _PAUSE_GROWTH, _PAUSE_SECONDS_MAX)


async def _preview(path: str, line: Line) -> Preview | None:
    """What a call looks like so far; None where that is over, or does not come: nobody needs it."""
    with contextlib.suppress(Lost, errors.TaskError):
        picture = await line.send("GET", path, seconds_max=_PREVIEW_SECONDS_MAX)
        return Preview(picture) if isinstance(picture, bytes) else None
    return None


async def _take_back(upstream: Upstream, remote_id: str, line: Line, call: Call) -> None:
    """Tell the upstream to stop; where it does not, it goes on and may bill it.

    Raises `Canceled` before that where the task is another attempt's, which goes on with the call.
    """
    await line.errand.open()
    is_stopped = await _is_stopped(upstream, remote_id, line)
    is_billed = upstream.is_cancel_billed if is_stopped else None
    await line.errand.close(call, "canceled", is_billed=is_billed)


async def _is_stopped(upstream: Upstream, remote_id: str, line: Line) -> bool:
    """Whether the upstream took a call back, and says so."""
    with contextlib.suppress(Lost, errors.TaskError), _understood(upstream):
        return await upstream.cancel(remote_id, line)
    return False


@contextlib.contextmanager
def _understood(upstream: Upstream) -> Iterator[None]:
    """An answer that is not as the wire has it is as good as none: raises `Lost`."""
    try:
        yield
    except (LookupError, TypeError, ValueError) as exc:
        _log.error("%s: an answer is not understood", upstream.name, exc_info=exc)
        raise Lost from exc


async def _failed(errand: Errand, call: Call, seen: Seen) -> errors.TaskError:
    assert seen.error is not None
    await errand.close(
        call,
        "failed",
        is_billed=seen.is_billed,
        cost_micro=seen.cost_micro,
        error=seen.error.message,
    )
    return seen.error


async def _unknown(upstream: Upstream, errand: Errand, call: Call) -> errors.OutcomeUnknown:
    error = errors.OutcomeUnknown(
        f"{upstream.name} may have taken the request, but its answer was lost. It was not sent "
        "again, so that it is not paid for twice. Submit the task anew."
    )
    # Of one that was delivered more is known: its result was lost with the worker.
    if call.state != "delivered":
        await errand.close(call, "unknown", is_billed=None, error=error.message)
    return error
