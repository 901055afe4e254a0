"""Doubles of other services: a real socket, a documented wire, scripted faults, each charge."""

from __future__ import annotations

import email.parser
import email.policy
import io
import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import time
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from PIL import Image

KEY = "sk-upstream"
_GATE_SECONDS_MAX = 60


class Cut(Exception):
    """The connection ends here, without an answer."""


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, list[bytes]]:
        """The parts of a multipart body by their names."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        found: dict[str, list[bytes]] = {}
        parser = email.parser.BytesParser(policy=email.policy.HTTP)
        for part in parser.parsebytes(head + self.body).iter_parts():
            name = part.get_param("name", header="content-disposition")
            found.setdefault(str(name), []).append(part.get_payload(decode=True))
        return found


@dataclass(frozen=True)
class Answer:
    """What the service says; one that is cut off says that more comes, `times` how often."""

    body: bytes
    status: int = 200
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    is_cut_off: bool = False
    times: int = 1


def told(data: Any, status: int = 200, **more: Any) -> Answer:
    """An answer in JSON."""
    return Answer(json.dumps(data).encode(), status, **more)


class Wire:
    """A service in a thread; `with` it.

    `faults` say what happens to the next requests that cost something, one each:

    - `unread`, `lost`: the connection ends before or after the request was taken;
    - `500`: refused by mistake; `502`: taken, and the answer lost by a gateway;
    - `later`, `later by date`: 429 with `Retry-After`, of a second;
    - `page`: taken, and answered by a page; `twice`: taken once, answered twice;
    - `policy`, `auth`, `credit`: refused, as the wire says it;
    - `missing`: the result cannot be had at first; `cut off`: nor whole at first; `torn`: never.

    `billed` has the prompt of each thing that was charged. A `gates` event holds whoever comes to
    that point, and `reached` tells that somebody came.
    """

    def __init__(self) -> None:
        self.faults: deque[str] = deque()
        self.requests: list[Request] = []
        self.billed: list[str] = []
        self.reached: list[str] = []
        self.gates: dict[str, threading.Event] = {}
        self.is_down = False
        self._idle = threading.Condition()
        self._busy = 0
        self._result_faults: deque[str] = deque()
        self._is_torn = False

    def __enter__(self) -> Self:
        wire = self

        class Connection(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Headers and body leave in one piece.
            wbufsize = -1

            def _all(self) -> None:
                wire.talk(self)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        # The server looks for each verb under such a name.
        for verb in ("GET", "POST", "PUT", "DELETE"):
            setattr(Connection, f"do_{verb}", Connection._all)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Connection)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        for gate in self.gates.values():
            gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def settle(self) -> None:
        """Wait until nobody is answered any more."""
        with self._idle:
            self._idle.wait_for(lambda: not self._busy, _GATE_SECONDS_MAX)

    def talk(self, connection: BaseHTTPRequestHandler) -> None:
        """Read a request and answer it."""
        with self._idle:
            self._busy += 1
        try:
            self._talk(connection)
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def _talk(self, connection: BaseHTTPRequestHandler) -> None:
        length = int(connection.headers.get("content-length", 0))
        body = connection.rfile.read(length)
        headers = {name.lower(): value for name, value in connection.headers.items()}
        request = Request(connection.command, connection.path, headers, body)
        self.requests.append(request)
        connection.close_connection = True
        if self.is_down or len(body) < length:
            return
        try:
            answer = self.answer(request)
        except Cut:
            return
        size = len(answer.body) * (2 if answer.is_cut_off else 1)
        lines = {"Content-Type": answer.media_type, "Content-Length": str(size), **answer.headers}
        try:
            for _ in range(answer.times):
                connection.send_response(answer.status)
                for name, value in lines.items():
                    connection.send_header(name, value)
                connection.end_headers()
                connection.wfile.write(answer.body)
            connection.wfile.flush()
        except ConnectionError:
            return

    def answer(self, request: Request) -> Answer:
        """What the wire says to a request."""
        raise NotImplementedError

    def refusal(self, fault: str) -> Answer:
        """How the wire says `policy`, `auth`, `credit`, `later` and `500`."""
        raise NotImplementedError

    def at(self, point: str) -> None:
        """Come to a point, and wait there for its gate."""
        self.reached.append(point)
        if point in self.gates:
            self.gates[point].wait(_GATE_SECONDS_MAX)

    def take(self, make: Callable[[], Answer]) -> Answer:
        """Do what costs something, or what the script says."""
        fault = self.faults.popleft() if self.faults else ""
        self.at("read")
        if fault == "unread":
            raise Cut
        if fault.startswith("later"):
            by_date = {"Retry-After": formatdate(time() + 1.5, usegmt=True)}
            headers = by_date if "date" in fault else {"Retry-After": "1"}
            refused = self.refusal("later")
            return Answer(refused.body, refused.status, headers=headers)
        if fault in ("policy", "auth", "credit", "500"):
            return self.refusal(fault)
        if fault in ("missing", "cut off"):
            self._result_faults.append(fault)
        self._is_torn = fault == "torn"
        answer = make()
        self.at("taken")
        if fault == "lost":
            raise Cut
        if fault == "502":
            return Answer(b"<h1>Bad Gateway</h1>", 502, "text/html")
        if fault == "page":
            return Answer(b"<h1>Welcome</h1>", media_type="text/html")
        return Answer(answer.body, headers=answer.headers, times=2 if fault == "twice" else 1)

    def file(self, body: bytes, media_type: str) -> Answer:
        """A result, or what the script makes of it."""
        self.at("fetched")
        fault = self._result_faults.popleft() if self._result_faults else ""
        if fault == "missing":
            return told({}, 404)
        return Answer(self.whole(body), media_type=media_type, is_cut_off=fault == "cut off")

    def whole(self, body: bytes) -> bytes:
        """A result's bytes, unless they are torn."""
        return body[: len(body) // 2] if self._is_torn else body

    def paid_requests(self, path: str) -> list[Request]:
        """What was sent to a path that costs something."""
        return [one for one in self.requests if one.method == "POST" and one.path == path]


def picture(width: int, height: int) -> bytes:
    """A PNG whose pixels have something to lose."""
    stream = io.BytesIO()
    pixels = np.random.default_rng(1).integers(0, 255, (height // 8, width // 8, 3), np.uint8)
    Image.fromarray(pixels).resize((width, height), Image.Resampling.NEAREST).save(stream, "PNG")
    return stream.getvalue()


def clip(width: int = 64, height: int = 64) -> bytes:
    """An MP4 of half a second."""
    stream = io.BytesIO()
    with av.open(stream, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=12)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        for number in range(6):
            pixels = np.full((height, width, 3), number * 40, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels)))
        container.mux(video.encode(None))
    return stream.getvalue()
