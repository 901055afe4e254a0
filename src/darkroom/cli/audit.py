"""`darkroom audit`: prove the books on a live database, and say what was checked."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from darkroom.cli import connect, output
from darkroom.domain import audits, ledger
from darkroom.domain.audits import Proof
from darkroom.storage.database import Database

# What is printed; the JSON document has every finding.
FINDINGS_SHOWN_MAX = 20


@click.command()
@connect.options
@output.json_option
def audit(as_json: bool, **flags: Any) -> None:
    """Check every invariant of the credits; exit status 1 when one is broken."""

    async def story(database: Database) -> Proof:
        async with database.snapshot() as tx:
            return await audits.prove(tx)

    proof = connect.run(flags, story)
    if as_json:
        output.document(proof.document())
    else:
        _print(proof)
    if not proof.is_ok:
        raise click.exceptions.Exit(1)


def _print(proof: Proof) -> None:
    totals, counts = proof.totals, proof.counts
    for check, found in proof.by_check().items():
        click.echo(f"{'✗' if found else '✓'} {check}")
        for one in found[:FINDINGS_SHOWN_MAX]:
            click.echo(f"    {one.subject}: {one.detail}")
        if len(found) > FINDINGS_SHOWN_MAX:
            click.echo(f"    and {len(found) - FINDINGS_SHOWN_MAX} more; --json lists all.")
    mill = {
        name: ledger.credits_of(value)
        for name, value in msgspec.structs.asdict(totals).items()
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
    click.echo("The books are right." if proof.is_ok else "The books are wrong.")
