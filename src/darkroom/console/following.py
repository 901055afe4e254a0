"""Following: what somebody sees who follows a link out of a letter, and who asks for one."""

from __future__ import annotations

from starlette.responses import Response

from darkroom import errors
from darkroom.console import entering, signing_in
from darkroom.console.visit import Page, Visit
from darkroom.domain import accounts, links, passwords, sessions, throttles
from darkroom.domain.links import Link
from darkroom.storage.database import Transaction

# At the end of these a password is chosen; the others ask for a click: what only reads letters,
# to see whether they are harmless, must not use a link up.
_CHOOSING = ("register", "invite", "reset")
_CLICKED = ("verify", "sign_in")


async def show_reset(visit: Visit) -> Response:
    """The form of who forgot the password."""
    return visit.page("reset.html", email="", problem=None)


async def ask_reset(visit: Visit) -> Response:
    """Write a letter to an address that has an account; the answer is always the same."""
    email = (await visit.fields()).get("email", "").strip()
    try:
        accounts.check_email(email)
    except errors.BadParameter as refused:
        return visit.page("reset.html", status=422, email=email, problem=refused)
    await entering.throttle(
        visit, (throttles.LETTER_FROM, visit.ip or ""), (throttles.LETTER_TO, email)
    )
    async with visit.edge.database.transaction() as tx:
        found = await accounts.find(tx, email)
        # Made for an address without an account too, where nobody gets it: it takes as long.
        account_id = found.id if found else None
        token = await links.make(tx, "reset", account_id=account_id, email=email)
        if found is not None:
            await signing_in.write(
                visit, tx, "reset", found.email, account_id=found.id, token=token
            )
    return visit.page("look.html", email=email, what="a link to choose a new password")


async def show(visit: Visit) -> Response:
    """What a link is for; it is used by what is sent from here only."""
    return _form(visit, await _find(visit))


async def follow(visit: Visit) -> Response:
    """Do what a link is for, once."""
    link = await _find(visit)
    if link.purpose == "sign_in":
        async with visit.edge.database.transaction() as tx:
            taken = await _take(visit, tx, link)
            assert taken.account_id is not None
            said = "You are signed in. Set a password, to log in without a link."
            return await entering.enter(visit, tx, taken.account_id, "/settings#password", said)
    if link.purpose == "verify":
        return await _verify(visit, link)
    password = (await visit.fields()).get("password", "")
    try:
        passwords.check(password, email=link.email or "")
        kept = await entering.hash_of(password)
        if link.purpose == "reset":
            return await _reset(visit, link, kept)
        return await _complete(visit, link, kept)
    except errors.BadParameter as refused:
        return _form(visit, link, status=422, problem=refused)


async def _verify(visit: Visit, link: Link) -> Response:
    async with visit.edge.database.transaction() as tx:
        taken = await _take(visit, tx, link)
        assert taken.account_id is not None
        assert taken.email is not None
        before = await accounts.get(tx, taken.account_id)
        await accounts.verify(tx, taken.account_id, taken.email)
        if before.email.lower() != taken.email.lower():
            await links.drop(tx, taken.account_id)
            await signing_in.write(visit, tx, "moved", before.email, account_id=before.id)
    return visit.go("/settings", f"{taken.email} is verified.")


async def _reset(visit: Visit, link: Link, kept: str) -> Response:
    async with visit.edge.database.transaction() as tx:
        taken = await _take(visit, tx, link)
        assert taken.account_id is not None
        account = await accounts.get(tx, taken.account_id)
        await accounts.set_password(tx, account.id, kept)
        await sessions.close_others(tx, account.id, None)
        await links.drop(tx, account.id)
        await signing_in.write(visit, tx, "changed", account.email, account_id=account.id)
        return await entering.enter(visit, tx, account.id, "/", "Your new password is set.")


async def _complete(visit: Visit, link: Link, kept: str) -> Response:
    settings = visit.edge.config
    if link.purpose == "register" and settings.sign_up != "open":
        raise errors.SignUpClosed
    async with visit.edge.database.transaction() as tx:
        taken = await _take(visit, tx, link)
        assert taken.email is not None
        limits = accounts.first_limits(settings)
        account = await accounts.create(tx, taken.email, limits=limits)
        await accounts.verify(tx, account.id, taken.email)
        await accounts.set_password(tx, account.id, kept)
        return await entering.enter(visit, tx, account.id, "/", "Welcome to Darkroom.")


async def _find(visit: Visit) -> Link:
    token = visit.request.path_params["token"]
    async with visit.edge.database.statement() as tx:
        link = await links.find(tx, token)
    if link is None or link.purpose not in (*_CHOOSING, *_CLICKED):
        raise errors.LinkUsedUp
    if link.purpose == "reset" and link.account_id is None:
        raise errors.LinkUsedUp
    return link


async def _take(visit: Visit, tx: Transaction, link: Link) -> Link:
    taken = await links.take(tx, visit.request.path_params["token"], link.purpose)
    if taken is None:
        raise errors.LinkUsedUp
    return taken


def _form(
    visit: Visit, link: Link, *, status: int = 200, problem: errors.Refusal | None = None
) -> Response:
    response = visit.page("link.html", status=status, link=link, problem=problem)
    # The address of this page opens an account: nobody shall read where a reader came from.
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


PAGES = (
    Page("GET", "/reset", show_reset, "anyone"),
    Page("POST", "/reset", ask_reset, "anyone"),
    Page("GET", "/link/{token}", show, "anyone"),
    Page("POST", "/link/{token}", follow, "anyone"),
)
