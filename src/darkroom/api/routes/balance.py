"""Balance: how many credits the caller has to spend."""

from __future__ import annotations

from typing import Any

from darkroom import errors
from darkroom.api.call import Call, Route
from darkroom.domain import accounts, ledger


async def balance(call: Call) -> Any:
    """The caller's available credits, as a bare number."""
    async with call.edge.database.statement() as tx:
        account = await accounts.get(tx, call.principal.account_id)
    return ledger.credits_of(account.available_mill)


ROUTES = (
    Route(
        "GET",
        "/v1/generation/balance",
        balance,
        "The credits that the account has to spend.",
        (errors.Unauthenticated, errors.RateLimited),
    ),
)
