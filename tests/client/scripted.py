"""A real HTTP server that answers from a list, faults included, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from darkroom.client import AsyncClient, Client

KEY = "sk-scripted"


@dataclass(frozen=True)
class Answer:
    """One answer; `cut` closes the connection after so many bytes, `is_silent` never answers."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    is_silent: bool = False


@dataclass(frozen=True)
class Asked:
    """One request as it arrived, and when, on the clock of `time.monotonic`."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Scripted:
    """The server: each request takes the next answer, and the last answer stays."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._answers: deque[Answer] = deque()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._class())
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def answers(self, *answers: Answer) -> None:
        """Set what is answered from now on."""
        self._answers = deque(answers)

    def close(self) -> None:
        """End the server and its silent answers."""
        self._closed.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def _take(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            return self._answers.popleft() if len(self._answers) > 1 else self._answers[0]

    def _class(self) -> type[BaseHTTPRequestHandler]:
        scripted = self

        class Talk(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                length = int(self.headers.get("content-length", 0))
                body = self.rfile.read(length)
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, self.path, headers, body, time.monotonic())
                answer = scripted._take(asked)
                if answer.is_silent:
                    scripted._closed.wait(30)
                    self.close_connection = True
                elif answer.cut == 0:
                    self.close_connection = True
                else:
                    self._send(answer)

            def do_POST(self) -> None:
                self.do_GET()

            def _send(self, answer: Answer) -> None:
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body[: answer.cut])
                self.close_connection = answer.cut is not None

            def log_message(self, *_: Any) -> None:
                """Say nothing: `asked` has it all."""

        return Talk


def said(data: Any, *, status: int = 0, http: int = 200, **more: Any) -> Answer:
    """An answer in the wire's envelope."""
    body = {"status": status, "desc": "said", "message": "said", "data": data, **more}
    return Answer(http, json.dumps(body).encode(), {"X-Request-Id": "req_1"})


def task(status: str = "SUCCESS", **more: Any) -> dict[str, Any]:
    """A task object of the wire."""
    return {"task_id": "task_1", "task_status": status, "images": [], **more}


def blocking(url: str, story: Callable[[Any], Any], key: str = KEY, **settings: Any) -> Any:
    """What a story does with a `Client`."""
    with Client(url, key, **settings) as client:
        return story(client)


def awaited(url: str, story: Callable[[Any], Any], key: str = KEY, **settings: Any) -> Any:
    """What the same story does with an `AsyncClient`."""

    async def told() -> Any:
        async with AsyncClient(url, key, **settings) as client:
            return await story(client)

    return asyncio.run(told())


COLOURS = (blocking, awaited)
