"""The auditor: has the books proved when it is due or asked for, and keeps what was found."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from darkroom import config, errors
from darkroom.domain import audits
from darkroom.engine import loop
from darkroom.storage.database import Database

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 2.0
_BEAT_PARTS = 4


class Auditor:
    """Runs audits, each once whatever number of daemons there are; one that is killed is redone."""

    def __init__(self, database: Database, hours: float) -> None:
        self._database = database
        self._hours = hours

    async def run(self, stop: asyncio.Event) -> None:
        """Look for an audit to run until the stop, which cuts one that is under way."""
        looking = asyncio.create_task(loop.every(_LOOK_SECONDS, self._look, stop))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([looking, stopping], return_when=asyncio.FIRST_COMPLETED)
        looking.cancel()
        stopping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking

    async def _look(self) -> None:
        async with self._database.transaction() as tx:
            audit_id = await audits.claim(tx, hours=self._hours)
        if audit_id is None:
            return
        ended = asyncio.Event()
        beating = asyncio.create_task(self._beat(audit_id, ended))
        try:
            # It may take long, and reads alone.
            async with self._database.snapshot() as tx:
                proof = await audits.prove(tx)
            async with self._database.statement() as tx:
                await audits.finish(tx, audit_id, proof)
        except asyncio.CancelledError:
            with contextlib.suppress(errors.DatabaseUnavailable):
                async with self._database.statement() as tx:
                    await audits.give_back(tx, audit_id)
            raise
        finally:
            ended.set()
            await beating
        for finding in proof.findings[: config.AUDIT_FINDINGS_KEPT_MAX]:
            _log.error("audit: %s: %s: %s", finding.check, finding.subject, finding.detail)

    async def _beat(self, audit_id: int, ended: asyncio.Event) -> None:
        async def beat() -> None:
            async with self._database.statement() as tx:
                await audits.beat(tx, audit_id)

        await loop.every(config.AUDIT_LEASE_SECONDS / _BEAT_PARTS, beat, ended)
