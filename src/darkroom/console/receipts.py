"""Receipts: an account's payments, and the receipt of each one that is paid."""

from __future__ import annotations

from starlette.responses import Response

from darkroom.console import paging
from darkroom.console.visit import Page, Visit
from darkroom.domain import payments

_ROWS = 50


async def show(visit: Visit) -> Response:
    """The account's payments, newest first."""
    before = paging.read(visit)
    async with visit.edge.database.statement() as tx:
        found = await payments.list_for(tx, visit.account_id, before=before, rows_max=_ROWS + 1)
        owed = await payments.owed(tx, visit.account_id)
    shown = found[:_ROWS]
    return visit.page(
        "payments.html",
        payments=shown,
        owed_mill=owed,
        newer="/api/pricing/payments" if before else "",
        older=paging.after(visit, shown[-1]) if len(found) > _ROWS else "",
    )


async def show_one(visit: Visit) -> Response:
    """The receipt of a payment, or how it stands while it is not paid."""
    async with visit.edge.database.statement() as tx:
        payment = await payments.get(
            tx, visit.account_id, str(visit.request.path_params["payment_id"])
        )
    return visit.page(
        "receipt.html", payment=payment, operator_name=visit.edge.config.operator_name
    )


PAGES = (
    Page("GET", "/api/pricing/payments", show),
    Page("GET", "/api/pricing/payments/{payment_id}", show_one),
)
