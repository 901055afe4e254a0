"""The route table, and the ASGI application made from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from darkroom import errors
from darkroom.api import openapi, problems, trace, wire
from darkroom.api.call import OURS, Call, Edge, Route
from darkroom.api.dialects import fal, openai, replicate
from darkroom.api.middleware import Recorded
from darkroom.api.paths import Paths
from darkroom.api.routes import (
    balance,
    cancel,
    chat,
    deletion,
    effects,
    events,
    files,
    generation,
    health,
    history,
    listening,
    models,
    payments,
    podcast,
    previews,
    provenance,
    registries,
    status,
    uploads,
    usage,
    webhooks,
)

_ROUTES: tuple[Route, ...] = (
    *generation.ROUTES,
    *status.ROUTES,
    *events.ROUTES,
    *previews.ROUTES,
    *cancel.ROUTES,
    *deletion.ROUTES,
    *effects.ROUTES,
    *uploads.ROUTES,
    *provenance.ROUTES,
    *balance.ROUTES,
    *podcast.ROUTES,
    *models.ROUTES,
    *registries.ROUTES,
    *chat.ROUTES,
    *history.ROUTES,
    *usage.ROUTES,
    *webhooks.ROUTES,
    *listening.ROUTES,
    *payments.ROUTES,
    *files.ROUTES,
    *health.ROUTES,
    *openai.ROUTES,
    *fal.ROUTES,
    *replicate.ROUTES,
)
ROUTES: tuple[Route, ...] = (*_ROUTES, openapi.route(_ROUTES))
# Some clients of the wire put this before the paths of generation and of the registries.
MIRROR = "/growthai"
_MIRRORED = ("/v1/generation/", "/v1/video/", "/v1/image/")


class Pages(Protocol):
    """What people see at this server; it stands behind the API."""

    def takes(self, scope: Scope) -> bool:
        """Whether this request is for a page."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


def create(edge: Edge, pages: Pages | None = None) -> ASGIApp:
    """The application over the parts of one server process, with its pages behind the API."""
    by_path: dict[str, dict[str, Route]] = {}
    for route in ROUTES:
        by_path.setdefault(route.path, {})[route.method] = route
    for path in [path for path in by_path if path.startswith(_MIRRORED)]:
        by_path[MIRROR + path] = by_path[path]
    endpoints = {path: _Endpoint(edge, methods) for path, methods in by_path.items()}
    router = _Router(endpoints, _Endpoint(edge, {}), pages)
    return Recorded(router, edge.recorder, edge.config.wire)


class _Router:
    """Finds the endpoint of a path; what is none of them may be a page."""

    def __init__(
        self, endpoints: Mapping[str, _Endpoint], otherwise: _Endpoint, pages: Pages | None
    ) -> None:
        self._endpoints = Paths(endpoints)
        self._otherwise = otherwise
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint, parameters = self._endpoints.find(scope["path"])
        scope["path_params"] = parameters
        answers: ASGIApp = endpoint or self._otherwise
        # The one address that both have: what it is to a program, and to a person.
        is_open = endpoint is None or scope["path"] == "/"
        if is_open and self._pages is not None and self._pages.takes(scope):
            answers = self._pages
        await answers(scope, receive, send)


class _Endpoint:
    """One path: picks the method's route, finds the caller, answers."""

    def __init__(self, edge: Edge, methods: Mapping[str, Route]) -> None:
        self._edge = edge
        self._methods = methods
        self._say = next((one.wording for one in methods.values()), OURS).say

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = trace.of(scope)
        response = await problems.answer(
            self._answer(Request(scope, receive), seen), seen, self._say
        )
        if seen.limits:
            response.headers.update(self._edge.limiter.told(seen.limits))
        await response(scope, receive, send)

    async def _answer(self, request: Request, seen: trace.Trace) -> Response:
        route = self._route(request)
        caller = None
        if route.needs_key:
            caller = await self._edge.principals.find(request)
            seen.wire, seen.account_id = caller.wire, caller.account_id
            seen.api_key_id = caller.api_key_id
            if caller.limits:
                seen.limits = caller.limits
                await self._edge.limiter.admit(caller.limits)
        answer = await route.handler(Call(request, self._edge, seen, caller))
        return answer if isinstance(answer, Response) else wire.success(answer, seen.request_id)

    def _route(self, request: Request) -> Route:
        method = "GET" if request.method == "HEAD" else request.method
        path = request.scope["path"]
        if not self._methods or "\x00" in path:
            raise errors.RouteNotFound(
                f"No such address: {request.method} {path[:200]}. "
                "GET /openapi.json lists every route."
            )
        if method not in self._methods:
            raise errors.MethodNotAllowed(
                f"{path[:200]} takes {' or '.join(self._methods)}, not {request.method}.",
                allow=tuple(self._methods),
            )
        return self._methods[method]
