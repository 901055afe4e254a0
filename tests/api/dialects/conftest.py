"""A server behind TLS that may call back to loopback, and somebody there who listens."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ground import Ground, Server, fresh_database, serve
from receivers import certify
from tls_front import Front


class Listener(ThreadingHTTPServer):
    """Keeps what is posted to it: headers, decoded body, and the body."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Post)
        self.heard: list[tuple[dict[str, str], Any, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Post(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.heard.append((headers, json.loads(body), body.decode()))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A receiver of webhooks on loopback."""
    with Listener() as one:
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield one
        one.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def localhost_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost, with its key, in one file."""
    return certify(tmp_path_factory.mktemp("localhost"), "localhost")


@pytest.fixture(scope="module")
def fronted(
    postgres: str,
    template: str,
    localhost_certificate: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """A real server whose own address is that of TLS in front of it; `url` is its plain one."""
    databases = fresh_database(postgres, template)
    ground, front = Ground(next(databases)), Front(localhost_certificate)
    with front.serving():
        served = serve(
            ground.conninfo,
            tmp_path_factory.mktemp("fronted"),
            workers="1",
            public_url=f"https://{front.host}",
            outbound_allow="127.0.0.1",
        )
        front.behind = int(served.url.rpartition(":")[2])
        account = ground.account()
        yield Server(
            f"https://{front.host}", ground.key(account.id), account.id, ground, served.log.parent
        )
        served.stop()
    assert ground.audit() == []
    next(databases, None)
