"""The desk's books: what was paid, what the last audit found, and what admins did."""

from __future__ import annotations

from starlette.responses import Response

from darkroom.console.desk import asking
from darkroom.console.visit import Page, Visit
from darkroom.domain import acts, audits, inspections, payments
from darkroom.domain.acts import Deed, Filter

_STATES = (payments.OPEN, payments.PAID, payments.EXPIRED, payments.FAILED)


async def show_audit(visit: Visit) -> Response:
    """The last audit with its checks, and those before it."""
    async with visit.edge.database.transaction() as tx:
        every = await audits.list_all(tx)
        latest = await audits.latest(tx)
    return visit.page(
        "admin/audit.html",
        latest=latest,
        audits=every,
        hours=visit.edge.config.audit_hours,
        is_open=any(one.ended_at is None for one in every),
    )


async def ask_audit(visit: Visit) -> Response:
    """Have a daemon run an audit now."""
    who = asking.actor(visit)
    async with visit.edge.database.transaction() as tx:
        is_asked = await audits.ask(tx, who.name)
        if is_asked:
            await acts.record(tx, who, Deed("audit.ask", "audit"))
    said = "An audit is asked for." if is_asked else "An audit is under way already."
    return visit.go("/admin/audit", said)


async def show_acts(visit: Visit) -> Response:
    """What was done, by whom, about what."""
    wanted = Filter(
        actor=asking.asked(visit, "actor"),
        verb=asking.asked(visit, "verb"),
        subject=asking.asked(visit, "subject"),
    )
    before = asking.number("before", asking.asked(visit, "before"))
    async with visit.edge.database.statement() as tx:
        found = await acts.list_all(tx, wanted, before=before, rows_max=asking.ROWS_MAX)
    more = found[-1].id if len(found) == asking.ROWS_MAX else None
    return visit.page(
        "admin/acts.html",
        acts=found,
        wanted=wanted,
        newer=asking.newest(visit),
        older=asking.older(visit, more),
    )


async def show_payments(visit: Visit) -> Response:
    """Payments of all accounts, and what of their money went back."""
    status = asking.asked(visit, "status")
    async with visit.edge.database.statement() as tx:
        found = await inspections.payments(
            tx,
            status=status if status in _STATES else None,
            email=asking.asked(visit, "email"),
            before=asking.asked(visit, "before"),
            rows_max=asking.ROWS_MAX,
        )
    more = found[-1].id if len(found) == asking.ROWS_MAX else None
    return visit.page(
        "admin/payments.html",
        payments=found,
        states=_STATES,
        newer=asking.newest(visit),
        older=asking.older(visit, more),
    )


PAGES = (
    Page("GET", "/admin/payments", show_payments, "admin"),
    Page("GET", "/admin/audit", show_audit, "admin"),
    Page("POST", "/admin/audit", ask_audit, "admin"),
    Page("GET", "/admin/acts", show_acts, "admin"),
)
