"""Doubles of services that speak their wire over a socket, and tasks that are run against them."""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
from PIL import Image

from darkroom import ids
from darkroom.domain import assets, leases, rates, tasks, upstream_calls
from darkroom.engine.attempt import Attempt, Tools
from darkroom.engine.errand import Errand, Means
from darkroom.engine.marking import Marker
from darkroom.outbound import Outbound
from darkroom.storage.disk import Disk
from ground import wait_until

SEED = 7
ASKED: dict[str, Any] = {"prompt": "a harbour", "width": 1280, "height": 720}
# Faults: the request is served, but its answer is cut off; the answer comes twice.
LOST, TWICE = "lost", "twice"


def png(width: int = 16, height: int = 8) -> bytes:
    """A small picture."""
    written = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(written, "PNG")
    return written.getvalue()


@dataclass(frozen=True)
class Asked:
    """A request that arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, Any]:
        """The parts of a multipart body: texts, and files as their bytes."""
        boundary = re.search(r"boundary=(\S+)", self.headers["content-type"])
        assert boundary is not None
        parts = {}
        for part in self.body.split(b"--" + boundary[1].encode())[1:-1]:
            head, _, content = part.partition(b"\r\n\r\n")
            name = re.search(rb'name="([^"]+)"', head)
            assert name is not None
            content = content.removesuffix(b"\r\n")
            parts[name[1].decode()] = content if b"filename=" in head else content.decode()
        return parts


@dataclass(frozen=True)
class Said:
    """An answer."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Wire:
    """A service on a port of its own; `billed` counts what it would have charged for."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.faults: list[tuple[str, Any]] = []
        self.billed = 0
        self.picture = png()

    def serve(self, asked: Asked) -> Said:
        """The answer to a request."""
        raise NotImplementedError

    def fault(self, pattern: str, *faults: Any) -> None:
        """Answer the next requests like `POST /v1/*` otherwise: `Said`, `LOST` or `TWICE`."""
        self.faults += [(pattern, one) for one in faults]

    def seen(self, pattern: str) -> list[Asked]:
        """The requests that arrived."""
        return [one for one in self.asked if fnmatch.fnmatch(f"{one.method} {one.path}", pattern)]

    @contextlib.contextmanager
    def running(self) -> Iterator[Wire]:
        """Serve until the end of the block."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _answering(self))
        server.daemon_threads = True
        self.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def next_fault(self, asked: Asked) -> Any:
        """The fault that is due for a request, if any."""
        for number, (pattern, fault) in enumerate(self.faults):
            if fnmatch.fnmatch(f"{asked.method} {asked.path}", pattern):
                del self.faults[number]
                return fault
        return None


class Upstream(Wire):
    """A service that a remote of ours asks, with what the remote is told of it.

    `remote` makes the remote; `variable` holds its `key`; `look` is the request that asks how far a
    task is, which costs `cost_micro`; `chosen` is what the catalogue says beside the address.
    """

    remote: ClassVar[Callable[[], Any]]
    variable: ClassVar[str]
    key: ClassVar[str]
    look: ClassVar[str]
    cost_micro: ClassVar[int]
    chosen: ClassVar[dict[str, Any]]
    # How many looks find a task waiting.
    waits: int

    def options(self, **more: Any) -> dict[str, Any]:
        """The options of the model."""
        return {"address": self.address} | self.chosen | more

    def looked_for(self) -> tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]:
        """A task that is looked for until it is done: kind, options, pictures, fields."""
        return "text-to-image", self.options(), {}, ASKED


def _answering(wire: Wire) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            with contextlib.suppress(ConnectionError):
                super().handle_one_request()

        def answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            asked = Asked(self.command, parts.path, parse_qs(parts.query), self.headers, body)
            wire.asked.append(asked)
            fault = wire.next_fault(asked)
            said = fault if isinstance(fault, Said) else wire.serve(asked)
            self.close_connection = fault in (LOST, TWICE)
            if fault == LOST:
                return
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.data)))
            self.end_headers()
            self.wfile.write(said.data)
            if fault == TWICE:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    # The server looks for each verb under such a name.
    for verb in ("GET", "POST", "PUT", "DELETE"):
        setattr(Answering, f"do_{verb}", Answering.answer)
    return Answering


class Story:
    """A task in a real database that real attempts take to its end with a remote."""

    def __init__(self, ground: Any, folder: Path, remote: Any) -> None:
        self.ground, self.folder, self.remote = ground, folder, remote
        self.account_id = ground.account().id
        self.attempts: list[Attempt] = []

    def run(self, kind: str, options: dict[str, Any], pictures: Any = None, **fields: Any) -> Told:
        """Submit a task and take it through one attempt."""
        return self.ground.run(
            lambda database: self._run(database, kind, options, pictures, fields)
        )

    async def _run(self, database, kind, options, pictures, fields) -> Told:
        await self.submit(database, kind, pictures or {}, fields)
        await self.attempt(database, options)
        return await self.told(database)

    async def submit(self, database, kind, pictures, fields) -> None:
        """Submit a task whose pictures, bytes by field, are uploads."""
        files = Disk(self.folder / "files")
        names = {}
        for name, several in pictures.items():
            names[name] = []
            for number, data in enumerate(several):
                path = self.folder / f"upload-{number}"
                path.write_bytes(data)
                taken, _, _ = await files.take(path, "image/png")
                names[name].append(f"file:{taken}")
        async with database.transaction() as tx:
            found = await rates.publish(tx, [rates.Asked("M", kind, "image", 100)])
            asked = tasks.Submission(
                account_id=self.account_id,
                api_key_id=None,
                request_id=ids.new("req"),
                kind=kind,
                model="M",
                input={"fields": fields, "files": names},
                rate_id=found["M", kind].id,
                price_mill=100,
                count=1,
                seed=SEED,
            )
            [batch] = await tasks.submit(tx, [asked])
        self.task_id = batch.task_ids[0]

    @contextlib.asynccontextmanager
    async def claimed(self, database, options, *, has_other=False):
        """An attempt at the task, not begun."""
        async with database.statement() as tx:
            [claim] = await leases.claim(
                tx, ids.new("wrk"), leases.Wanted(["M"]), tasks_max=1, lease_seconds=60
            )
        outbound = Outbound(["localhost"])
        async with outbound, httpx.AsyncClient() as http:
            claim = msgspec.structs.replace(claim, has_provenance=False)
            errand = Errand(self.remote, claim, Means(database, outbound, http), 60)
            files = Disk(self.folder / "files")
            tools = Tools(database, files, outbound, Marker(database, None), self.folder / "work")
            how = (self.remote.name, errand, tools, options, has_other, 60, lambda _: None)
            one = Attempt(claim, *how)
            self.attempts.append(one)
            yield one

    async def attempt(self, database, options, *, has_other=False) -> None:
        """Take the task through an attempt."""
        async with self.claimed(database, options, has_other=has_other) as one:
            await one.run()

    async def canceled(self, database, options, until) -> None:
        """Take the task through an attempt that its owner stops once `until` is so."""
        async with self.claimed(database, options) as one:
            running = asyncio.create_task(one.run())
            await asyncio.to_thread(wait_until, until)
            one.cancel()
            await running

    async def interrupted(self, database, options, until) -> None:
        """Take the task through an attempt that its worker drops once `until` is so."""
        async with self.claimed(database, options) as one:
            running = asyncio.create_task(one.run())
            await asyncio.to_thread(wait_until, until)
            running.cancel()
            await one.runner.kill()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            await one.give_back()

    async def told(self, database) -> Told:
        """What became of the task."""
        async with database.transaction() as tx:
            key = (self.account_id, self.task_id)
            task = (await tasks.get_many(tx, [key]))[key]
            made = await assets.of_task(tx, *key)
            calls = await upstream_calls.of_task(tx, self.task_id)
        return Told(task, self.attempts[-1].error, made, calls)


@dataclass(frozen=True)
class Told:
    """A task after an attempt: its row, how the attempt ended, its results, its calls."""

    task: Any
    error: Any
    made: list[Any]
    calls: list[Any]

    @property
    def call(self) -> tuple[str, bool | None, int | None]:
        """The only call: its state, whether it is billed, and its cost."""
        [one] = self.calls
        return one.state, one.is_billed, one.cost_micro
