"""The page table, and the ASGI application made from it."""

from __future__ import annotations

from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from darkroom import errors
from darkroom.api import browsers, problems, trace
from darkroom.api.call import Edge
from darkroom.api.paths import Paths
from darkroom.api.trace import Trace
from darkroom.console import (
    buying,
    documents,
    following,
    gallery,
    history,
    issuers,
    keys,
    playground,
    previews,
    pricing,
    receipts,
    rendering,
    second_factor,
    settings,
    signing_in,
    statement,
    usage,
    webhooks,
    welcome,
)
from darkroom.console.desk import pages as desk
from darkroom.console.visit import Page, Visit
from darkroom.domain import sessions

PAGES: tuple[Page, ...] = (
    *welcome.PAGES,
    *playground.PAGES,
    *gallery.PAGES,
    *previews.PAGES,
    *signing_in.PAGES,
    *following.PAGES,
    *issuers.PAGES,
    *settings.PAGES,
    *second_factor.PAGES,
    *pricing.PAGES,
    *buying.PAGES,
    *receipts.PAGES,
    *statement.PAGES,
    *keys.PAGES,
    *webhooks.PAGES,
    *history.PAGES,
    *usage.PAGES,
    *documents.PAGES,
    *desk.PAGES,
)
_STATIC = "/static"
_KEPT_FOR_EVER = b"public, max-age=31536000, immutable"
_BODY_BYTES_MAX = 2**20
_OF_THE_API = ("/v1/", "/growthai/")
# `{files}` is where results come from besides here: the bucket, when links to it are handed out.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:{files}; "
    "media-src 'self' blob:{files}; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Console:
    """What people see at this server: pages for accounts, and the operator's desk."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._templates = rendering.environment()
        origin = edge.files.origin
        policy = _POLICY.format(files=f" {origin}" if origin else "")
        self._headers = {"Content-Security-Policy": policy, **_HEADERS}
        files = StaticFiles(packages=[("darkroom.console", "static")])
        self._static = Starlette(routes=[Mount(_STATIC, files)])
        by_path: dict[str, dict[str, Page]] = {}
        for page in PAGES:
            by_path.setdefault(page.path, {})[page.method] = page
        self._pages = Paths(by_path)

    def takes(self, scope: Scope) -> bool:
        """Whether this request is for a page: one of ours, or of a person who took a wrong turn."""
        path = scope["path"]
        if "text/html" in Request(scope).headers.get("accept", ""):
            return not path.startswith(_OF_THE_API)
        is_ours = path.startswith(f"{_STATIC}/") or self._pages.find(path)[0] is not None
        return is_ours and path != "/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(f"{_STATIC}/"):
            await _serve_static(self._static, scope, receive, send)
            return
        seen = trace.of(scope)
        pages, scope["path_params"] = self._pages.find(scope["path"])
        visit = Visit(Request(scope, receive), self._edge, seen, self._templates, "", None)

        def say(problem: errors.Refusal, _: Trace) -> Response:
            return _refused(visit, problem)

        response = await problems.answer(_answer(visit, pages or {}), seen, say)
        for name, value in self._headers.items():
            response.headers.setdefault(name, value)
        await response(scope, receive, send)


async def _answer(visit: Visit, pages: dict[str, Page]) -> Response:
    if (foreign := pages.get(visit.request.method)) and foreign.is_foreign:
        return await foreign.handler(visit)
    # Before the page is looked for: who took a wrong turn stays signed in.
    await _recognize(visit)
    page = _page(visit.request, pages)
    await _check_form(visit)
    visitor = visit.visitor
    if page.who != "anyone" and visitor is None:
        return _to_sign_in(visit)
    if page.who == "admin" and not (visitor and visitor.is_admin):
        raise errors.PageNotFound
    if page.who != "anyone" and visitor and visitor.suspended_at is not None:
        raise errors.AccountSuspended
    return await page.handler(visit)


def _page(request: Request, pages: dict[str, Page]) -> Page:
    method = "GET" if request.method == "HEAD" else request.method
    # A NUL is part of no address, and nothing that the database could compare.
    if not pages or "\x00" in request.scope["path"]:
        raise errors.PageNotFound
    if method not in pages:
        raise errors.MethodNotAllowed(allow=tuple(pages))
    return pages[method]


async def _recognize(visit: Visit) -> None:
    """Find out who is there; a browser that holds nothing yet is given something to hold."""
    token = browsers.token_of(visit.request)
    if token is None:
        visit.token = sessions.make_token()
        return
    visit.token = token
    async with visit.edge.database.statement() as tx:
        visit.visitor = (await sessions.find(tx, [token])).get(token)
    if visit.visitor is not None and visit.visitor.is_due:
        async with visit.edge.database.statement() as tx:
            await sessions.touch(tx, visit.visitor.session_id, ip=visit.ip)


async def _check_form(visit: Visit) -> None:
    request = visit.request
    if request.method in ("GET", "HEAD"):
        return
    if int(request.headers.get("content-length") or _BODY_BYTES_MAX + 1) > _BODY_BYTES_MAX:
        raise errors.BodyTooLarge("The form is larger than this server accepts.")
    sent = request.headers.get(browsers.FORM_HEADER)
    if sent is None:
        sent = (await visit.fields()).get(browsers.FORM_FIELD)
    browsers.check_origin(request, browsers.token_of(request), sent)


def _to_sign_in(visit: Visit) -> Response:
    scope = visit.request.scope
    wanted = scope["path"]
    if scope["query_string"]:
        wanted += f"?{scope['query_string'].decode('latin-1')}"
    asked = f"?next={quote(wanted)}" if visit.request.method == "GET" and wanted != "/" else ""
    if visit.is_htmx:
        return Response(status_code=204, headers={"HX-Redirect": "/login"})
    return RedirectResponse(f"/login{asked}", 303)


def _refused(visit: Visit, problem: errors.Refusal) -> Response:
    """A refusal as a page says it, or as a notice on the page that asked for a part."""
    if not visit.is_htmx:
        response = visit.page("refused.html", status=problem.status, problem=problem)
    else:
        response = visit.fragment("notice.html", status=problem.status, text=problem.message)
        response.headers["HX-Retarget"] = "#notices"
        response.headers["HX-Reswap"] = "beforeend"
    if problem.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(problem.retry_after_seconds)
    return response


async def _serve_static(static: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    async def kept(message: Message) -> None:
        if message["type"] == "http.response.start" and b"v=" in scope["query_string"]:
            message["headers"].append((b"cache-control", _KEPT_FOR_EVER))
        await send(message)

    await static(scope, receive, kept)
