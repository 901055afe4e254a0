"""One call: the request, who makes it, and the parts of the server that answering may take."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from darkroom import errors
from darkroom.api import groups, trace
from darkroom.api.moderate import Moderator
from darkroom.api.principal import Principal, Principals
from darkroom.api.recorder import Recorder
from darkroom.api.together import Together
from darkroom.config import Config
from darkroom.domain.catalogue import Catalogue
from darkroom.outbound import Outbound
from darkroom.storage.database import Database
from darkroom.storage.files import Files


@dataclass(frozen=True, slots=True)
class Edge:
    """The parts of one server process that its routes use."""

    config: Config
    database: Database
    submits: Together[groups.Wanted, groups.Outcome]
    statuses: groups.Statuses
    files: Files
    catalogue: Catalogue
    moderator: Moderator
    outbound: Outbound
    principals: Principals
    recorder: Recorder


@dataclass(frozen=True, slots=True)
class Call:
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
        public = self.edge.config.public_url
        return (public or str(self.request.base_url)).rstrip("/")


Answer = Response | Any


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the route table; routing, documents and checks all follow from it."""

    method: str
    path: str
    handler: Callable[[Call], Awaitable[Answer]]
    summary: str
    errors: Sequence[type[errors.Refusal]] = ()
    body: type[msgspec.Struct] | None = None
    needs_key: bool = True
