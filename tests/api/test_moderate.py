"""The verdict on texts, against a real server that speaks the moderation wire, well and badly."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from typing import Any

import pytest

from darkroom.api.moderate import Decision, Endpoint, Moderator
from darkroom.domain.moderation import parse

POLICY = parse(
    '[[rule]]\nname = "no-cats"\nterms = ["cat"]\n'
    '[[rule]]\nname = "no-dogs"\nmode = "shadow"\nterms = ["dog"]\n'
)
VERSION = POLICY.version


def results(texts: list[str]) -> list[dict[str, Any]]:
    """Flags what says "bad", in the words of the wire."""
    return [
        {"flagged": "bad" in text, "categories": {"hate": False, "violence/graphic": "bad" in text}}
        for text in texts
    ]


class ModerationServer:
    """Answers POST …/v1/moderations on loopback; `fault` makes it answer otherwise."""

    def __init__(self, fault: bytes | str | None = None) -> None:
        self.fault = fault
        self.asked: list[dict[str, Any]] = []
        self.heads: list[str] = []

    async def __aenter__(self) -> ModerationServer:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/v1/"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        await self.server.wait_closed()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The client may go away, which some faults want.
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
            self.heads.append(head)
            self.asked.append(json.loads(await reader.readexactly(length)))
            await self.answer(writer, reader)
            await writer.drain()

    async def answer(self, writer: asyncio.StreamWriter, reader: asyncio.StreamReader) -> None:
        if self.fault == "hang":
            await reader.read()  # until the client gives up
        elif isinstance(self.fault, bytes):
            writer.write(self.fault)
        else:
            body = json.dumps(
                {"id": "m", "model": "m", "results": results(self.asked[-1]["input"])}
            )
            writer.write(ok(body if self.fault is None else self.fault))


def ok(body: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def check(
    texts: Mapping[str, str],
    mode: Any = "enforce",
    fault: bytes | str | None = None,
    **settings: Any,
) -> tuple[Decision, ModerationServer]:
    async def run() -> tuple[Decision, ModerationServer]:
        async with ModerationServer(fault) as server:
            endpoint = Endpoint(server.url, **{"timeout_seconds": 20.0, **settings})
            async with Moderator(POLICY, mode, endpoint) as moderator:
                return await moderator.check(texts), server

    return asyncio.run(run())


def alone(texts: Mapping[str, str], mode: Any = "enforce", policy: Any = POLICY) -> Decision:
    async def run() -> Decision:
        async with Moderator(policy, mode) as moderator:
            return await moderator.check(texts)

    return asyncio.run(run())


def test_flags_by_the_policy_without_asking_the_endpoint() -> None:
    decision, server = check({"style": "oil", "prompt": "a c@t"})
    assert decision == Decision("flagged", "enforce", "no-cats", "policy", "prompt", VERSION)
    assert decision.refuses
    assert server.asked == []


def test_flags_by_the_endpoint_with_its_category_and_field() -> None:
    decision, server = check({"a": "good", "b": " ", "c": "bad"}, key="k-1", model="omni")
    assert decision == Decision(
        "flagged", "enforce", "violence/graphic", "endpoint", "c", policy_version=VERSION
    )
    assert server.asked == [{"input": ["good", "bad"], "model": "omni"}]
    assert server.heads[0].startswith("POST /v1/moderations HTTP/1.1\r\n")
    assert "authorization: bearer k-1\r\n" in server.heads[0].lower()


def test_passes_what_both_pass() -> None:
    decision, server = check({"prompt": "a horse \ud800 马"})
    assert decision == Decision("pass", "enforce", policy_version=VERSION)
    assert "authorization" not in server.heads[0].lower()


def test_refuses_nothing_in_shadow_mode() -> None:
    for texts in ({"prompt": "cat"}, {"prompt": "bad"}):
        decision, server = check(texts, "shadow")
        assert (decision.verdict, decision.mode, decision.refuses) == ("flagged", "shadow", False)
        assert len(server.asked) == 1


def test_reads_nothing_when_off() -> None:
    decision, server = check({"prompt": "cat, bad"}, "off")
    assert decision == Decision("pass", "off")
    assert server.asked == []


def test_records_a_shadow_rule_and_still_asks_the_endpoint() -> None:
    decision, server = check({"prompt": "a dog"})
    assert decision == Decision("flagged", "shadow", "no-dogs", "policy", "prompt", VERSION)
    assert len(server.asked) == 1
    assert check({"prompt": "a bad dog"})[0].source == "endpoint"


def test_works_with_the_policy_alone_or_with_neither() -> None:
    assert alone({"prompt": "cat"}).refuses
    assert alone({"prompt": "dog"}).mode == "shadow"
    assert alone({"prompt": "cat"}, "shadow").refuses is False
    assert alone({"prompt": "cat"}, policy=None) == Decision("pass", "enforce")
    assert alone({"prompt": "  "}) == Decision("pass", "enforce")


FAULTS = [
    (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "HTTP 500"),
    (b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n", "HTTP 429"),
    (b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", "HTTP 302"),
    (b"", "disconnected"),
    (b"SMTP ready\r\n\r\n", "illegal"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "closed"),
    (ok("not json"), "malformed"),
    (ok(""), "malformed"),
    (ok("{}"), "malformed"),
    (ok('{"results": [{"flagged": "yes"}]}'), "malformed"),
    (ok('{"results": []}'), "0 results for 1 texts"),
    (ok('"' + "a" * (1 << 20) + '"'), "larger than"),
    (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + bytes(2 << 20), "larger than"),
]


@pytest.mark.parametrize(("fault", "said"), FAULTS)
def test_passes_with_an_error_when_the_endpoint_fails(fault: bytes, said: str) -> None:
    decision, _ = check({"prompt": "horse"}, fault=fault)
    assert (decision.verdict, decision.rule) == ("pass", None)
    assert said in str(decision.error)


@pytest.mark.parametrize(("fault", "said"), FAULTS)
def test_refuses_with_an_error_where_the_operator_wants_it(fault: bytes, said: str) -> None:
    decision, _ = check({"prompt": "horse"}, fault=fault, on_error="refuse")
    assert decision.refuses
    assert decision.rule == "moderation-unavailable"
    assert said in str(decision.error)


def test_gives_up_on_an_endpoint_that_hangs() -> None:
    decision, _ = check({"prompt": "horse"}, fault="hang", timeout_seconds=0.2)
    assert decision.verdict == "pass"
    assert decision.error


def test_keeps_a_shadow_match_when_the_endpoint_fails() -> None:
    decision, _ = check({"prompt": "dog"}, fault=FAULTS[0][0])
    assert (decision.rule, decision.verdict, decision.mode) == ("no-dogs", "flagged", "shadow")
    assert decision.error


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/v1", "http://[bad/v1", "ftp://a/v1", ""])
def test_passes_with_an_error_when_the_address_is_no_good(url: str) -> None:
    async def run() -> Decision:
        async with Moderator(None, "enforce", Endpoint(url)) as moderator:
            return await moderator.check({"prompt": "horse"})

    assert asyncio.run(run()).error


@pytest.mark.parametrize(
    "body", ['{"flagged": true}', '{"flagged": true, "categories": {"a": null}}']
)
def test_flags_without_a_category(body: str) -> None:
    decision, _ = check({"prompt": "horse"}, fault=f'{{"results": [{body}]}}')
    assert decision.rule == "flagged"
