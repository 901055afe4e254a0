"""`serve`: the API, the console and the engine in one long-running process."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import click
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from darkroom import config, errors
from darkroom.api import app, groups
from darkroom.api.call import Edge
from darkroom.api.limiter import Limiter
from darkroom.api.moderate import Endpoint, Moderator
from darkroom.api.principal import Principals
from darkroom.api.recorder import Recorder
from darkroom.cli import house, lazy
from darkroom.cli.house import House
from darkroom.cli.processes import DATA, DATABASE_URL, WORKERS
from darkroom.config import Config
from darkroom.console.app import Console
from darkroom.engine import loop
from darkroom.engine.daemon import Daemon
from darkroom.engine.worker import Worker
from darkroom.outbound import Outbound

if TYPE_CHECKING:
    from darkroom.identity import Issuer

_log = logging.getLogger(__name__)
_BACKLOG = 1024
_ANSWER_SECONDS_MAX = 10
# Longer than proxies keep an idle connection, mostly a minute: if the server were the first to
# close it, it could do so under a request that is already on its way.
_KEEP_ALIVE_SECONDS = 75


@click.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on; 0: any free one.")
@DATA
@DATABASE_URL
@WORKERS
def serve(**flags: Any) -> None:
    """Serve the API, run tasks and keep the house, all in one process."""
    settings = config.load(flags, os.environ)
    house.run(_serve(settings, config.in_force(flags, os.environ)), settings)


def _issuer(settings: Config) -> AbstractAsyncContextManager[Issuer | None]:
    """The issuer that the settings name; its libraries are loaded only for one."""
    if settings.oidc_issuer is None or settings.oidc_client_id is None:
        return contextlib.nullcontext()
    found: Issuer = lazy.load("darkroom.identity:Issuer")(
        settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret
    )
    return found


async def _serve(settings: Config, told: Sequence[config.InForce]) -> None:
    # Listening comes first: a port that is taken must be told at once.
    with _listening(settings) as listening:
        authority = house.read_authority(settings)
        async with (
            house.opened(settings) as home,
            _moderator(settings) as moderator,
            _issuer(settings) as issuer,
        ):
            house.check_models(settings, home.catalogue)
            worker = None
            if settings.workers_count:
                worker = Worker(home.database, home.files, home.catalogue, settings, authority)
            edge = Edge(
                config=settings,
                settings=told,
                database=home.database,
                submits=groups.submits(home.database, worker.ride if worker else groups.alone),
                statuses=groups.Statuses(home.database),
                files=home.files,
                catalogue=home.catalogue,
                packages=house.read_packages(settings),
                stripe=home.stripe,
                moderator=moderator,
                outbound=Outbound(settings.outbound_allow, webhook_http=settings.webhook_http),
                principals=Principals(home.database),
                limiter=Limiter(home.database),
                recorder=Recorder(home.database),
                issuer=issuer,
                authority=authority,
                leaving=home.stop,
                streams=asyncio.Semaphore(config.EVENT_STREAMS_MAX),
                stop=asyncio.Event(),
            )
            answered = asyncio.Event()
            daemon = Daemon(home.database, home.files, settings, home.stripe)
            async with asyncio.TaskGroup() as group:
                group.create_task(daemon.run(home.stop))
                group.create_task(edge.recorder.run(answered))
                group.create_task(edge.principals.run(answered))
                if worker:
                    group.create_task(worker.run(home.stop))
                await _answer(edge, listening, home)
                answered.set()


async def _answer(edge: Edge, listening: socket.socket, home: House) -> None:
    """Answer requests until the stop and through its notice, and those under way to their end."""
    proxies = edge.config.trusted_proxies
    server = _Server(
        uvicorn.Config(
            _parting(app.create(edge, Console(edge)), home.stop),
            interface="asgi3",
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_ANSWER_SECONDS_MAX,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    host, port = listening.getsockname()[:2]
    host = f"[{host}]" if ":" in host else host
    said = " (sandbox: every model is served by the built-in backends)"
    click.echo(f"Darkroom serves on http://{host}:{port}{said if edge.config.sandbox else ''}")
    if edge.config.test_checkout and edge.stripe is None and not _is_own(host):
        _log.warning(
            "the test checkout is on: whoever has an account here gets credits for nothing. "
            "DARKROOM_TEST_CHECKOUT=false ends that"
        )
    stopping = asyncio.create_task(home.stop.wait())
    await asyncio.wait([stopping, serving], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    home.stop.set()
    # Whoever sends requests here reads on /health/ready that it shall not, and needs time for it.
    await loop.pause(home.hurry, edge.config.notice_seconds)
    edge.stop.set()
    server.should_exit = True
    await serving


def _is_own(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    return ipaddress.ip_address(host.strip("[]").partition("%")[0]).is_loopback


def _parting(answer: ASGIApp, leaving: asyncio.Event) -> ASGIApp:
    """The application, each of whose answers is the last of its connection once it is leaving.

    So no connection is left that could be closed under a request that is on its way.
    """

    async def parting(scope: Scope, receive: Receive, send: Send) -> None:
        async def last(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"connection", b"close"))
            await send(message)

        await answer(scope, receive, last if leaving.is_set() else send)

    return parting


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the house decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the process's signal handlers as they are."""
        yield


@contextlib.contextmanager
def _listening(settings: Config) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((settings.host, settings.port))
        except OSError as exc:
            raise errors.ConfigInvalid(
                f"Cannot listen on {settings.host} port {settings.port}: {exc.strerror}. "
                "Choose another with --port."
            ) from exc
        listening.listen(_BACKLOG)
        yield listening


def _moderator(settings: Config) -> Moderator:
    endpoint = None
    if settings.moderation_url is not None:
        endpoint = Endpoint(
            settings.moderation_url,
            settings.moderation_key,
            settings.moderation_model,
            on_error=settings.moderation_on_error,
        )
    return Moderator(house.read_policy(settings), settings.moderation, endpoint)
