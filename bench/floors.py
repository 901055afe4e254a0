"""Floors: the least that the same stack does for the same bytes, and one commit of one row."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import psycopg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import cores
from darkroom.domain.kinds.image import TextToImage

SUBMIT, FINISHED, RUNNING = "/submit", "/finished", "/running"


class _Given(msgspec.Struct, frozen=True):
    keys: list[str]
    answers: dict[str, Any]


@contextlib.contextmanager
def echo(keys: Sequence[str], answers: dict[str, Any]) -> Iterator[str]:
    """The address of a server that answers by path what a real one answered, encoded each time.

    It checks the key by its hash and decodes and validates the body of a POST, and nothing else.
    """
    process = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=cores.pin(cores.SERVER),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        process.stdin.write(msgspec.json.encode(_Given([*keys], answers)) + b"\n")
        process.stdin.flush()
        try:
            yield process.stdout.readline().decode().strip()
        finally:
            process.terminate()


class Commit:
    """One PostgreSQL round trip that commits a row, over a connection of its own."""

    def __init__(self, conninfo: str) -> None:
        self._connection = psycopg.connect(conninfo, autocommit=True)
        self._connection.execute("CREATE TABLE bench_floor (at timestamptz, note text)")
        for _ in range(10):
            self.seconds()  # psycopg prepares a statement at its fifth use

    def seconds(self) -> float:
        """How long one takes."""
        began = time.perf_counter()
        self._connection.execute("INSERT INTO bench_floor VALUES (now(), %s)", ("a row",))
        return time.perf_counter() - began

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _app(given: _Given) -> Starlette:
    known = {hashlib.sha256(key.encode()).digest() for key in given.keys}
    body = msgspec.json.Decoder(TextToImage)
    encode = msgspec.json.Encoder().encode

    def is_known(request: Request) -> bool:
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        return hashlib.sha256(key.encode()).digest() in known

    def route(path: str, answer: Any, method: str) -> Route:
        async def reply(request: Request) -> Response:
            if not is_known(request):
                return Response(status_code=401)
            if method == "POST":
                body.decode(await request.body())
            return Response(encode(answer), media_type="application/json")

        return Route(path, reply, methods=[method])

    methods = {SUBMIT: "POST"}
    return Starlette(
        routes=[
            route(path, answer, methods.get(path, "GET")) for path, answer in given.answers.items()
        ]
    )


def main() -> None:
    """Serve what standard input describes on a free port, and print the address."""
    given = msgspec.json.decode(sys.stdin.buffer.readline(), type=_Given)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1024)
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        settings = uvicorn.Config(
            _app(given), lifespan="off", log_config=None, access_log=False, server_header=False,
            loop="uvloop", http="httptools",
        )  # fmt: skip
        uvicorn.Server(settings).run(sockets=[listening])


if __name__ == "__main__":
    main()
