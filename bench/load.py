"""Load: requests again and again over several connections, by wrk where it is installed."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import msgspec
import uvloop

import cores

CONNECTIONS = 32
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
# wrk tells its figures in the words of `Told`, so that both generators are read alike.
_LUA = """
local requests, at = {%s}, 0
request = function() at = at %% #requests + 1; return requests[at] end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('\\n{"answers": %%d, "seconds": %%f, "bad": %%d, "p50_ms": %%f}\\n',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1e3))
end
"""


class Request(msgspec.Struct, frozen=True):
    """One HTTP request of the load."""

    method: str
    path: str
    key: str
    body: str = ""

    def raw(self, host: str) -> bytes:
        """The request's bytes."""
        lines = [
            f"{self.method} {self.path} HTTP/1.1",
            f"Host: {host}",
            f"Authorization: Bearer {self.key}",
            "Content-Type: application/json",
            f"Content-Length: {len(self.body.encode())}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + self.body).encode()


class Told(msgspec.Struct, frozen=True):
    """What a generator saw; `bad` counts broken connections and answers that are not 2xx."""

    answers: int
    seconds: float
    bad: int
    p50_ms: float


class _Plan(msgspec.Struct, frozen=True):
    url: str
    requests: list[Request]
    seconds: float
    connections: int


def generator() -> str:
    """Which generator makes the load."""
    return "wrk" if shutil.which("wrk") else "bench/load.py (asyncio, uvloop)"


def drive(url: str, requests: Sequence[Request], seconds: int) -> Told:
    """Load a server from a process of its own; raises when an answer was bad."""
    if wrk := shutil.which("wrk"):
        said = _wrk(wrk, url, requests, seconds)
    else:
        plan = _Plan(url, [*requests], seconds, CONNECTIONS)
        said = _run([sys.executable, __file__], msgspec.json.encode(plan), seconds)
    told = msgspec.json.decode(said.strip().splitlines()[-1], type=Told)
    if told.bad or not told.answers:
        raise RuntimeError(f"{told.bad} bad answers of {told.answers} from {url}")
    return told


def _wrk(wrk: str, url: str, requests: Sequence[Request], seconds: int) -> bytes:
    host = urlsplit(url).netloc
    # JSON's escapes of these plain bytes are Lua's too.
    texts = ",\n".join(json.dumps(one.raw(host).decode("ascii")) for one in requests)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_LUA % texts)
        script.flush()
        options = ["-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "-s", script.name]
        return _run([wrk, *options, url], b"", seconds)


def _run(command: list[str], given: bytes, seconds: int) -> bytes:
    return subprocess.run(
        command,
        input=given,
        stdout=subprocess.PIPE,
        check=True,
        timeout=seconds + 30,
        preexec_fn=cores.pin(cores.LOAD),
    ).stdout


@dataclass(slots=True)
class _Tally:
    requests: itertools.cycle[bytes]
    until: float = 0.0
    took: list[float] = field(default_factory=list)
    bad: int = 0


class _Connection(asyncio.Protocol):
    """One connection that sends the next request when the last is answered."""

    def __init__(self, tally: _Tally, ended: asyncio.Future[None]) -> None:
        self._tally = tally
        self._ended = ended
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio's, but not its classes.
        self._transport = cast("asyncio.WriteTransport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        got = self._got + data
        end = got.find(b"\r\n\r\n")
        length = _LENGTH.search(got, 0, end + 2) if end >= 0 else None
        if length is None or len(got) < end + 4 + int(length[1]):
            self._got = got
            return
        self._got = b""
        now = time.perf_counter()
        self._tally.took.append(now - self._sent_at)
        self._tally.bad += not got.startswith(b"HTTP/1.1 2")
        if now < self._tally.until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._tally.bad += time.perf_counter() < self._tally.until
        self._ended.set_result(None)

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(next(self._tally.requests))


async def _drive(plan: _Plan) -> Told:
    place = urlsplit(plan.url)
    tally = _Tally(itertools.cycle([one.raw(place.netloc) for one in plan.requests]))
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    tally.until = began + plan.seconds
    ends = [loop.create_future() for _ in range(plan.connections)]
    assert place.hostname is not None
    assert place.port is not None
    for end in ends:
        made = partial(_Connection, tally, end)
        await loop.create_connection(made, place.hostname, place.port)
    async with asyncio.timeout(plan.seconds + 20):
        await asyncio.gather(*ends)
    took = sorted(tally.took)
    p50_ms = took[len(took) // 2] * 1000 if took else 0.0
    return Told(len(took), time.perf_counter() - began, tally.bad, p50_ms)


def main() -> None:
    """Drive the load that standard input describes and print what was seen."""
    plan = msgspec.json.decode(Path("/dev/stdin").read_bytes(), type=_Plan)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(msgspec.json.encode(runner.run(_drive(plan))).decode())


if __name__ == "__main__":
    main()
