"""No known way of naming an inward address gets a fetch or a post there, as text or through DNS."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bypasses import DISGUISED, INWARD, literal
from darkroom.errors import InputRefused, NoAnswer
from darkroom.outbound import Outbound
from receivers import Receiver, answer, resolver

# What a name resolves to: every inward address alone, and behind or before public ones.
RESOLVED = {
    **{f"name-to-{name}": [address] for name, address in INWARD.items()},
    "name-to-public-then-loopback": ["8.8.8.8", "127.0.0.1"],
    "name-to-loopback-then-public": ["127.0.0.1", "8.8.8.8"],
    "name-to-both-loopbacks": ["::1", "127.0.0.1"],
    "name-to-public-v6-then-private": ["2606:4700:4700::1111", "10.0.0.1"],
    "name-to-link-local-with-zone": ["fe80::1%1"],
}
SECONDS_MAX = 5.0


class House:
    """A door, and a server on loopback, open for all rows of a table."""

    def __init__(self, runner: asyncio.Runner, folder: Path, *allow: str) -> None:
        self.runner, self.folder = runner, folder
        self.addresses: list[str] = []

        async def resolve(_host: str, _port: int) -> list[str]:
            return self.addresses

        self.receiver = Receiver(answer())
        self.outbound = Outbound(allow, webhook_http=True, resolve=resolve)

    def fetch(self, url: str) -> Any:
        """Fetch into a file that must not come to be."""
        path = self.folder / "input"
        bounds = {"bytes_max": 10_000, "seconds_max": SECONDS_MAX}
        return self.runner.run(self.outbound.fetch(url, path, **bounds))

    def post(self, url: str) -> Any:
        """Post a body to the address."""
        return self.runner.run(self.outbound.post(url, b"{}", {}, seconds_max=SECONDS_MAX))


def opened(folder: Path, *allow: str) -> Iterator[House]:
    """A house for as long as the iterator is not gone on with."""
    with asyncio.Runner() as runner:
        one = House(runner, folder, *allow)
        runner.run(one.receiver.__aenter__())
        runner.run(one.outbound.__aenter__())
        yield one
        runner.run(one.outbound.__aexit__(None, None, None))
        runner.run(one.receiver.__aexit__())


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house that allows nothing, and whose server must hear nothing."""
    yield from opened(tmp_path_factory.mktemp("fetched"))


@pytest.fixture(scope="module")
def allowing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house that allows its own server."""
    yield from opened(tmp_path_factory.mktemp("fetched"), "127.0.0.1")


def is_refused(house: House, url: str) -> None:
    with pytest.raises(InputRefused):
        house.fetch(url)
    with pytest.raises(NoAnswer) as refused:
        house.post(url)
    assert refused.value.reason == "refused"
    assert house.receiver.requests == []
    assert list(house.folder.iterdir()) == []


@pytest.mark.parametrize("name", DISGUISED)
def test_refuses_a_disguise_in_fetch_and_post(house: House, name: str) -> None:
    house.addresses = ["127.0.0.1"]
    is_refused(house, DISGUISED[name].format(port=house.receiver.port))


@pytest.mark.parametrize("name", INWARD)
def test_refuses_an_inward_address_in_fetch_and_post(house: House, name: str) -> None:
    is_refused(house, literal(INWARD[name], house.receiver.port))


@pytest.mark.parametrize("name", RESOLVED)
def test_refuses_an_inward_name_in_fetch_and_post(house: House, name: str) -> None:
    house.addresses = RESOLVED[name]
    is_refused(house, f"http://files.example:{house.receiver.port}/")
    with pytest.raises(NoAnswer) as refused:
        house.post("https://files.example/")
    assert not any(address in str(refused.value) for address in RESOLVED[name])


# What the text of a Location can carry; three slashes in it begin a path of the same server.
# 127.0.0.1 is allowed here, since the redirect comes from there.
LOCATIONS = {
    name: url.replace("127.0.0.1", "127.0.0.9")
    for name, url in DISGUISED.items()
    if url.isascii() and url.isprintable() and re.match(r"\w+://[^/]", url) and "{port}" in url
}


@pytest.mark.parametrize("name", LOCATIONS)
def test_follows_no_redirect_to_a_disguise(allowing: House, name: str) -> None:
    receiver = allowing.receiver
    head = f"Location: {LOCATIONS[name].format(port=receiver.port)}"
    receiver.write = answer(b"", head, status="307 Again")
    receiver.requests.clear()
    with pytest.raises(InputRefused):
        allowing.fetch(f"http://127.0.0.1:{receiver.port}/")
    assert allowing.post(f"http://127.0.0.1:{receiver.port}/").status == 307
    assert len(receiver.requests) == 2


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_posts_to_no_loopback_when_the_name_is_rebound(scheme: str) -> None:
    # 127.0.0.9 stands for a public address where nothing listens; the second answer is inward.
    async def told() -> list[str]:
        resolve = resolver(["127.0.0.9"], ["127.0.0.1"])
        door = Outbound(["127.0.0.9"], webhook_http=True, resolve=resolve)
        async with Receiver(answer()) as receiver, door as outbound:
            url, reasons = f"{scheme}://a.example:{receiver.port}/", []
            for _ in range(2):
                with pytest.raises(NoAnswer) as failed:
                    await outbound.post(url, b"{}", {}, seconds_max=SECONDS_MAX)
                reasons.append(failed.value.reason)
            assert receiver.requests == []
            return reasons

    assert asyncio.run(told()) == ["connect", "refused"]
