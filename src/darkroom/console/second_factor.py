"""The second factor: set up with a picture for the app, confirmed by a code, and turned off."""

from __future__ import annotations

import segno
from markupsafe import Markup
from starlette.responses import Response

from darkroom import errors
from darkroom.console import entering, settings
from darkroom.console.visit import Page, Visit
from darkroom.domain import second_factors, throttles
from darkroom.domain.second_factors import SecondFactor

_PATH = "/settings/second-factor"


async def begin(visit: Visit) -> Response:
    """Make a secret, which is in force once a code of it is given."""
    try:
        await entering.prove(visit, "factor_password")
    except errors.BadParameter as refused:
        return await settings.page(visit, problem=refused)
    async with visit.edge.database.statement() as tx:
        await second_factors.begin(tx, visit.account_id)
    return visit.go(_PATH)


async def show(visit: Visit) -> Response:
    """The secret, as a picture and as text, until it is confirmed."""
    return await _setup(visit)


async def confirm(visit: Visit) -> Response:
    """Put the second factor in force, and show the recovery codes this one time."""
    code = (await visit.fields()).get("code", "")
    await entering.throttle(visit, (throttles.CODE, visit.account_id))
    try:
        async with visit.edge.database.transaction() as tx:
            codes = await second_factors.confirm(tx, visit.account_id, code)
    except errors.BadParameter as refused:
        return await _setup(visit, status=422, problem=refused)
    return visit.page("recovery_codes.html", codes=codes)


async def remove(visit: Visit) -> Response:
    """Turn it off, for who knows the password; without one, for who has a code."""
    try:
        owner = await entering.prove(visit, "factor_password")
        async with visit.edge.database.transaction() as tx:
            if owner.password_hash is None:
                code = (await visit.fields()).get("factor_code", "")
                await second_factors.use(tx, owner.id, code)
            await second_factors.remove(tx, owner.id)
    except errors.BadParameter as refused:
        return await settings.page(visit, problem=refused)
    return visit.go("/settings#second-factor", "The second factor is off.")


async def _setup(
    visit: Visit, *, status: int = 200, problem: errors.Refusal | None = None
) -> Response:
    async with visit.edge.database.statement() as tx:
        factor = await second_factors.get(tx, visit.account_id)
    if factor is None or factor.confirmed_at is not None:
        return visit.go("/settings#second-factor")
    return visit.page(
        "second_factor.html",
        status=status,
        problem=problem,
        picture=_picture(visit, factor),
        secret=" ".join(
            factor.secret[at : at + 4].lower() for at in range(0, len(factor.secret), 4)
        ),
    )


def _picture(visit: Visit, factor: SecondFactor) -> Markup:
    """The app's address as an SVG: black on white in every theme, without a style of its own."""
    server = visit.base_url.partition("://")[2]
    address = second_factors.address_of(
        factor, email=visit.signed_in.email, server=f"Darkroom ({server})"
    )
    svg = segno.make(address, error="m", micro=False).svg_inline(
        scale=1, border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None
    )
    return Markup(svg)  # noqa: S704 - drawn here, of black and white squares


PAGES = (
    Page("POST", f"{_PATH}/begin", begin),
    Page("GET", _PATH, show),
    Page("POST", f"{_PATH}/confirm", confirm),
    Page("POST", f"{_PATH}/remove", remove),
)
