"""Moderations: what the content policy decided when a request did not simply pass."""

from __future__ import annotations

from typing import Protocol

from darkroom import ids
from darkroom.storage.database import Transaction


class Decision(Protocol):
    """What a moderator decided about one request's texts."""

    @property
    def verdict(self) -> str: ...
    @property
    def mode(self) -> str: ...
    @property
    def source(self) -> str | None: ...
    @property
    def rule(self) -> str | None: ...
    @property
    def field(self) -> str | None: ...
    @property
    def policy_version(self) -> str | None: ...
    @property
    def error(self) -> str | None: ...


async def record(
    tx: Transaction, account_id: str, request_id: str, kind: str, decision: Decision
) -> None:
    """Keep a decision: who asked, which rule, which field; never the text."""
    await tx.run(
        "moderations.insert",
        id=ids.new("mod"),
        account_id=account_id,
        request_id=request_id,
        kind=kind,
        mode=decision.mode,
        verdict=decision.verdict,
        source=decision.source,
        rule=decision.rule,
        field=decision.field,
        policy_version=decision.policy_version,
        error=decision.error,
    )
