"""One visit: a request for a page, who makes it, and the ways to answer it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal
from urllib.parse import quote, unquote

import jinja2
import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from darkroom import errors
from darkroom.api import browsers
from darkroom.api.call import Edge, base_url, own_url
from darkroom.api.trace import Trace
from darkroom.domain import sessions

_SAID_COOKIE = "darkroom_said"
_SAID_SECONDS = 30
_FIELDS_MAX = 200
_THEMES = ("light", "dark")


class Visit(msgspec.Struct):
    """One request for a page; `visitor` is None when nobody is signed in."""

    request: Request
    edge: Edge
    trace: Trace
    templates: jinja2.Environment
    # What the browser holds, or will hold from this answer on.
    token: str
    visitor: sessions.Visitor | None
    _fields: dict[str, str] | None = None

    @property
    def account_id(self) -> str:
        """Who is signed in; only pages that need it may ask."""
        return self.signed_in.account_id

    @property
    def signed_in(self) -> sessions.Visitor:
        """Who is signed in; only pages that need it may ask."""
        assert self.visitor is not None, "this page does not need a sign-in"
        return self.visitor

    @property
    def ip(self) -> str | None:
        """Where the request came from."""
        return self.request.client.host if self.request.client else None

    @property
    def base_url(self) -> str:
        """The address under which this reader reaches the server, without a slash at the end."""
        return base_url(self.request, self.edge.config)

    @property
    def own_url(self) -> str:
        """The address of this server for letters: no request can make it lead elsewhere."""
        return own_url(self.request, self.edge.config)

    @property
    def is_htmx(self) -> bool:
        """Whether a part of a page is asked for, not a whole one."""
        return "hx-request" in self.request.headers

    async def fields(self) -> dict[str, str]:
        """The fields of the form that was sent; of a field that came twice, the last."""
        if self._fields is None:
            form = await self.request.form(max_fields=_FIELDS_MAX, max_files=0)
            texts = {name: value for name, value in form.items() if isinstance(value, str)}
            if any("\x00" in value for value in texts.values()):
                raise errors.BadParameter("A text holds a NUL, which cannot be kept.")
            self._fields = texts
        return self._fields

    async def choices(self, name: str) -> list[str]:
        """Every value of a field that may come more than once."""
        await self.fields()
        form = await self.request.form()
        return [value for value in form.getlist(name) if isinstance(value, str)]

    def page(self, template: str, *, status: int = 200, **context: Any) -> Response:
        """A whole page."""
        response = self.fragment(template, status=status, **context)
        if _SAID_COOKIE in self.request.cookies:
            response.delete_cookie(_SAID_COOKIE)
        return response

    def fragment(self, template: str, *, status: int = 200, **context: Any) -> Response:
        """A part of a page, to be put into one that is shown."""
        text = self.templates.get_template(template).render(self._known() | context)
        response = HTMLResponse(text, status)
        if browsers.token_of(self.request) != self.token:
            browsers.keep(response, self.request, self.token)
        return response

    def go(self, path: str, said: str | None = None) -> Response:
        """Lead on to another page, which says something once."""
        response = RedirectResponse(path, 303)
        if said is not None:
            response.set_cookie(
                _SAID_COOKIE,
                quote(said),
                max_age=_SAID_SECONDS,
                httponly=True,
                secure=self.request.scope["scheme"] == "https",
                samesite="lax",
            )
        return response

    def _known(self) -> dict[str, Any]:
        """What every template knows."""
        cookies = self.request.cookies
        form_token = sessions.form_token(self.token)
        theme = cookies.get("theme", "")
        return {
            "visit": self,
            "visitor": self.visitor,
            "path": self.request.scope["path"],
            "said": unquote(cookies.get(_SAID_COOKIE, "")),
            "theme": theme if theme in _THEMES else "",
            "sandbox": self.edge.config.sandbox,
            "is_open": self.edge.config.sign_up == "open",
            "form_token": form_token,
            "csrf": Markup('<input type="hidden" name="{}" value="{}">').format(
                browsers.FORM_FIELD, form_token
            ),
        }


class Page(msgspec.Struct, frozen=True):
    """One line of the page table; `who` may see it.

    A `foreign` page takes what others send: no cookie is asked for, and no form token.
    """

    method: str
    path: str
    handler: Callable[[Visit], Awaitable[Response]]
    who: Literal["anyone", "account", "admin"] = "account"
    is_foreign: bool = False
