"""Signing in: register, log in, log out."""

from __future__ import annotations

from starlette.responses import Response

from darkroom import errors
from darkroom.console import entering
from darkroom.console.visit import Page, Visit
from darkroom.domain import accounts, letters, links, passwords, sessions, throttles
from darkroom.storage.database import Transaction


async def show_register(visit: Visit) -> Response:
    """The form of a new account."""
    return visit.go("/") if visit.visitor else _register_form(visit)


async def register(visit: Visit) -> Response:
    """Make an account and sign it in, or first send a letter to its address."""
    settings = visit.edge.config
    if settings.sign_up != "open":
        raise errors.SignUpClosed
    fields = await visit.fields()
    email = fields.get("email", "").strip()
    await entering.throttle(visit, (throttles.REGISTER_FROM, visit.ip or ""))
    try:
        accounts.check_email(email)
        if settings.smtp_url is not None:
            return await _register_by_letter(visit, email)
        return await _register_at_once(visit, email, fields.get("password", ""))
    except errors.BadParameter as refused:
        return _register_form(visit, status=422, email=email, problem=refused)


async def _register_by_letter(visit: Visit, email: str) -> Response:
    """Only the letter tells whether there is an account, and only its reader may make one."""
    await entering.throttle(visit, (throttles.LETTER_TO, email))
    async with visit.edge.database.transaction() as tx:
        if await accounts.find(tx, email) is None:
            token = await links.make(tx, "register", email=email)
            await write(visit, tx, "register", email, token=token)
        else:
            await write(visit, tx, "taken", email)
    return visit.page("look.html", email=email, what="a link that completes your account")


async def _register_at_once(visit: Visit, email: str, password: str) -> Response:
    """Without a mail server nobody can prove an address, but the operator can pass the link on."""
    passwords.check(password, email=email)
    kept = await entering.hash_of(password)
    async with visit.edge.database.transaction() as tx:
        limits = accounts.first_limits(visit.edge.config)
        account = await accounts.create(tx, email, limits=limits)
        await accounts.set_password(tx, account.id, kept)
        token = await links.make(tx, "verify", account_id=account.id, email=email)
        await write(visit, tx, "verify", email, account_id=account.id, token=token)
        return await entering.enter(visit, tx, account.id, "/", "Welcome to Darkroom.")


async def write(
    visit: Visit,
    tx: Transaction,
    kind: letters.Kind,
    email: str,
    *,
    account_id: str | None = None,
    token: str | None = None,
) -> None:
    """Write a letter in this server's name."""
    await letters.write(tx, kind, email, address=visit.own_url, account_id=account_id, token=token)


async def show_login(visit: Visit) -> Response:
    """The form of a sign-in."""
    wanted = visit.request.query_params.get("next", "")
    if visit.visitor is not None:
        return visit.go(entering.inside(wanted))
    return _login_form(visit, wanted=wanted)


async def log_in(visit: Visit) -> Response:
    """Let in who knows the password of an account; nobody learns which accounts there are."""
    fields = await visit.fields()
    email, wanted = fields.get("email", "").strip(), fields.get("next", "")
    ip = visit.ip or ""
    async with visit.edge.database.statement() as tx:
        found = await accounts.sign_in(tx, email, ip=visit.ip)
    tries = [(throttles.LOG_IN, f"{email} {ip}"), (throttles.LOG_IN_FROM, ip)]
    if found is None or not found.is_known_here:
        tries.append((throttles.LOG_IN_TO, email))
    try:
        await entering.throttle(visit, *tries)
        kept = found.password_hash if found else None
        if not await entering.fits(kept, fields.get("password", "")) or found is None:
            raise errors.BadParameter("The e-mail address or the password is wrong.")
    except errors.BadParameter as refused:
        return _login_form(visit, status=422, email=email, wanted=wanted, problem=refused)
    async with visit.edge.database.transaction() as tx:
        return await entering.enter(visit, tx, found.id, wanted)


async def log_out(visit: Visit) -> Response:
    """End this session."""
    if visit.visitor is not None:
        async with visit.edge.database.statement() as tx:
            await sessions.close(tx, visit.account_id, visit.signed_in.session_id)
    return visit.go("/login", "You are logged out.")


def _register_form(
    visit: Visit,
    *,
    status: int = 200,
    email: str = "",
    problem: errors.Refusal | None = None,
) -> Response:
    return visit.page(
        "register.html",
        status=status,
        email=email,
        problem=problem,
        by_letter=visit.edge.config.smtp_url is not None,
        issuer=_issuer(visit),
    )


def _login_form(
    visit: Visit,
    *,
    status: int = 200,
    email: str = "",
    wanted: str = "",
    problem: errors.Refusal | None = None,
) -> Response:
    return visit.page(
        "login.html",
        status=status,
        email=email,
        wanted=wanted,
        problem=problem,
        issuer=_issuer(visit),
    )


def _issuer(visit: Visit) -> str | None:
    return visit.edge.config.oidc_name if visit.edge.issuer is not None else None


PAGES = (
    Page("GET", "/register", show_register, "anyone"),
    Page("POST", "/register", register, "anyone"),
    Page("GET", "/login", show_login, "anyone"),
    Page("POST", "/login", log_in, "anyone"),
    Page("POST", "/login/code", entering.take_code, "anyone"),
    Page("POST", "/logout", log_out, "anyone"),
)
