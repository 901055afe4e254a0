"""Posts to webhook addresses, against real receivers on loopback."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from darkroom.errors import NoAnswer
from darkroom.outbound import Answered, Outbound, Resolve
from receivers import Answer, Receiver, answer, resolver

BODY = b'{"status":0,"data":{"prompt":"\xc3\xa9"}}'


@dataclass(frozen=True)
class Sent:
    """What a test posts, and through which door."""

    url: str = "http://127.0.0.1:{port}/hook?a=b"
    allow: tuple[str, ...] = ("127.0.0.1",)
    resolve: Resolve | None = None
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    bytes_max: int = 65_536
    seconds_max: float = 20.0
    tls: ssl.SSLContext | None = None
    times: int = 1


def post(write: Answer, **sent: Any) -> tuple[Answered | NoAnswer, Receiver]:
    """Posts to a receiver that answers `write`; how the last one ended, and the receiver."""
    one = Sent(**sent)

    async def run() -> tuple[Answered | NoAnswer, Receiver]:
        door = Outbound(one.allow, resolve=one.resolve)
        ended: Any = None
        async with Receiver(write, one.tls) as receiver, door as outbound:
            url, bounds = one.url.format(port=receiver.port), {"bytes_max": one.bytes_max}
            for _ in range(one.times):
                try:
                    ended = await outbound.post(
                        url, BODY, one.headers, seconds_max=one.seconds_max, **bounds
                    )
                except NoAnswer as failed:
                    ended = failed
            return ended, receiver

    return asyncio.run(run())


def reason(write: Answer, **sent: Any) -> str:
    """Why no answer came; the receiver's address is in no text."""
    ended, _ = post(write, **sent)
    assert isinstance(ended, NoAnswer), ended
    assert "127.0.0" not in str(ended)
    return ended.reason


def test_posts_the_body_as_it_is_and_returns_the_answer() -> None:
    headers = {"Content-Type": "application/json", "webhook-id": "msg_1"}
    ended, receiver = post(answer(b"thanks", "X-Seen: yes", status="202 Later"), headers=headers)
    assert isinstance(ended, Answered)
    assert (ended.status, ended.body) == (202, b"thanks")
    assert ended.headers["x-seen"] == ended.headers["X-Seen"] == "yes"
    assert 0 < ended.seconds < 20
    head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
    assert body == BODY
    lines = head.lower().split(b"\r\n")
    assert lines[0] == b"post /hook?a=b http/1.1"
    assert lines.count(f"host: 127.0.0.1:{receiver.port}".encode()) == 1
    assert {b"content-type: application/json", b"webhook-id: msg_1"} < {*lines}
    assert f"content-length: {len(BODY)}".encode() in lines
    assert any(line.startswith(b"user-agent: darkroom/") for line in lines)


@pytest.mark.parametrize("status", ["301 A", "302 B", "303 C", "307 D", "308 E", "410 F", "500 G"])
def test_returns_every_status_and_follows_nothing(status: str) -> None:
    head = "Location: http://127.0.0.1:{port}/elsewhere\r\nRetry-After: 7"
    ended, receiver = post(answer(b"", head, status=status))
    assert isinstance(ended, Answered)
    assert ended.status == int(status[:3])
    assert ended.headers["retry-after"] == "7"
    assert len(receiver.requests) == 1


def test_sends_no_cookie_back_and_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    ended, receiver = post(answer(b"", "Set-Cookie: a=b; Path=/"), times=2)
    assert isinstance(ended, Answered)
    assert len(receiver.requests) == 2
    assert b"cookie" not in receiver.requests[1].lower()


@pytest.mark.parametrize("chunked", [True, False])
def test_reads_no_more_of_the_answer_than_the_bound(chunked: bool) -> None:
    sent: list[int] = []

    async def endless(writer: asyncio.StreamWriter, _count: int) -> None:
        head = "Transfer-Encoding: chunked" if chunked else "X: y"
        chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n" if chunked else b"a" * 65536
        writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
        for _ in range(1024):
            writer.write(chunk)
            await writer.drain()
            sent.append(len(chunk))

    ended, _ = post(endless, bytes_max=1000)
    assert isinstance(ended, Answered)
    assert ended.body == b"a" * 1000
    assert sum(sent) < 32 << 20


@pytest.mark.parametrize("head", ["", "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"])
def test_stops_at_the_time_bound(head: str) -> None:
    async def drip(writer: asyncio.StreamWriter, _count: int) -> None:
        writer.write(head.encode())
        for _ in range(1000):
            writer.write(b"a" if head else b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    assert reason(drip, seconds_max=0.3) == "timeout"


def test_stops_a_name_look_up_at_the_time_bound() -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        await asyncio.sleep(60)
        return []

    url = "https://slow.example/"
    assert reason(answer(), url=url, resolve=resolve, seconds_max=0.2) == "timeout"


@pytest.mark.parametrize(
    ("torn", "why"),
    [
        ("", "reset"),
        ("HTTP/1.1 200", "reset"),
        ("SSH-2.0-x\r\n\r\n", "malformed"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "malformed"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "malformed"),
    ],
)
def test_says_what_was_wrong_with_an_answer_that_breaks_off(torn: str, why: str) -> None:
    async def write(writer: asyncio.StreamWriter, _count: int) -> None:
        writer.write(torn.encode())

    assert reason(write) == why


def test_says_reset_where_the_connection_is_reset() -> None:
    async def write(writer: asyncio.StreamWriter, _count: int) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n")
        await writer.drain()
        linger = struct.pack("ii", 1, 0)  # a close that resets
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    assert reason(write) == "reset"


def test_says_connect_where_nothing_listens_or_no_name_is_known() -> None:
    async def unknown(_host: str, _port: int) -> list[str]:
        raise OSError("127.0.0.53 knows no such name")

    assert reason(answer(), url="http://127.0.0.1:1/") == "connect"
    assert reason(answer(), url="https://a.example/", resolve=unknown) == "connect"


def test_says_connect_without_the_address_behind_a_name() -> None:
    hidden = {"allow": ("a.example",), "resolve": resolver(["127.0.0.1"])}
    ended, _ = post(answer(), url="http://a.example:1/", **hidden)
    assert isinstance(ended, NoAnswer)
    assert str(ended) == "no connection could be made"


def test_refuses_plain_http_to_hosts_that_the_operator_did_not_name() -> None:
    # The address is allowed, the name is not: at submit nobody knows what it resolves to.
    url, here = "http://a.example:{port}/", resolver(["127.0.0.1"])
    ended, receiver = post(answer(), url=url, resolve=here)
    assert isinstance(ended, NoAnswer)
    assert (ended.reason, str(ended)) == ("refused", "it must begin with https://")
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("host", "trusted", "why"),
    [
        ("files.example", True, None),
        ("other.example", True, "not valid for 'other.example'"),
        ("files.example", False, "self-signed certificate"),
    ],
)
def test_verifies_the_name_over_tls(
    monkeypatch: pytest.MonkeyPatch, certificate: Path, host: str, trusted: bool, why: str | None
) -> None:
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    url, here = f"https://{host}:{{port}}/", resolver(["127.0.0.1"])
    ended, receiver = post(answer(), url=url, resolve=here, tls=tls)
    if why is None:
        assert isinstance(ended, Answered)
        assert receiver.requests[0].endswith(BODY)
        return
    assert isinstance(ended, NoAnswer)
    assert ended.reason == "tls"
    assert why in str(ended)
    assert receiver.requests == []


def test_says_tls_where_the_receiver_speaks_none() -> None:
    class Plain(Receiver):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            await self.write(writer, 1)
            writer.close()

    async def told() -> str:
        async with Plain(answer()) as receiver, Outbound(["127.0.0.1"]) as outbound:
            url = f"https://127.0.0.1:{receiver.port}/"
            with pytest.raises(NoAnswer) as failed:
                await outbound.post(url, BODY, {}, seconds_max=20)
            return failed.value.reason

    assert asyncio.run(told()) == "tls"
