"""Entering: what every way of signing in asks on the way, and ends with."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from darkroom import errors
from darkroom.api import browsers
from darkroom.console.visit import Visit
from darkroom.domain import accounts, links, passwords, second_factors, sessions, throttles
from darkroom.storage.database import Transaction

# How many passwords are hashed at once: each takes 64 MiB and a good part of a core.
_hashing = asyncio.Semaphore(2)
_CODE_GONE = "That took too long. Log in again."


async def hash_of(password: str) -> str:
    """What is kept of a password, made beside the event loop."""
    async with _hashing:
        return await asyncio.to_thread(passwords.hash_of, password)


async def fits(kept: str | None, password: str) -> bool:
    """Whether a password is the one kept; takes as long when none is."""
    async with _hashing:
        return await asyncio.to_thread(passwords.fits, kept, password)


async def throttle(visit: Visit, *tries: tuple[throttles.Throttle, str]) -> None:
    """Count a try against each pair; raises `RateLimited`."""
    async with visit.edge.database.transaction() as tx:
        await throttles.pass_through(tx, *tries)


async def prove(visit: Visit, field: str) -> accounts.SignIn:
    """Have the owner give the password once more; raises `BadParameter` when it is another.

    Whoever sits down at a browser that is signed in shall not get the account for good. An account
    without a password has nothing to ask for.
    """
    await throttle(visit, (throttles.PROVE, visit.account_id))
    async with visit.edge.database.statement() as tx:
        owner = await accounts.owner(tx, visit.account_id)
    given = (await visit.fields()).get(field, "")
    if owner.password_hash is not None and not await fits(owner.password_hash, given):
        raise errors.BadParameter("That is not your password.", field=field)
    return owner


async def enter(
    visit: Visit, tx: Transaction, account_id: str, wanted: str = "/", said: str | None = None
) -> Response:
    """Sign the owner of an account in, or ask for the second factor first."""
    owner = await accounts.owner(tx, account_id)
    if owner.needs_code:
        ticket = await links.make(
            tx,
            "code",
            account_id=account_id,
            browser_token=visit.token,
            data={"next": inside(wanted), "said": said},
        )
        return visit.page("code.html", ticket=ticket, problem=None)
    return await _let_in(visit, tx, account_id, wanted, said)


async def take_code(visit: Visit) -> Response:
    """Sign in who knows the code, after the password."""
    fields = await visit.fields()
    ticket = fields.get("ticket", "")
    async with visit.edge.database.statement() as tx:
        asked = await links.find(tx, ticket)
    if asked is None or asked.purpose != "code" or asked.account_id is None:
        return visit.go("/login", _CODE_GONE)
    await throttle(visit, (throttles.CODE, asked.account_id))
    try:
        async with visit.edge.database.transaction() as tx:
            taken = await links.take(tx, ticket, "code", browser_token=visit.token)
            if taken is None or taken.data is None:
                return visit.go("/login", _CODE_GONE)
            await second_factors.use(tx, asked.account_id, fields.get("code", ""))
            return await _let_in(
                visit, tx, asked.account_id, taken.data["next"], taken.data["said"]
            )
    except errors.BadParameter as refused:
        return visit.page("code.html", status=422, ticket=ticket, problem=refused)


async def _let_in(
    visit: Visit, tx: Transaction, account_id: str, wanted: str, said: str | None
) -> Response:
    if visit.visitor is not None:
        await sessions.close(tx, visit.account_id, visit.visitor.session_id)
    token, _ = await sessions.open_for(
        tx, account_id, ip=visit.ip, agent=visit.request.headers.get("user-agent")
    )
    response = visit.go(inside(wanted), said)
    browsers.keep(response, visit.request, token)
    return response


def inside(wanted: str) -> str:
    """Where to go after a sign-in: a path of this server, and never of another one."""
    is_ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return wanted if is_ours and "\\" not in wanted else "/"
