"""Deliver: due deliveries claimed, sent and recorded; whoever is killed loses none.

Claiming, sending and recording are three steps with a commit after the first and the last. Who is
killed between them leaves a lease that runs out, and the same delivery goes again under the same
`webhook-id`, by which its receiver knows it.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import logging
import random
import time
from collections.abc import Mapping, Sequence

from darkroom import config, errors
from darkroom.config import Config
from darkroom.domain import deliveries, messages, signing_keys, webhook_endpoints
from darkroom.domain.deliveries import Claimed, Destination, Outcome
from darkroom.domain.messages import Facts, Message
from darkroom.engine import loop
from darkroom.engine.destinations import Destinations
from darkroom.outbound import Answered, Outbound
from darkroom.signing import SigningKey
from darkroom.storage.database import Database

_log = logging.getLogger(__name__)
# A NOTIFY can be lost with its connection, and a pause ends without one.
_POLL_SECONDS = 1.0
# Leases are renewed at a third of their length, so that a beat may fail before one runs out.
_LEASE_PARTS = 3
# What deliveries that are under way get at a stop; the leases of the others run out.
_STOP_SECONDS_MAX = 5.0
# Pauses after each attempt, those of https://github.com/standard-webhooks/standard-webhooks.
PAUSES_SECONDS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
_JITTER = 0.1
# Answers that say that the receiver is down, not that it dislikes this delivery.
_DOWN = frozenset({429, 502, 503, 504})
_GONE = 410
GONE = "The receiver answered 410: it wants no more."


class Deliverer:
    """Sends what is due until told to stop, so much at once and no more."""

    def __init__(self, database: Database, settings: Config) -> None:
        self._database = database
        self._outbound = Outbound(settings.outbound_allow, webhook_http=settings.webhook_http)
        self._lease_seconds = settings.lease_seconds
        self._base_url = settings.public_url or f"http://{settings.host}:{settings.port}"
        self._destinations = Destinations()
        self._after = deliveries.FIRST
        self._wake = asyncio.Event()
        self._under_way: dict[asyncio.Task[None], Claimed] = {}
        self._outcomes: list[tuple[Outcome, asyncio.Future[None]]] = []
        self._done = asyncio.Event()
        self._key: SigningKey | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until the stop; what is under way then gets a moment to end."""
        ended = asyncio.Event()
        async with self._outbound, asyncio.TaskGroup() as group:
            listening = group.create_task(loop.every(0.5, self._listen, stop))
            group.create_task(self._wake_at(stop))
            beating = group.create_task(
                loop.every(self._lease_seconds / _LEASE_PARTS, self._beat, ended)
            )
            recording = group.create_task(loop.every(0.0, self._record, ended))
            await loop.every(0.0, self._round, stop)
            listening.cancel()
            if self._under_way:
                await asyncio.wait([*self._under_way], timeout=_STOP_SECONDS_MAX)
            for task in self._under_way:
                task.cancel()
            ended.set()
            recording.cancel()
            beating.cancel()

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()

    async def _listen(self) -> None:
        async with contextlib.aclosing(self._database.listen("deliveries")) as notices:
            async for _ in notices:
                self._wake.set()

    async def _round(self) -> None:
        """Claim what there are places for and begin it, or wait until there is reason to look."""
        self._wake.clear()
        began_at, claimed = self._after, 0
        if self._destinations.free:
            async with self._database.statement() as tx:
                seen = await deliveries.due(tx, after=self._after)
            planned = self._destinations.plan([one.destination for one in seen if one.is_due])
            if planned:
                claimed = await self._begin(planned)
            self._after = self._next_place(seen, planned)
        if not claimed and self._after == began_at:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _POLL_SECONDS)

    def _next_place(
        self, seen: Sequence[deliveries.Seen], planned: Mapping[Destination, int]
    ) -> Destination:
        """Where the next search begins: after the last that got a place, if there was none left."""
        if planned and not self._destinations.free:
            return [*planned][-1]
        if seen and seen[-1].is_last:
            return seen[-1].destination
        return deliveries.FIRST

    async def _begin(self, planned: Mapping[Destination, int]) -> int:
        async with self._database.statement() as tx:
            claimed = await deliveries.claim(tx, planned, lease_seconds=self._lease_seconds)
        async with self._database.statement() as tx:
            if self._key is None:
                self._key = await signing_keys.ours(tx)
            facts = await messages.read(tx, [one for one in claimed if one.refused is None])
        for one in claimed:
            self._destinations.begin(one.destination)
            task = asyncio.create_task(self._deliver(one, facts, self._key), name=one.id)
            self._under_way[task] = one
            task.add_done_callback(self._ended)
        return len(claimed)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.pop(task, None)
        if not task.cancelled() and (exc := task.exception()) is not None:
            # The lease runs out, and another attempt follows.
            _log.error("%s: the attempt broke", task.get_name(), exc_info=exc)
        self._wake.set()

    async def _deliver(self, one: Claimed, facts: Facts, key: SigningKey) -> None:
        """Make one attempt and have its outcome recorded; until then it holds its place."""
        try:
            if one.refused is not None:
                outcome = Outcome(one.id, one.number, deliveries.FAILED, failure=one.refused)
            else:
                message = messages.write(one, facts, key, self._base_url)
                outcome = await self._attempt(one, message)
            recorded = asyncio.get_running_loop().create_future()
            self._outcomes.append((outcome, recorded))
            self._done.set()
            await recorded
        finally:
            self._destinations.end(one.destination)

    async def _attempt(self, one: Claimed, message: Message) -> Outcome:
        answered: Answered | None = None
        began_at = time.monotonic()
        try:
            answered = await self._outbound.post(
                one.url,
                message.body,
                message.headers,
                seconds_max=config.ATTEMPT_SECONDS_MAX,
                bytes_max=config.ANSWER_KEPT_BYTES_MAX,
            )
            error = _error(answered.status)
        except errors.NoAnswer as exc:
            error = f"{exc.reason}: {exc.message}"
        seconds = time.monotonic() - began_at
        asked = 0.0
        if answered is not None and error is not None:
            asked = _retry_after(answered.headers, one.at_seconds + seconds)
        if answered is None or answered.status in _DOWN:
            self._destinations.failed(one.destination, asked)
        else:
            self._destinations.answered(one.destination)
        is_gone = answered is not None and answered.status == _GONE
        status, pause_seconds, failure = _what_follows(one, answered, error, asked)
        return Outcome(
            id=one.id,
            number=one.number,
            status=status,
            pause_seconds=pause_seconds,
            seconds=seconds,
            request_headers=message.headers,
            request_body=message.body.decode(),
            answer_status=None if answered is None else answered.status,
            answer_headers=None if answered is None else _kept_headers(answered.headers),
            answer_body=None if answered is None else _kept_body(answered.body),
            error=error,
            failure=failure,
            gone_endpoint_id=one.endpoint_id if is_gone else None,
        )

    async def _beat(self) -> None:
        """Keep the leases of what is under way: a receiver may take its time, a dead daemon not."""
        if under_way := [(one.id, one.number) for one in self._under_way.values()]:
            async with self._database.statement() as tx:
                await deliveries.beat(tx, under_way, lease_seconds=self._lease_seconds)

    async def _record(self) -> None:
        """Write all outcomes that have come together; they are kept until it has worked."""
        await self._done.wait()
        self._done.clear()
        try:
            count = len(self._outcomes)
            outcomes = [outcome for outcome, _ in self._outcomes[:count]]
            async with self._database.transaction() as tx:
                await deliveries.record(tx, outcomes)
                for one in outcomes:
                    if one.gone_endpoint_id is not None:
                        await webhook_endpoints.disable(tx, one.gone_endpoint_id, GONE)
        except errors.DatabaseUnavailable:
            # The commit may have happened: the attempt's number makes the repeat harmless.
            self._done.set()
            raise
        for _, recorded in self._outcomes[:count]:
            if not recorded.done():
                recorded.set_result(None)
        del self._outcomes[:count]


def _error(status: int) -> str | None:
    """What is wrong with an answer; None: it is one of success."""
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"HTTP {status}: redirects are not followed; name the final address."
    return f"HTTP {status}"


def _what_follows(
    one: Claimed, answered: Answered | None, error: str | None, asked_seconds: float
) -> tuple[str, float, str | None]:
    """The status of the delivery, the pause before its next attempt, and why it is given up."""
    if error is None:
        return deliveries.DELIVERED, 0.0, None
    if answered is not None and answered.status == _GONE:
        return deliveries.FAILED, 0.0, GONE
    if one.failures == len(PAUSES_SECONDS):
        return deliveries.FAILED, 0.0, f"Given up after {one.failures + 1} attempts: {error}"
    pause = PAUSES_SECONDS[one.failures] * random.uniform(1 - _JITTER, 1 + _JITTER)
    return deliveries.PENDING, max(pause, asked_seconds), None


def _retry_after(headers: Mapping[str, str], now: float) -> float:
    """Seconds that an answer asks for, a number or a date (RFC 9110, 10.2.3), within the bound."""
    named = {name.lower(): text for name, text in headers.items()}
    text = named.get("retry-after", "").strip()
    if text.isascii() and text.isdecimal():
        seconds = float(text[:9])
    else:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - now
        except (ValueError, OverflowError):
            seconds = 0.0
    return min(max(seconds, 0.0), config.RETRY_AFTER_SECONDS_MAX)


def _kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """An answer's headers as the database takes them: without NUL, and bounded."""
    kept: dict[str, str] = {}
    left = config.ANSWER_KEPT_BYTES_MAX
    for name, text in headers.items():
        left -= len(name) + len(text)
        if left < 0:
            break
        kept[name] = _storable(text)
    return kept


def _kept_body(body: bytes) -> str:
    return _storable(body[: config.ANSWER_KEPT_BYTES_MAX].decode("utf-8", "replace"))


def _storable(text: str) -> str:
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
