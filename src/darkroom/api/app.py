"""The route table, and the ASGI application made from it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from darkroom import errors
from darkroom.api import openapi, problems, trace, wire
from darkroom.api.call import Call, Edge, Route
from darkroom.api.middleware import Recorded
from darkroom.api.routes import (
    balance,
    cancel,
    events,
    files,
    generation,
    health,
    history,
    listening,
    models,
    payments,
    status,
    uploads,
    webhooks,
)

_ROUTES: tuple[Route, ...] = (
    *generation.ROUTES,
    *status.ROUTES,
    *events.ROUTES,
    *cancel.ROUTES,
    *uploads.ROUTES,
    *balance.ROUTES,
    *models.ROUTES,
    *history.ROUTES,
    *webhooks.ROUTES,
    *listening.ROUTES,
    *payments.ROUTES,
    *files.ROUTES,
    *health.ROUTES,
)
ROUTES: tuple[Route, ...] = (*_ROUTES, openapi.route(_ROUTES))
# Some clients of the wire put this before the generation paths.
MIRROR = "/growthai"
_PARAMETER = re.compile(r"\{(\w+)\}")


def create(edge: Edge) -> ASGIApp:
    """The application over the parts of one server process."""
    by_path: dict[str, dict[str, Route]] = {}
    for route in ROUTES:
        by_path.setdefault(route.path, {})[route.method] = route
    for path in [path for path in by_path if path.startswith("/v1/generation/")]:
        by_path[MIRROR + path] = by_path[path]
    endpoints = {path: _Endpoint(edge, methods) for path, methods in by_path.items()}
    return Recorded(_Router(endpoints, _Endpoint(edge, {})), edge.recorder, edge.config.wire)


class _Router:
    """Finds the endpoint of a path: by the path itself, or by the first pattern that it fits."""

    def __init__(self, endpoints: Mapping[str, _Endpoint], otherwise: _Endpoint) -> None:
        self._exact = endpoints
        self._patterns = [
            (re.compile(_PARAMETER.sub(r"(?P<\1>[^/]+)", path)), endpoint)
            for path, endpoint in endpoints.items()
            if "{" in path
        ]
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        endpoint = self._exact.get(path)
        if endpoint is None or "{" in path:
            endpoint = self._otherwise
            for pattern, candidate in self._patterns:
                if found := pattern.fullmatch(path):
                    scope["path_params"] = found.groupdict()
                    endpoint = candidate
                    break
        await endpoint(scope, receive, send)


class _Endpoint:
    """One path: picks the method's route, finds the caller, answers."""

    def __init__(self, edge: Edge, methods: Mapping[str, Route]) -> None:
        self._edge = edge
        self._methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = trace.of(scope)
        response = await problems.answer(self._answer(Request(scope, receive), seen), seen)
        if seen.limits:
            response.headers.update(self._edge.limiter.told(seen.limits))
        await response(scope, receive, send)

    async def _answer(self, request: Request, seen: trace.Trace) -> Response:
        route = self._route(request)
        caller = None
        if route.needs_key:
            caller = await self._edge.principals.find(request.headers)
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
