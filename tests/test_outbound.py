"""Fetches from addresses that callers name, against real receivers on loopback."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from darkroom.errors import BadInput, InputRefused
from darkroom.outbound import Fetched, Outbound, Resolve
from receivers import PNG, Answer, Receiver, answer, resolver


@dataclass(frozen=True)
class Asked:
    """What a test fetches, and through which door."""

    url: str = "http://127.0.0.1:{port}/a.png"
    allow: tuple[str, ...] = ("127.0.0.1",)
    resolve: Resolve | None = None
    bytes_max: int = 10_000
    seconds_max: float = 20.0
    tls: ssl.SSLContext | None = None


def fetch(
    tmp_path: Path, write: Answer, **asked: Any
) -> tuple[Fetched | BadInput | InputRefused, Receiver]:
    """Fetches from a receiver that answers `write`; returns how it ended, and the receiver."""
    one = Asked(**asked)

    async def run() -> tuple[Fetched | BadInput | InputRefused, Receiver]:
        door = Outbound(one.allow, resolve=one.resolve)
        async with Receiver(write, one.tls) as receiver, door as outbound:
            try:
                return await outbound.fetch(
                    one.url.format(port=receiver.port),
                    tmp_path / "input",
                    bytes_max=one.bytes_max,
                    seconds_max=one.seconds_max,
                    accept=frozenset({"image/png", "image/jpeg"}),
                ), receiver
            except (BadInput, InputRefused) as error:
                return error, receiver

    return asyncio.run(run())


def test_fetches_a_file_and_says_what_it_is(tmp_path: Path) -> None:
    ended, receiver = fetch(
        tmp_path, answer(head="Content-Type: Image/PNG; x=y\r\nSet-Cookie: a=b")
    )
    assert ended == Fetched(f"http://127.0.0.1:{receiver.port}/a.png", "image/png", len(PNG))
    assert (tmp_path / "input").read_bytes() == PNG
    request = receiver.requests[0].lower()
    assert b"user-agent: darkroom/" in request
    assert b"accept-encoding: identity" in request
    assert f"host: 127.0.0.1:{receiver.port}\r\n".encode() in request


def test_ignores_proxies_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert isinstance(fetch(tmp_path, answer())[0], Fetched)


def test_sends_no_cookie_back(tmp_path: Path) -> None:
    async def write(writer: asyncio.StreamWriter, count: int) -> None:
        head = "Set-Cookie: a=b; Path=/\r\nLocation: /b.png"
        here = answer(status="302 Found", head=head) if count == 1 else answer()
        await here(writer, count)

    ended, receiver = fetch(tmp_path, write)
    assert isinstance(ended, Fetched)
    assert ended.url.endswith("/b.png")
    assert b"cookie" not in receiver.requests[1].lower()


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "::1", "::ffff:127.0.0.1", "fe80::1%1"]
)
def test_refuses_a_name_that_leads_inward(tmp_path: Path, address: str) -> None:
    url = "http://images.example:{port}/"
    ended, receiver = fetch(tmp_path, answer(), url=url, allow=(), resolve=resolver([address]))
    assert isinstance(ended, InputRefused)
    assert address not in ended.message
    assert receiver.requests == []


def test_refuses_a_name_with_one_inward_address_among_public_ones(tmp_path: Path) -> None:
    mixed = resolver(["8.8.8.8", "127.0.0.1"])
    ended, _ = fetch(tmp_path, answer(), url="http://a.example:{port}/", allow=(), resolve=mixed)
    assert isinstance(ended, InputRefused)


def test_never_reaches_loopback_when_the_name_is_rebound(tmp_path: Path) -> None:
    # 127.0.0.9 stands for a public address where nothing listens; the second answer is inward.
    rebound = resolver(["127.0.0.9"], ["127.0.0.1"])
    allow = ("127.0.0.9",)
    url = "http://a.example:{port}/"
    ended, receiver = fetch(tmp_path, answer(), url=url, allow=allow, resolve=rebound)
    assert isinstance(ended, BadInput)
    ended, receiver = fetch(tmp_path, answer(), url=url, allow=allow, resolve=rebound)
    assert isinstance(ended, InputRefused)
    assert receiver.requests == []


def test_asks_for_the_addresses_of_a_name_once(tmp_path: Path) -> None:
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    ended, receiver = fetch(tmp_path, answer(), url="http://a.example:{port}/", resolve=resolve)
    assert isinstance(ended, Fetched)
    assert asked == ["a.example"]
    assert f"host: a.example:{receiver.port}".encode() in receiver.requests[0].lower()


def test_tries_the_next_address_of_a_name(tmp_path: Path) -> None:
    both = resolver(["127.0.0.9", "127.0.0.1"])
    url = "http://files.example:{port}/"
    ended, _ = fetch(tmp_path, answer(), url=url, allow=("files.example",), resolve=both)
    assert isinstance(ended, Fetched)


def test_fails_for_a_name_that_does_not_exist(tmp_path: Path) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        raise OSError("no such name")

    ended, _ = fetch(tmp_path, answer(), url="http://a.example/", resolve=resolve)
    assert isinstance(ended, BadInput)
    assert (
        ended.message == "The input at a.example could not be fetched: its host name is not known"
    )


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.9/",
        "//127.0.0.9/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://localhost/",
        "http://2130706433/",
        "file:///etc/passwd",
        "http://u:p@127.0.0.1/",
        "/\t/127.0.0.9/",
        "\\\\127.0.0.9\\a",
        "http://[::1",
    ],
)
def test_refuses_a_redirect_inward(tmp_path: Path, location: str) -> None:
    ended, receiver = fetch(tmp_path, answer(status="302 Found", head=f"Location: {location}"))
    assert isinstance(ended, InputRefused)
    assert len(receiver.requests) == 1


def test_stops_a_redirect_loop(tmp_path: Path) -> None:
    ended, receiver = fetch(tmp_path, answer(b"", "Location: /a.png", status="307 Again"))
    assert isinstance(ended, BadInput)
    assert "redirects more than 5 times" in ended.message
    assert len(receiver.requests) == 6


def endless(head: str, chunk: bytes, sent: list[int]) -> Answer:
    """Writes until the other side hangs up, 64 MiB at most."""

    async def write(writer: asyncio.StreamWriter, _count: int) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n{head}\r\n".encode())
        for _ in range((64 << 20) // len(chunk)):
            writer.write(chunk)
            await writer.drain()
            sent.append(len(chunk))

    return write


def test_stops_a_body_that_outgrows_the_bound(tmp_path: Path) -> None:
    sent: list[int] = []
    ended, _ = fetch(tmp_path, endless("", bytes(65536), sent))
    assert isinstance(ended, BadInput)
    assert "larger than 10000 bytes" in ended.message
    assert sum(sent) < 32 << 20
    assert not (tmp_path / "input").exists()


def test_stops_a_chunked_body_that_outgrows_the_bound(tmp_path: Path) -> None:
    chunk = b"1000\r\n" + bytes(4096) + b"\r\n"
    ended, _ = fetch(tmp_path, endless("Transfer-Encoding: chunked\r\n", chunk, []))
    assert isinstance(ended, BadInput)
    assert "larger than" in ended.message


def test_refuses_a_declared_length_before_reading(tmp_path: Path) -> None:
    async def declare(writer: asyncio.StreamWriter, _count: int) -> None:
        head = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 10001\r\n\r\n"
        writer.write(head.encode())  # and breaks off: the head alone must decide

    ended, _ = fetch(tmp_path, declare)
    assert isinstance(ended, BadInput)
    assert "larger than" in ended.message
    assert not (tmp_path / "input").exists()


def test_stops_a_slow_drip_at_the_time_bound(tmp_path: Path) -> None:
    async def drip(writer: asyncio.StreamWriter, _count: int) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n")
        for _ in range(1000):
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.02)

    ended, _ = fetch(tmp_path, drip, seconds_max=0.3)
    assert isinstance(ended, BadInput)
    assert "longer than the 0.3 seconds" in ended.message
    assert not (tmp_path / "input").exists()


def test_stops_waiting_for_headers_at_the_time_bound(tmp_path: Path) -> None:
    async def drip(writer: asyncio.StreamWriter, _count: int) -> None:
        for _ in range(1000):
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    ended, _ = fetch(tmp_path, drip, seconds_max=0.3)
    assert isinstance(ended, BadInput)
    assert "longer than" in ended.message


@pytest.mark.parametrize(
    "media_type", ["text/html", "image/gif", "image/png+xml", "", "image/png,"]
)
def test_refuses_a_declared_type_that_is_not_accepted(tmp_path: Path, media_type: str) -> None:
    ended, _ = fetch(tmp_path, answer(head=f"Content-Type: {media_type}"))
    assert isinstance(ended, BadInput)
    assert "must be one of image/jpeg, image/png" in ended.message


@pytest.mark.parametrize("head", ["X: y", "Content-Type: application/octet-stream"])
def test_fetches_an_undeclared_type_for_the_decoder_to_judge(tmp_path: Path, head: str) -> None:
    ended, _ = fetch(tmp_path, answer(head=head))
    assert isinstance(ended, Fetched)
    assert ended.media_type == "application/octet-stream"


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (answer(status="404 Not Found"), "answered HTTP 404"),
        (answer(status="304 Not Modified", body=b""), "answered HTTP 304"),
        (answer(status="302 Found"), "answered HTTP 302"),
        (answer(status="206 Partial Content"), "answered HTTP 206"),
        (answer(b""), "is empty"),
        (answer(head="Content-Encoding: gzip"), "compressed"),
        (answer(head="Content-Type: image/png\r\nTransfer-Encoding: gzip"), "could not be fetched"),
        (answer(head="A: " + "a" * 200_000), "could not be fetched"),
        (answer(head="Content-Length: 7"), "could not be fetched"),
    ],
)
def test_fails_for_an_answer_it_cannot_use(tmp_path: Path, write: Answer, said: str) -> None:
    ended, _ = fetch(tmp_path, write)
    assert isinstance(ended, BadInput)
    assert said in ended.message
    assert not (tmp_path / "input").exists()


@pytest.mark.parametrize("torn", ["", "HTTP/1.1 200", "SSH-2.0-x\r\n\r\n", "cut", "reset"])
def test_fails_when_the_answer_breaks_off(tmp_path: Path, torn: str) -> None:
    async def write(writer: asyncio.StreamWriter, _count: int) -> None:
        whole = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 9000\r\n\r\n" + PNG
        writer.write(whole if torn in ("cut", "reset") else torn.encode())
        await writer.drain()
        if torn == "reset":
            writer.transport.abort()

    ended, _ = fetch(tmp_path, write)
    assert isinstance(ended, BadInput)
    assert "could not be fetched" in ended.message
    assert not (tmp_path / "input").exists()


def test_fails_when_nothing_listens(tmp_path: Path) -> None:
    ended, _ = fetch(tmp_path, answer(), url="http://127.0.0.1:1/")
    assert isinstance(ended, BadInput)
    assert ended.message.endswith("could not be fetched: no connection could be made")


@pytest.mark.parametrize(("host", "good"), [("files.example", True), ("other.example", False)])
def test_verifies_the_name_over_tls_and_not_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: Path, host: str, good: bool
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    url, here = f"https://{host}:{{port}}/", resolver(["127.0.0.1"])
    ended, _ = fetch(tmp_path, answer(), url=url, resolve=here, tls=tls)
    assert isinstance(ended, Fetched if good else BadInput), ended
