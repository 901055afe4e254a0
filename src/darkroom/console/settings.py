"""Settings: an account's address, password and sign-ins, signing, sessions, and its end."""

from __future__ import annotations

from starlette.responses import Response

from darkroom import errors
from darkroom.console import agents, entering, signing_in
from darkroom.console.visit import Page, Visit
from darkroom.domain import (
    accounts,
    erasures,
    identities,
    links,
    passwords,
    second_factors,
    sessions,
    throttles,
)


async def show(visit: Visit) -> Response:
    """The account, its ways to sign in, and its sessions."""
    return await page(visit)


async def page(visit: Visit, problem: errors.Refusal | None = None, email: str = "") -> Response:
    """The page, with what one of its forms was refused for."""
    async with visit.edge.database.transaction() as tx:
        account = await accounts.get(tx, visit.account_id)
        owner = await accounts.owner(tx, visit.account_id)
        found = await sessions.list_for(tx, visit.account_id)
        factor = await second_factors.get(tx, visit.account_id)
        bound = await identities.list_for(tx, visit.account_id)
    return visit.page(
        "settings.html",
        status=422 if problem else 200,
        problem=problem,
        email=email,
        owner=owner,
        has_provenance=account.has_provenance,
        available_mill=account.available_mill,
        has_password=owner.password_hash is not None,
        sessions=found,
        readable=agents.readable,
        factor=factor if factor and factor.confirmed_at else None,
        identities=bound,
        issuer=visit.edge.config.oidc_name if visit.edge.issuer is not None else None,
        by_letter=visit.edge.config.smtp_url is not None,
    )


async def send_again(visit: Visit) -> Response:
    """Write another letter with which the address is verified."""
    if visit.signed_in.verified_at is not None:
        return visit.go("/settings")
    await _write_verify(visit, visit.signed_in.email)
    return visit.go("/settings", _told(visit, visit.signed_in.email))


async def change_email(visit: Visit) -> Response:
    """Write to the new address; it becomes the account's by the link in that letter."""
    email = (await visit.fields()).get("new_email", "").strip()
    try:
        accounts.check_email(email, field="new_email")
        await entering.prove(visit, "email_password")
    except errors.BadParameter as refused:
        return await page(visit, refused, email)
    await _write_verify(visit, email)
    return visit.go("/settings", _told(visit, email))


async def change_password(visit: Visit) -> Response:
    """Keep another password, and log every other browser out."""
    password = (await visit.fields()).get("new_password", "")
    try:
        passwords.check(password, email=visit.signed_in.email, field="new_password")
        owner = await entering.prove(visit, "password")
    except errors.BadParameter as refused:
        return await page(visit, refused)
    kept = await entering.hash_of(password)
    async with visit.edge.database.transaction() as tx:
        if not await accounts.change_password(tx, owner.id, kept, was=owner.password_hash):
            return visit.go("/settings#password", "The password was changed elsewhere just now.")
        await sessions.close_others(tx, owner.id, visit.signed_in.session_id)
        await links.drop(tx, owner.id)
        await signing_in.write(visit, tx, "changed", owner.email, account_id=owner.id)
    return visit.go("/settings", "Your password is changed. Every other session is over.")


async def change_provenance(visit: Visit) -> Response:
    """Have what the account makes from now on signed and known again, or not."""
    is_on = (await visit.fields()).get("has_provenance") == "yes"
    async with visit.edge.database.statement() as tx:
        await accounts.set_provenance(tx, visit.account_id, has_provenance=is_on)
    said = "are signed" if is_on else "are not signed"
    return visit.go("/settings#provenance", f"The files that you make from now on {said}.")


async def delete(visit: Visit) -> Response:
    """Delete the account; who asks for it knows its password and writes its address."""
    try:
        if (await visit.fields()).get("confirm_email", "").strip() != visit.signed_in.email:
            raise errors.BadParameter("That is not your e-mail.", field="confirm_email")
        await entering.prove(visit, "delete_password")
        async with visit.edge.database.transaction() as tx:
            await erasures.begin(tx, visit.account_id)
    except errors.BadParameter as refused:
        return await page(visit, refused)
    return visit.go("/login", "Your account is deleted. What you made goes within minutes.")


async def close_session(visit: Visit) -> Response:
    """Log one browser out."""
    fields = await visit.fields()
    async with visit.edge.database.statement() as tx:
        await sessions.close(tx, visit.account_id, fields.get("session_id", ""))
    return visit.go("/settings#sessions", "That session is over.")


async def close_others(visit: Visit) -> Response:
    """Log every browser out but this one."""
    async with visit.edge.database.statement() as tx:
        await sessions.close_others(tx, visit.account_id, visit.signed_in.session_id)
    return visit.go("/settings#sessions", "Every other session is over.")


async def _write_verify(visit: Visit, email: str) -> None:
    """A link to prove an address; whoever has it already is told, and nobody else."""
    await entering.throttle(
        visit, (throttles.LETTER_FROM, visit.account_id), (throttles.LETTER_TO, email)
    )
    async with visit.edge.database.transaction() as tx:
        found = await accounts.find(tx, email)
        if found is not None and found.id != visit.account_id:
            await signing_in.write(visit, tx, "taken", email)
            return
        token = await links.make(tx, "verify", account_id=visit.account_id, email=email)
        await signing_in.write(visit, tx, "verify", email, account_id=visit.account_id, token=token)


def _told(visit: Visit, email: str) -> str:
    if visit.edge.config.smtp_url is not None:
        return f"A letter is on its way to {email}. Open the link in it."
    return "This server sends no letters. Its operator can give you the link."


PAGES = (
    Page("GET", "/settings", show),
    Page("POST", "/settings/verify", send_again),
    Page("POST", "/settings/email", change_email),
    Page("POST", "/settings/password", change_password),
    Page("POST", "/settings/provenance", change_provenance),
    Page("POST", "/settings/delete", delete),
    Page("POST", "/settings/sessions/close", close_session),
    Page("POST", "/settings/sessions/close-others", close_others),
)
