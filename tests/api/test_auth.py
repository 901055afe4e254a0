"""Keys: which are taken and where, and what a bad one is told."""

from __future__ import annotations

import secrets
import zlib

import httpx
import pytest
from starlette.requests import Request
from wire_calls import refused, succeeded

from darkroom import errors
from darkroom.api import app
from darkroom.api.principal import Principals
from darkroom.domain import api_keys
from ground import wait_until

BALANCE = "/v1/generation/balance"
KEYED = [route for route in app.ROUTES if route.needs_key]
OPEN = [route for route in app.ROUTES if not route.needs_key]


def _ask(server, headers, path=BALANCE):
    return httpx.get(server.url + path, headers=headers)


def _path(route):
    return route.path.replace("{", "").replace("}", "")


def _reversed_checksum(key):
    return key[:-8] + f"{zlib.crc32(key[3:-8].encode()) ^ 1:08x}"


@pytest.mark.parametrize("route", KEYED, ids=[f"{one.method} {one.path}" for one in KEYED])
def test_every_keyed_route_refuses_a_caller_without_a_key(server, route):
    for prefix in ("", app.MIRROR if route.path.startswith("/v1/generation/") else ""):
        answer = httpx.request(route.method, server.url + prefix + _path(route))
        refused(answer, 401, 1002, "no API key")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("route", OPEN, ids=[f"{one.method} {one.path}" for one in OPEN])
def test_every_open_route_asks_for_no_key(server, route):
    headers = {"Authorization": "Bearer nonsense"}
    answer = httpx.request(route.method, server.url + _path(route), headers=headers)
    assert answer.status_code in {200, 404}


@pytest.mark.parametrize(
    "header", ["Bearer {key}", "bearer {key}", "BEARER {key}", "Bearer   {key}"]
)
def test_a_bearer_key_is_taken_in_any_spelling_of_its_scheme(server, header):
    headers = {"Authorization": header.format(key=server.key)}
    assert succeeded(_ask(server, headers)) <= 1000


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Basic eDp5"])
def test_x_api_key_is_taken_where_no_bearer_key_is(server, authorization):
    headers = {"x-api-key": server.key}
    if authorization is not None:
        headers["Authorization"] = authorization
    assert succeeded(_ask(server, headers)) <= 1000


def test_the_bearer_key_counts_where_both_are_sent(server):
    headers = {"x-api-key": server.key, "Authorization": f"Bearer {api_keys.make()}"}
    refused(_ask(server, headers), 401, 1002, "Invalid API Key")


@pytest.mark.parametrize(
    "spoilt",
    [
        *(str.upper, str.swapcase, lambda key: key[:-1], lambda key: key + "0"),
        *(lambda key: key[3:], lambda key: "pk-" + key[3:], _reversed_checksum),
        *(lambda key: key[:10] + " " + key[10:], lambda key: f'"{key}"'),
        *(lambda key: "sk-", lambda key: "YOUR_API_KEY", lambda key: "sk-" + "é" * 48),
        *(lambda key: "sk-" + "\u0661" * 48, lambda key: "x" * 8000),
    ],
)
def test_a_malformed_key_is_told_that_it_is_malformed(server, spoilt):
    headers = [(b"Authorization", b"Bearer " + spoilt(server.key).encode())]
    refused(_ask(server, headers), 401, 1002, "Invalid API Key. A key is sk- and 48 hex digits")


def test_a_well_formed_key_that_nobody_has_is_refused(server):
    headers = {"Authorization": f"Bearer {api_keys.make()}"}
    refused(_ask(server, headers), 401, 1002, "unknown here or was revoked")


@pytest.mark.parametrize("authorization", ["Basic eDp5", "Bearer", "Digest x", "sk-only"])
def test_another_scheme_is_no_key(server, authorization):
    answer = _ask(server, {"Authorization": authorization})
    refused(answer, 401, 1002, "Authentication failed")


def test_no_refusal_repeats_the_key(server):
    key = "sk-" + secrets.token_hex(24)
    assert key not in _ask(server, {"Authorization": f"Bearer {key}"}).text


def test_a_revoked_key_stops_working_after_a_moment(server):
    account = server.ground.account()
    key = server.ground.key(account.id)

    async def revoke(database):
        async with database.transaction() as tx:
            [row] = await api_keys.list_for(tx, account.id)
            return await api_keys.revoke(tx, row.id)

    with server.client(key) as caller:
        succeeded(caller.get(BALANCE))
        server.ground.run(revoke)
        answer = wait_until(
            lambda: (found := caller.get(BALANCE)).status_code == 401 and found,
            seconds_max=5,
            what="the end of a revoked key",
        )
    refused(answer, 401, 1002, "unknown here or was revoked")


def test_what_is_known_of_a_key_in_use_is_renewed_before_it_is_forgotten(server):
    account = server.ground.account()
    headers = [(b"x-api-key", server.ground.key(account.id).encode())]
    request = Request({"type": "http", "headers": headers})

    async def story(database):
        principals = Principals(database)
        assert (await principals.find(request)).account_id == account.id
        async with database.transaction() as tx:
            [row] = await api_keys.list_for(tx, account.id)
            await api_keys.revoke(tx, row.id)
        await principals.renew()
        with pytest.raises(errors.Unauthenticated, match="was revoked"):
            await principals.find(request)

    server.ground.run(story)


def test_a_fresh_key_works_at_once(server):
    account = server.ground.account()
    with server.client(server.ground.key(account.id)) as caller:
        assert succeeded(caller.get(BALANCE)) == 1000


def test_a_key_is_checked_before_the_body(server):
    url = server.url + "/v1/generation/text-to-image"
    refused(httpx.post(url, content=b"{"), 401, 1002)
