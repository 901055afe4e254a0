"""Signing in: register, log in, log out."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from darkroom import errors
from darkroom.api import browsers
from darkroom.console.visit import Page, Visit
from darkroom.domain import accounts, passwords, sessions

# How many passwords are hashed at once: each takes 64 MiB and a good part of a core.
_hashing = asyncio.Semaphore(2)


async def show_register(visit: Visit) -> Response:
    """The form of a new account."""
    return visit.go("/") if visit.visitor else visit.page("register.html", email="", problem=None)


async def register(visit: Visit) -> Response:
    """Make an account and sign it in; the first one of an instance is its admin."""
    fields = await visit.fields()
    email, password = fields.get("email", "").strip(), fields.get("password", "")
    try:
        passwords.check(password, email=email)
        async with _hashing:
            kept = await asyncio.to_thread(passwords.hash_of, password)
        async with visit.edge.database.transaction() as tx:
            limits = accounts.first_limits(visit.edge.config)
            account = await accounts.create(tx, email, limits=limits)
            await accounts.set_password(tx, account.id, kept)
            token, _ = await sessions.open_for(
                tx, account.id, ip=visit.ip, agent=visit.request.headers.get("user-agent")
            )
    except errors.BadParameter as refused:
        return visit.page("register.html", status=422, email=email, problem=refused)
    response = visit.go("/", "Welcome to Darkroom.")
    browsers.keep(response, visit.request, token)
    return response


async def show_login(visit: Visit) -> Response:
    """The form of a sign-in."""
    wanted = visit.request.query_params.get("next", "")
    if visit.visitor is not None:
        return visit.go(_inside(wanted))
    return visit.page("login.html", email="", wanted=wanted, problem=None)


async def log_in(visit: Visit) -> Response:
    """Let in who knows the password of an account; nobody learns which accounts there are."""
    fields = await visit.fields()
    email, wanted = fields.get("email", "").strip(), fields.get("next", "")
    async with visit.edge.database.statement() as tx:
        found = await accounts.sign_in(tx, email)
    kept = found.password_hash if found else None
    async with _hashing:
        fits = await asyncio.to_thread(passwords.fits, kept, fields.get("password", ""))
    if found is None or not fits:
        refused = errors.BadParameter("The e-mail address or the password is wrong.")
        return visit.page("login.html", status=422, email=email, wanted=wanted, problem=refused)
    async with visit.edge.database.transaction() as tx:
        token, _ = await sessions.open_for(
            tx, found.id, ip=visit.ip, agent=visit.request.headers.get("user-agent")
        )
    response = visit.go(_inside(wanted))
    browsers.keep(response, visit.request, token)
    return response


async def log_out(visit: Visit) -> Response:
    """End this session."""
    if visit.visitor is not None:
        async with visit.edge.database.statement() as tx:
            await sessions.close(tx, visit.account_id, visit.signed_in.session_id)
    return visit.go("/login", "You are logged out.")


def _inside(wanted: str) -> str:
    """Where to go after a sign-in: a path of this server, and never of another one."""
    is_ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return wanted if is_ours and "\\" not in wanted else "/"


PAGES = (
    Page("GET", "/register", show_register, "anyone"),
    Page("POST", "/register", register, "anyone"),
    Page("GET", "/login", show_login, "anyone"),
    Page("POST", "/login", log_in, "anyone"),
    Page("POST", "/logout", log_out, "anyone"),
)
