"""Issuers: signing in with an OpenID Connect issuer, and connecting it to an account."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from darkroom import errors
from darkroom.console import entering, settings
from darkroom.console.visit import Page, Visit
from darkroom.domain import accounts, identities, links, throttles
from darkroom.domain.identities import Person

if TYPE_CHECKING:
    from darkroom.identity import Issuer

_BACK = "/login/issuer/back"


async def leave(visit: Visit) -> Response:
    """Lead the browser to the issuer, to come back signed in."""
    await entering.throttle(visit, (throttles.ISSUER_FROM, visit.ip or ""))
    wanted = (await visit.fields()).get("next", "")
    return await _lead(visit, None, {"next": entering.inside(wanted)})


async def connect(visit: Visit) -> Response:
    """Lead the browser to the issuer, to bind whom it vouches for to this account."""
    try:
        await entering.prove(visit, "issuer_password")
    except errors.BadParameter as refused:
        return await settings.page(visit, refused)
    return await _lead(visit, visit.account_id, {})


async def disconnect(visit: Visit) -> Response:
    """Let the issuer open this account no more."""
    address = (await visit.fields()).get("issuer", "")
    try:
        await entering.prove(visit, "issuer_password")
        async with visit.edge.database.transaction() as tx:
            await identities.unbind(tx, visit.account_id, address)
    except errors.BadParameter as refused:
        return await settings.page(visit, refused)
    return visit.go("/settings", "It is disconnected.")


async def come_back(visit: Visit) -> Response:
    """Let in, or bind, whom the issuer vouches for; only the browser that left may come back."""
    asked = visit.request.query_params
    async with visit.edge.database.statement() as tx:
        left = await links.take(tx, asked.get("state", ""), "issuer", browser_token=visit.token)
    if left is None or left.data is None:
        raise errors.LinkUsedUp("That sign-in took too long or was used already. Begin again.")
    if "code" not in asked:
        return visit.go("/settings" if left.account_id else "/login", "Nothing was signed in.")
    claims = await _issuer(visit).claims(
        asked["code"],
        nonce=left.data["nonce"],
        verifier=left.data["verifier"],
        back=left.data["back"],
        at_seconds=left.at_seconds,
    )
    person = Person(claims.issuer, claims.subject, claims.email, claims.is_email_verified)
    if left.account_id is not None:
        return await _bind(visit, left.account_id, person)
    config = visit.edge.config
    async with visit.edge.database.transaction() as tx:
        limits = accounts.first_limits(config)
        account_id = await identities.admit(tx, person, sign_up=config.sign_up, limits=limits)
        return await entering.enter(visit, tx, account_id, left.data["next"])


async def _bind(visit: Visit, account_id: str, person: Person) -> Response:
    # The session may have ended meanwhile, or be another account's.
    if visit.visitor is None or visit.account_id != account_id:
        raise errors.LinkUsedUp("You are not signed in any more. Log in and connect it again.")
    async with visit.edge.database.transaction() as tx:
        await identities.bind(tx, account_id, person)
    return visit.go("/settings", f"You can log in with {visit.edge.config.oidc_name} now.")


async def _lead(visit: Visit, account_id: str | None, data: dict[str, Any]) -> Response:
    issuer = _issuer(visit)
    nonce, verifier, back = _fresh(), _fresh(), visit.base_url + _BACK
    async with visit.edge.database.statement() as tx:
        state = await links.make(
            tx,
            "issuer",
            account_id=account_id,
            browser_token=visit.token,
            data={"nonce": nonce, "verifier": verifier, "back": back, **data},
        )
    address = await issuer.address_for(state, nonce, verifier, back)
    name = visit.edge.config.oidc_name
    response = visit.page("leading.html", address=address, name=name)
    # Not a redirect: the policy of the page that sent the form keeps forms on this server.
    response.headers["Refresh"] = f"0; url={address}"
    return response


def _fresh() -> str:
    """A text that nobody can guess, as nonce and verifier are."""
    return secrets.token_urlsafe(48)


def _issuer(visit: Visit) -> Issuer:
    if visit.edge.issuer is None:
        raise errors.PageNotFound
    return visit.edge.issuer


PAGES = (
    Page("POST", "/login/issuer", leave, "anyone"),
    Page("GET", _BACK, come_back, "anyone"),
    Page("POST", "/settings/issuer/connect", connect),
    Page("POST", "/settings/issuer/disconnect", disconnect),
)
