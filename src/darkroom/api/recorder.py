"""Call records off the request path: kept in memory for a moment, written many at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from datetime import datetime

from darkroom import config, errors, ids
from darkroom.domain import api_keys, call_records
from darkroom.storage.database import Database

_log = logging.getLogger(__name__)
_WRITTEN_AT_ONCE_MAX = 2_000


class Recorder:
    """Collects call records and last uses of keys, and writes them twice a second.

    A crash loses at most what came in since the last write; a database that is away for long loses
    what does not fit into memory, and counts it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._server_id = ids.new("srv")
        self._waiting: deque[call_records.CallRecord] = deque()
        self._used: dict[str, datetime] = {}
        self._received = self._written = self._dropped = 0

    def add(self, record: call_records.CallRecord) -> None:
        """Take a record; never waits."""
        self._received += 1
        if len(self._waiting) >= config.CALL_RECORDS_WAITING_MAX:
            self._dropped += 1
            return
        self._waiting.append(record)
        if record.api_key_id is not None:
            self._used[record.api_key_id] = record.at

    async def run(self, stop: asyncio.Event) -> None:
        """Write what came in, again and again, and once more after the stop."""
        ending = False
        while not ending:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), config.CALL_RECORDS_FLUSH_SECONDS)
            ending = stop.is_set()
            try:
                await self.flush(closed=ending)
            except errors.DatabaseUnavailable as exc:
                _log.warning("%d call records wait: %s", len(self._waiting), exc)

    async def flush(self, *, closed: bool = False) -> None:
        """Write everything that waits, and the counters."""
        if not self._waiting and not closed:
            return
        while self._waiting:
            await self._store([*self._waiting][:_WRITTEN_AT_ONCE_MAX])
        async with self._database.transaction() as tx:
            if self._used:
                used, self._used = self._used, {}
                await api_keys.touch(tx, used)
            counters = call_records.Counters(self._received, self._written, self._dropped)
            await call_records.count(tx, self._server_id, counters, closed=closed)

    async def _store(self, chunk: list[call_records.CallRecord]) -> None:
        """Write the first records that wait; what the database never takes is found by halving."""
        try:
            await self._write(chunk)
        except errors.StatementRefused as exc:
            half = len(chunk) // 2
            if half:
                await self._store(chunk[:half])
                await self._store(chunk[half:])
                return
            _log.error("the call record %s is dropped: %s", chunk[0].request_id, exc)
            self._waiting.popleft()
            self._dropped += 1

    async def _write(self, chunk: list[call_records.CallRecord]) -> None:
        async with self._database.transaction() as tx:
            await call_records.write(tx, chunk)
        for _ in chunk:
            self._waiting.popleft()
        self._written += len(chunk)
