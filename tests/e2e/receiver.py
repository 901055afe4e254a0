"""A receiver of webhooks in a process of its own: keeps what came, and answers as its path says.

`python receiver.py FOLDER` prints its port. Every request is one line of `FOLDER/received.jsonl`.
The path chooses the answer: /ok 200; /500, /410 … that status; /flaky/N 500 to the first N of each
webhook-id; /slow/SECONDS 200 after so long; /hang never; /reset closes in the middle of the answer;
/inward redirects to a private address; /later/SECONDS 503 with Retry-After, then 200.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import IO

seen: Counter[str] = Counter()
_REASONS = {200: "OK", 302: "Found", 410: "Gone", 500: "Oops", 503: "Busy"}


async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, log: IO[str]) -> None:
    """Answer the requests of one connection."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): text for name, text in (line.split(": ", 1) for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            path = first.split(" ")[1]
            said = {"at": time.time(), "path": path, "headers": headers, "body": body.decode()}
            log.write(json.dumps(said) + "\n")
            log.flush()
            seen[headers.get("webhook-id", "")] += 1
            if not await answer(writer, path, seen[headers.get("webhook-id", "")]):
                return
    except (asyncio.IncompleteReadError, ConnectionError):
        return
    finally:
        writer.close()


async def answer(writer: asyncio.StreamWriter, path: str, times: int) -> bool:
    """Answer as the path says; whether the connection goes on."""
    _, how, *more = path.split("?")[0].split("/")
    status, extra, body = 200, "", b"thank you"
    if how.isdecimal():
        status = int(how)
    elif how == "flaky":
        status = 500 if times <= int(more[0]) else 200
    elif how == "later" and times == 1:
        status, extra = 503, f"Retry-After: {more[0]}\r\n"
    elif how == "slow":
        await asyncio.sleep(float(more[0]))
    elif how == "hang":
        await asyncio.sleep(3600)
    elif how == "inward":
        status, extra = 302, "Location: http://169.254.169.254/latest/meta-data\r\n"
    reason = _REASONS.get(status, "Other")
    writer.write(
        f"HTTP/1.1 {status} {reason}\r\n{extra}Content-Length: {len(body)}\r\n\r\n".encode()
    )
    writer.write(body[:3] if how == "reset" else body)
    await writer.drain()
    if how == "reset":
        writer.transport.abort()
    return how != "reset"


async def main(folder: Path) -> None:
    """Serve until killed."""
    with (folder / "received.jsonl").open("a") as log:
        server = await asyncio.start_server(
            lambda reader, writer: receive(reader, writer, log), "0.0.0.0", 0, backlog=1000
        )
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
