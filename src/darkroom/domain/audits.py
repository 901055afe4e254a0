"""Audits: the proof of the books, run by a daemon when it is due or asked for, and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from darkroom import config
from darkroom.domain import call_records, ledger
from darkroom.storage.database import Transaction, jsonb


class Proof(msgspec.Struct, frozen=True):
    """What an audit looked at, and what it found wrong."""

    totals: ledger.Totals
    findings: Sequence[ledger.Finding]
    counts: call_records.Counts

    @property
    def is_ok(self) -> bool:
        return not self.findings

    def by_check(self) -> dict[str, list[ledger.Finding]]:
        """What each check found."""
        return {
            check: [one for one in self.findings if one.check == check]
            for check in ledger.AUDIT_CHECKS
        }

    def document(self, *, findings_max: int | None = None) -> dict[str, Any]:
        """The proof as JSON, with so many findings of each check, all without a bound."""
        return {
            "ok": self.is_ok,
            "checks": [
                {
                    "check": check,
                    "ok": not found,
                    "findings": [
                        {"subject": one.subject, "detail": one.detail}
                        for one in found[:findings_max]
                    ],
                }
                for check, found in self.by_check().items()
            ],
            "totals": msgspec.structs.asdict(self.totals),
            "call_records": msgspec.structs.asdict(self.counts),
        }


class Audit(msgspec.Struct, frozen=True):
    """An audit: asked for by somebody or by the schedule, under way, or ended with its result."""

    id: int
    asked_at: datetime
    asked_by: str | None
    started_at: datetime | None
    ended_at: datetime | None
    is_ok: bool | None
    result: dict[str, Any] | None


class _Id(msgspec.Struct, frozen=True):
    id: int


class _Gone(msgspec.Struct, frozen=True):
    total: int


async def prove(tx: Transaction) -> Proof:
    """Check every invariant over the whole database, within the caller's snapshot."""
    totals, findings = await ledger.verify(tx)
    return Proof(totals, findings, await call_records.counts(tx))


async def ask(tx: Transaction, asked_by: str) -> bool:
    """Ask for an audit; False when one is asked for or under way already."""
    return await tx.first(_Id, "audits.ask", asked_by=asked_by) is not None


async def claim(tx: Transaction, *, hours: float) -> int | None:
    """The id of the audit that this daemon is to run now, if one is asked for, due or left behind.

    0 hours: none is ever due by itself.
    """
    await tx.run("audits.schedule", hours=hours)
    claimed = await tx.first(_Id, "audits.claim", lease_seconds=config.AUDIT_LEASE_SECONDS)
    return None if claimed is None else claimed.id


async def beat(tx: Transaction, audit_id: int) -> None:
    """Say that the daemon which runs an audit lives."""
    await tx.run("audits.beat", id=audit_id, lease_seconds=config.AUDIT_LEASE_SECONDS)


async def give_back(tx: Transaction, audit_id: int) -> None:
    """Leave an audit to another daemon."""
    await tx.run("audits.give_back", id=audit_id)


async def finish(tx: Transaction, audit_id: int, proof: Proof) -> None:
    """Keep what an audit found; what another daemon has ended meanwhile stays."""
    result: Mapping[str, Any] = proof.document(findings_max=config.AUDIT_FINDINGS_KEPT_MAX)
    await tx.run("audits.finish", id=audit_id, is_ok=proof.is_ok, result=jsonb(result))


async def list_all(tx: Transaction, *, rows_max: int = 20) -> list[Audit]:
    """The newest audits, whether they have ended or not."""
    return await tx.all(Audit, "audits.list", rows_max=rows_max)


async def latest(tx: Transaction) -> Audit | None:
    """The last audit that ended."""
    return await tx.first(Audit, "audits.latest")


async def forget(tx: Transaction, *, retention_days: int) -> int:
    """Remove audits older than the retention, but never the last; answers how many."""
    return (await tx.one(_Gone, "audits.forget", retention_days=retention_days)).total
