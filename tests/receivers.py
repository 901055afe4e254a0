"""Real servers on loopback that tests fetch from and post to, and names that resolve as told."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

from darkroom.outbound import Resolve

PNG = b"\x89PNG\r\n\x1a\n" + bytes(2000)
Answer = Callable[[asyncio.StreamWriter, int], Awaitable[None]]


def answer(body: bytes = PNG, head: str = "Content-Type: image/png", *, status: str = "200 OK"):
    """An answer with a right Content-Length, whatever the path."""

    async def write(writer: asyncio.StreamWriter, _count: int) -> None:
        lines = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{head}\r\n\r\n"
        writer.write(lines.encode() + body)

    return write


class Receiver:
    """A real server on loopback that keeps the requests it saw."""

    def __init__(self, write: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.write, self.tls = write, tls
        self.requests: list[bytes] = []

    async def __aenter__(self) -> Receiver:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        await self.server.wait_closed()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The client may go away, which several tests want.
        gone = (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError)
        with contextlib.closing(writer), contextlib.suppress(*gone):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
            self.requests.append(head + await reader.readexactly(int(length[1]) if length else 0))
            await self.write(writer, len(self.requests))
            await writer.drain()


def resolver(*answers: list[str]) -> Resolve:
    """Answers each look-up with the next list, the last one for ever."""
    left = list(answers)

    async def resolve(_host: str, _port: int) -> list[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


def certify(folder: Path, host: str = "files.example") -> Path:
    """A certificate for a host that signs itself, with its key, in one file."""
    path = folder / "both.pem"
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    name = ["-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
    command = ["openssl", "req", "-x509", *key, *name, "-keyout", str(path), "-out", "-"]
    made = subprocess.run(command, capture_output=True, check=True, timeout=60)
    path.write_bytes(path.read_bytes() + made.stdout)
    return path
