"""`darkroom audit`: prove the books on a live database, and say what was checked."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from darkroom.cli import connect, output
from darkroom.domain import call_records, ledger
from darkroom.domain.call_records import Counts
from darkroom.domain.ledger import Finding, Totals
from darkroom.storage.database import Database

# What is printed; the JSON document has every finding.
FINDINGS_SHOWN_MAX = 20


@click.command()
@connect.options
@output.json_option
def audit(as_json: bool, **flags: Any) -> None:
    """Check every invariant of the credits; exit status 1 when one is broken."""

    async def story(database: Database) -> tuple[Totals, list[Finding], Counts]:
        async with database.snapshot() as tx:
            totals, findings = await ledger.verify(tx)
            return totals, findings, await call_records.counts(tx)

    totals, findings, counts = connect.run(flags, story)
    if as_json:
        output.document(_document(totals, findings, counts))
    else:
        _print(totals, findings, counts)
    if findings:
        raise click.exceptions.Exit(1)


def _document(totals: Totals, findings: list[Finding], counts: Counts) -> dict[str, Any]:
    return {
        "ok": not findings,
        "checks": [
            {
                "check": check,
                "ok": not found,
                "findings": [{"subject": one.subject, "detail": one.detail} for one in found],
            }
            for check, found in _by_check(findings).items()
        ],
        "totals": dataclasses.asdict(totals),
        "call_records": dataclasses.asdict(counts),
    }


def _by_check(findings: list[Finding]) -> dict[str, list[Finding]]:
    return {check: [one for one in findings if one.check == check] for check in ledger.AUDIT_CHECKS}


def _print(totals: Totals, findings: list[Finding], counts: Counts) -> None:
    for check, found in _by_check(findings).items():
        click.echo(f"{'✗' if found else '✓'} {check}")
        for one in found[:FINDINGS_SHOWN_MAX]:
            click.echo(f"    {one.subject}: {one.detail}")
        if len(found) > FINDINGS_SHOWN_MAX:
            click.echo(f"    and {len(found) - FINDINGS_SHOWN_MAX} more; --json lists all.")
    mill = {
        name: ledger.credits_of(value)
        for name, value in dataclasses.asdict(totals).items()
        if name.endswith("_mill")
    }
    click.echo(
        f"Looked at {totals.accounts} accounts, {totals.entries} entries, {totals.holds} holds "
        f"({totals.holds_open} open) and {totals.tasks} tasks."
    )
    click.echo(
        f"Credits: {mill['issued_mill']} issued, {mill['sold_mill']} sold, "
        f"{mill['earned_mill']} earned, {mill['available_mill']} available, "
        f"{mill['held_mill']} held."
    )
    click.echo(
        f"Call records: {counts.received} received, {counts.written} written, "
        f"{counts.dropped} dropped."
    )
    click.echo("The books are right." if not findings else "The books are wrong.")
