"""One call: the request, who makes it, and the parts of the server that answering may take."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from darkroom import errors
from darkroom.api import groups, trace
from darkroom.api.limiter import Limiter
from darkroom.api.moderate import Moderator
from darkroom.api.principal import Principal, Principals
from darkroom.api.problems import Wording
from darkroom.api.recorder import Recorder
from darkroom.api.together import Together
from darkroom.authority import Authority
from darkroom.config import Config, InForce
from darkroom.domain import tasks
from darkroom.domain.catalogue import Catalogue
from darkroom.domain.packages import Package
from darkroom.outbound import Outbound
from darkroom.storage.database import Database
from darkroom.storage.files import Files

if TYPE_CHECKING:
    # Their libraries are loaded where they are set: most servers need neither.
    from darkroom.identity import Issuer
    from darkroom.stripe_checkout import StripeCheckout

_HOST = re.compile(r"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")


class Edge(msgspec.Struct, frozen=True):
    """The parts of one server process that its routes use."""

    config: Config
    # The same with their sources, for the eyes of an operator.
    settings: Sequence[InForce]
    database: Database
    submits: Together[groups.Wanted, tasks.Outcome]
    statuses: groups.Statuses
    files: Files
    catalogue: Catalogue
    packages: Sequence[Package]
    stripe: StripeCheckout | None
    moderator: Moderator
    outbound: Outbound
    principals: Principals
    limiter: Limiter
    recorder: Recorder
    # With whom people may sign in, if one is set.
    issuer: Issuer | None
    # The operator's certificate for what is made, if one is set.
    authority: Authority | None
    # The process was asked to end: it still takes requests, but no more should be sent here.
    leaving: asyncio.Event
    # Answers that wait for tasks: so many more may be kept open, and all end with the stop.
    streams: asyncio.Semaphore
    stop: asyncio.Event


class Call(msgspec.Struct, frozen=True):
    """One request being answered."""

    request: Request
    edge: Edge
    trace: trace.Trace
    caller: Principal | None

    @property
    def principal(self) -> Principal:
        """Who calls; only routes that need a key may ask."""
        assert self.caller is not None, "this route does not need a key"
        return self.caller

    @property
    def base_url(self) -> str:
        """The address under which this caller reaches the server, without a slash at the end."""
        return base_url(self.request, self.edge.config)


def base_url(request: Request, settings: Config) -> str:
    """The address under which whoever made this request reaches the server."""
    if public := settings.public_url:
        return public.rstrip("/")
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        return own_url(request, settings)
    return f"{request.scope['scheme']}://{host}"


def own_url(request: Request, settings: Config) -> str:
    """The address of this server, of which nothing comes from whoever made this request."""
    if public := settings.public_url:
        return public.rstrip("/")
    address, port = request.scope["server"]
    host = f"[{address}]" if ":" in address else address
    return f"{request.scope['scheme']}://{host}:{port}"


Answer = Response | Any
OURS = Wording()


class Route(msgspec.Struct, frozen=True):
    """One line of the route table; routing, documents and checks all follow from it."""

    method: str
    path: str
    handler: Callable[[Call], Awaitable[Answer]]
    summary: str
    errors: Sequence[type[errors.Refusal]] = ()
    body: type[msgspec.Struct] | None = None
    needs_key: bool = True
    # How it says refusals: the same for every method of a path.
    wording: Wording = OURS
