"""What a key may do, on the wire: its end, its models, its hosts, its credits over two servers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from wire_calls import (
    IMAGE_TO_IMAGE,
    TEXT_TO_IMAGE,
    TINY,
    balance,
    data_url,
    envelope,
    picture,
    refused,
)

from darkroom.domain import api_keys
from darkroom.domain.api_keys import Rules
from ground import Ground, Served, serve, wait_until

WIRES = pytest.mark.parametrize("wire", api_keys.WIRES)
NONE = Rules()
HOOK = "https://hooks.example.com/darkroom"


def _key(ground: Ground, account_id: str, rules: Rules = NONE, **more) -> tuple[str, str]:
    """A key of the account with these rules, and its id."""

    async def story(database):
        async with database.transaction() as tx:
            made, row = await api_keys.create(tx, account_id, rules=rules, **more)
        return made, row.id

    return ground.run(story)


@pytest.fixture
def keyed(server):
    """Makes callers, each of a fresh account and with a key of these rules."""

    def make(rules: Rules = NONE, **more):
        account = server.ground.account()
        return server.client(_key(server.ground, account.id, rules, **more)[0])

    return make


@WIRES
def test_an_expired_key_is_told_so_with_401(server, wire):
    account = server.ground.account()
    key, key_id = _key(server.ground, account.id, wire=wire, days=1)
    with server.client(key) as caller:
        assert balance(caller) == 1000
        with psycopg.connect(server.ground.conninfo) as connection:
            connection.execute("UPDATE api_keys SET expires_at = now() WHERE id = %s", [key_id])
        answer = wait_until(
            lambda: (found := caller.post(TEXT_TO_IMAGE, json=TINY)).status_code == 401 and found,
            seconds_max=5,
            what="the end of a key",
        )
    refused(answer, 401, 1002, "Authentication failed: Invalid API Key. It expired on 20")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@WIRES
@pytest.mark.parametrize("path", [TEXT_TO_IMAGE, IMAGE_TO_IMAGE])
def test_a_key_may_use_only_its_models(keyed, wire, path):
    images = {"images": [data_url(picture())]} if path == IMAGE_TO_IMAGE else {}
    with keyed(Rules(models=["FLUX_PRO", "PAINTER"]), wire=wire) as caller:
        answer = caller.post(path, json=TINY | images | {"model": "FLUX"})
        said = 'may not use the model "FLUX", only FLUX_PRO, PAINTER'
        refused(answer, 403, 1009, said, "model")
        assert balance(caller) == 1000
        assert caller.post(path, json=TINY | images).json()["status"] == 0


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        (HOOK, True),
        ("https://HOOKS.Example.com:8443/x?y", True),
        ("https://a.b.wild.example.com/", True),
        ("https://wild.example.com/", False),
        ("https://notwild.example.com/", False),
        ("https://example.com/hooks.example.com", False),
        ("https://hooks.example.com.evil.net/", False),
        ("https://xhooks.example.com/", False),
        ("https://hooks.example.com./", False),
    ],
)
def test_a_key_may_have_only_its_hosts_called(keyed, url, allowed):
    rules = Rules(callback_hosts=["Hooks.example.com", "*.wild.example.com"])
    with keyed(rules) as caller:
        for path, body in (
            (TEXT_TO_IMAGE, TINY | {"webhook_url": url}),
            ("/v1/webhooks/endpoints", {"url": url}),
        ):
            answer = caller.post(path, json=body)
            if allowed:
                assert answer.status_code == 200, answer.text
            elif answer.json()["status"] != 1002:  # no host that anybody may name
                field = "webhook_url" if "webhook_url" in body else "url"
                said = "only hooks.example.com, *.wild.example.com"
                refused(answer, 403, 1009, said, field)


def test_a_key_without_rules_may_do_what_its_account_may(keyed):
    with keyed() as caller:
        assert caller.post(TEXT_TO_IMAGE, json=TINY | {"webhook_url": HOOK}).status_code == 200


@pytest.mark.parametrize(("wire", "status"), [("quickstart", 402), ("reference", 200)])
def test_a_spend_limit_is_said_in_both_spellings(keyed, wire, status):
    rules = Rules(spend_mill_max=900, spend_period="month")
    with keyed(rules, wire=wire, name="ci") as caller:
        answer = caller.post(TEXT_TO_IMAGE, json=TINY | {"image_number": 2})
        said = 'the API key "ci" has 0.9 left of its spend limit of 0.9 credits a month'
        assert (answer.status_code, answer.json()["status"]) == (status, 1011)
        envelope(answer, said, None)
        assert balance(caller) == 1000


@pytest.fixture
def servers(ground, tmp_path):
    """Two processes that serve one database, and run no task."""
    both: list[Served] = []
    try:
        both += [serve(ground.conninfo, tmp_path / "one", workers="0")]
        both += [serve(ground.conninfo, tmp_path / "two", workers="0")]
        yield both
    finally:
        for one in both:
            one.stop()


def test_two_servers_never_pass_a_key_s_limit_and_a_cancel_gives_it_back(ground, servers, server):
    account = ground.account()
    rules = Rules(spend_mill_max=25_500, spend_period="total")
    key, key_id = _key(ground, account.id, rules)
    headers = {"Authorization": f"Bearer {key}"}
    callers = [server.client(key) for _ in servers]
    for caller, served in zip(callers, servers, strict=True):
        caller.base_url = served.url

    def post(number: int):
        return callers[number % 2].post(TEXT_TO_IMAGE, json=TINY, headers=headers)

    def spent() -> int:
        async def story(database):
            async with database.statement() as tx:
                return (await api_keys.owned(tx, account.id, key_id)).spent_mill

        return ground.run(story)

    with ThreadPoolExecutor(16) as pool:
        answers = [*pool.map(post, range(80))]
    took = [one.json()["data"] for one in answers if one.status_code == 200]
    assert {one.status_code for one in answers} == {200, 402}
    price = round((1000 - balance(callers[0])) * 1000) // len(took)
    assert len(took) == 25_500 // price
    assert spent() == len(took) * price
    for caller, one in zip(callers, took[:2], strict=False):
        caller.post(f"/v1/generation/{one['task_id']}/cancel").raise_for_status()
    assert spent() == (len(took) - 2) * price
    assert [post(number).status_code for number in range(3)] == [200, 200, 402]
    for caller in callers:
        caller.close()
