"""A small load balancer: sends each request to the next server that says it is ready."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx

# How often each server's readiness is asked for; one 503 takes it out, one 200 puts it back.
CHECK_SECONDS = 0.1


class Balancer:
    """Round robin over the ready servers, over kept connections, never trying a second one."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._ready: dict[str, bool] = dict.fromkeys(urls, False)
        self._turns = itertools.count()
        self._clients = threading.local()
        self._stop = threading.Event()

    def ready(self, url: str) -> bool:
        """Whether requests are sent to this server now."""
        return self._ready[url]

    def request(
        self, method: str, path: str, headers: Mapping[str, str], json: Any = None
    ) -> httpx.Response:
        """One request to one server; raises `httpx.TransportError` as the server deserves."""
        ready = [url for url, is_ready in self._ready.items() if is_ready]
        assert ready, "no server is ready"
        url = ready[next(self._turns) % len(ready)]
        if not hasattr(self._clients, "mine"):
            self._clients.mine = httpx.Client(timeout=30)
        client: httpx.Client = self._clients.mine
        return client.request(method, f"{url}{path}", headers=headers, json=json)

    def close_mine(self) -> None:
        """Close this thread's connections."""
        if hasattr(self._clients, "mine"):
            self._clients.mine.close()

    @contextlib.contextmanager
    def checking(self) -> Iterator[None]:
        """Ask every server for its readiness until the block ends."""
        thread = threading.Thread(target=self._check)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _check(self) -> None:
        with httpx.Client(timeout=2) as client:
            while not self._stop.wait(CHECK_SECONDS):
                for url in self._ready:
                    try:
                        answer = client.get(f"{url}/health/ready")
                        self._ready[url] = answer.status_code == 200
                    except httpx.TransportError:
                        self._ready[url] = False


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
