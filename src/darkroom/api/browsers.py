"""Browsers: known by a cookie, and believed only when a page of ours made them send something."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from darkroom import config, errors
from darkroom.domain import sessions

FORM_HEADER = "X-CSRF-Token"
FORM_FIELD = "csrf"
_COOKIE = "darkroom"
_DAY_SECONDS = 86_400
_SAFE = ("GET", "HEAD")


def token_of(request: Request) -> str | None:
    """The token that this browser holds, of a session or of nobody yet."""
    return request.cookies.get(_name(request)) or None


def keep(response: Response, request: Request, token: str) -> None:
    """Have the browser hold a token."""
    response.set_cookie(
        _name(request),
        token,
        max_age=config.SESSION_DAYS * _DAY_SECONDS,
        httponly=True,
        secure=_is_secure(request),
        # A sign-in or a payment elsewhere leads back here by a link, which has to find it.
        samesite="lax",
    )


def check_origin(request: Request, token: str | None, sent: str | None) -> None:
    """Refuse what another site made the browser send; raises `ForeignForm`.

    `sent` is the form token that the request carries. After OWASP's Cross-Site Request Forgery
    Prevention: a token bound to the cookie, and the browser's own word in Sec-Fetch-Site.
    """
    if request.method in _SAFE:
        return
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise errors.ForeignForm
    if token is None or sent is None or not sessions.is_form_token(token, sent):
        raise errors.ForeignForm


def _is_secure(request: Request) -> bool:
    return bool(request.scope["scheme"] == "https")


def _name(request: Request) -> str:
    # The prefix keeps other hosts of the domain from setting it (RFC 6265bis, 4.1.3.2).
    return f"__Host-{_COOKIE}" if _is_secure(request) else _COOKIE
