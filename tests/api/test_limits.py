"""Request limits: counted over all servers, told to the caller, and free where there are none."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from wire_calls import refused, succeeded

from darkroom.api.limiter import Limiter
from darkroom.domain import accounts, api_keys
from darkroom.domain.buckets import Limit
from darkroom.errors import RateLimited
from ground import Server, wait_until

BALANCE = "/v1/generation/balance"


def _limited(server: Server, *, account: int = 0, key: int = 0, wire: str = "quickstart") -> str:
    """A key of a fresh account, both with their requests a minute; 0: no limit."""
    owner = server.ground.account()
    made = server.ground.key(owner.id, wire)

    async def story(database):
        async with database.transaction() as tx:
            await accounts.limit(tx, owner.id, accounts.Limits(requests_per_minute=account))
            [row] = await api_keys.list_for(tx, owner.id)
            rules = api_keys.Rules(requests_per_minute=key or None)
            await api_keys.change(tx, row, name=row.name, rules=rules)

    server.ground.run(story)
    return made


def _statuses(server: Server, key: str, count: int) -> list[int]:
    """The status of so many requests, eight at a time."""
    headers = {"Authorization": f"Bearer {key}"}
    with (
        httpx.Client(base_url=server.url, headers=headers) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        return [*pool.map(lambda _: client.get(BALANCE).status_code, range(count))]


@pytest.mark.parametrize("limits", [{"account": 12}, {"key": 12}, {"account": 50, "key": 12}])
def test_what_is_over_a_limit_is_refused_and_nothing_below(server, limits):
    statuses = _statuses(server, _limited(server, **limits), 30)
    # Two seconds may add a token to the twelve.
    assert 12 <= statuses.count(200) <= 14
    assert statuses.count(429) == 30 - statuses.count(200)


@pytest.mark.parametrize("wire", ["quickstart", "reference"])
def test_a_refusal_says_when_to_come_back(server, wire):
    with server.client(_limited(server, account=1, wire=wire)) as caller:
        succeeded(caller.get(BALANCE))
        answer = caller.get(BALANCE)
    refused(answer, 429, 1001, "rate limit: this account may send 1 requests a minute")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.headers["RateLimit-Policy"] == '"account";q=1;w=60'
    assert re.fullmatch(r'"account";r=0;t=\d+', answer.headers["RateLimit"])


def test_what_is_left_is_told_with_every_answer(server):
    with server.client(_limited(server, account=100, key=10)) as caller:
        told = [caller.get(BALANCE).headers["RateLimit"] for _ in range(3)]
    left = [[int(one) for one in re.findall(r"r=(\d+)", line)] for line in told]
    assert left == [[9, 99], [8, 98], [7, 97]]
    assert "RateLimit" not in httpx.get(f"{server.url}/health/live").headers


def test_a_caller_without_a_limit_is_not_counted(server):
    with server.caller() as caller:
        assert "RateLimit" not in caller.get(BALANCE).headers


def test_a_bucket_fills_up_again(server):
    with server.client(_limited(server, account=240)) as caller:
        # Faster than it fills: four a second.
        answers = (caller.get(BALANCE).status_code for _ in range(1000))
        assert 429 in answers
        wait_until(lambda: caller.get(BALANCE).status_code == 200, seconds_max=5)


def test_many_servers_grant_together_what_one_would(ground):
    """Four limiters over one database, each asked at once and again and again."""
    limit = Limit("account", "acc_1", 600)

    async def story(database):
        limiters = [Limiter(database) for _ in range(4)]

        async def is_admitted(number: int) -> bool:
            try:
                await limiters[number % 4].admit([limit])
            except RateLimited:
                return False
            return True

        granted = 0
        for _ in range(10):
            granted += sum(await asyncio.gather(*(is_admitted(number) for number in range(100))))
        return granted

    # A minute's worth, what has come in meanwhile, and at most a quarter second's in four purses.
    assert 590 <= ground.run(story) <= 660


def test_a_limit_reaches_a_running_server_within_a_second(server):
    owner = server.ground.account()
    key = server.ground.key(owner.id)

    async def limit(database):
        async with database.statement() as tx:
            await accounts.limit(tx, owner.id, accounts.Limits(requests_per_minute=1))

    with server.client(key) as caller:
        succeeded(caller.get(BALANCE))
        server.ground.run(limit)
        wait_until(lambda: caller.get(BALANCE).status_code == 429, seconds_max=5)
