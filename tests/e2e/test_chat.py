"""Chat: the official OpenAI client talks through Darkroom, and pays for the tokens it used."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import psycopg
import pytest
from e2e_house import House, ended

from ground import wait_until
from openai_double import OpenAIWire
from wire_double import KEY

_CATALOGUE = """
[TALKER]
name = "Talker"
backends = ["openai"]
[TALKER.kinds.chat]
credits = 600
input_credits = 150
tokens_max = 2000
[TALKER.options.openai]
model = "house-chat"
address = "{url}"
token_cost = {{ text_input = 0.5, output = 2.0 }}

[THINKER]
name = "Thinker"
backends = ["openai"]
[THINKER.kinds.chat]
credits = 600
[THINKER.options.openai]
model = "gpt-5"
address = "{url}/v1beta/openai"
tokens_field = "max_completion_tokens"

[SILENT]
name = "Silent"
backends = ["openai"]
[SILENT.kinds.chat]
credits = 600
[SILENT.options.openai]
model = "uncounted"
address = "{url}"
"""
_HELLO = [{"role": "user", "content": "hello there, who are you?"}]


@pytest.fixture
def wire(house: House) -> Iterator[OpenAIWire]:
    """A service of language models, and a house that offers three of them."""
    house.environment["OPENAI_API_KEY"] = KEY
    house.environment["DARKROOM_WORKERS"] = "1"
    with OpenAIWire() as one:
        path = house.folder / "catalogue.toml"
        path.write_text(path.read_text() + _CATALOGUE.format(url=one.url))
        house.start("serve")
        yield one


def _talker(client: httpx.Client) -> openai.OpenAI:
    """The official client, which reaches us as it would reach OpenAI."""
    key = client.headers["authorization"].removeprefix("Bearer ")
    return openai.OpenAI(base_url=f"{client.base_url}/v1", api_key=key, max_retries=0)


def _balance_mill(client: httpx.Client) -> int:
    return round(client.get("/v1/generation/balance").json()["data"] * 1000)


def test_the_official_client_talks_and_pays_for_the_tokens_it_used(house: House, wire) -> None:
    client = house.client()
    talker = _talker(client)
    answer = talker.chat.completions.create(
        model="TALKER",
        messages=[{"role": "system", "content": "Be brief."}, *_HELLO],
        n=2,
        temperature=0,
        seed=3,
        stop=["\n"],
        max_tokens=100,
    )
    assert [one.message.content for one in answer.choices] == ["0 of hello", "1 of hello"]
    assert (answer.model, answer.object, answer.usage.total_tokens) == (
        "TALKER",
        "chat.completion",
        13,
    )
    assert wire.requests[-1].json == {
        "model": "house-chat",
        "max_tokens": 100,
        "messages": [{"role": "system", "content": "Be brief."}, *_HELLO],
        "n": 2,
        "temperature": 0,
        "seed": 3,
        "stop": ["\n"],
    }
    # 7 read at 150 credits a million and 6 answered at 600 are 4.65 mill, of which none is left.
    assert (answer.cost_mill, answer.served_by) == (5, "openai")
    assert _balance_mill(client) == 1_000_000 - 5
    seen = client.get(f"/v1/generation/{answer.task_id}/status").json()["data"]
    assert seen["completion"]["choices"][0]["message"]["content"] == "0 of hello"
    assert [httpx.get(url).text for url in seen["texts"]] == ["0 of hello\n", "1 of hello\n"]
    with psycopg.connect(house.ground.conninfo) as connection:
        [call] = connection.execute("SELECT state, cost_micro FROM upstream_calls").fetchall()
    assert call == ("delivered", round(7 * 0.5 + 6 * 2.0))

    answer = talker.chat.completions.create(model="THINKER", messages=_HELLO)
    assert answer.choices[0].message.content == "0 of hello"
    assert wire.requests[-1].json["max_completion_tokens"] == 1024
    models = httpx.get(f"{house.url}/v1/chat/models").json()["models"]
    assert models[0] == {
        "model": "TALKER",
        "desc": "Talker",
        "max_tokens": 2000,
        "input_price": 150,
        "output_price": 600,
    }
    assert [one["model"] for one in models] == ["TALKER", "THINKER", "SILENT"]

    body = {"model": "TALKER", "messages": _HELLO}
    queued = client.post("/v1/generation/chat", json=body).json()["data"]
    assert queued["cost_mill"] > 600  # the most it may cost is held
    [task] = ended(client, queued["task_ids"])
    assert task["completion"]["usage"]["completion_tokens"] == 3
    assert task["cost_mill"] == 3  # 5 read and 3 answered are 2.55 mill


def test_what_a_template_says_by_itself_is_paid_for(house: House, wire) -> None:
    client = house.client()
    wire.template_tokens = 981
    body = {"model": "TALKER", "messages": _HELLO, "max_tokens": 3}
    answer = client.post("/v1/chat/completions", json=body).json()
    assert answer["usage"]["prompt_tokens"] == 986
    # 986 read at 150 credits a million and 3 answered at 600 are 149.7 mill.
    assert answer["cost_mill"] == 150
    assert _balance_mill(client) == 1_000_000 - 150


def test_what_cannot_be_answered_costs_nothing(house: House, wire) -> None:
    client = house.client()
    talker = _talker(client)

    def refused(error: type[openai.APIStatusError], said: str, **asked: Any) -> None:
        with pytest.raises(error, match=said):
            talker.chat.completions.create(**{"model": "TALKER", "messages": _HELLO, **asked})

    refused(openai.BadRequestError, "stream is not supported", stream=True)
    refused(openai.BadRequestError, "answers at most 2000", max_tokens=2001)
    refused(openai.BadRequestError, "messages cannot be empty", messages=[])
    refused(openai.NotFoundError, "is not known", model="NOBODY")
    refused(openai.NotFoundError, "does not do chat", model="PROBE")
    poor = _talker(house.client(0))
    with pytest.raises(openai.APIStatusError, match="credits") as caught:
        poor.chat.completions.create(model="TALKER", messages=_HELLO)
    assert caught.value.status_code == 402
    assert not wire.requests
    refused(openai.InternalServerError, "does not tell the tokens", model="SILENT")
    wire.faults.append("policy")
    refused(openai.BadRequestError, "told: policy")
    wire.faults.append("lost")
    refused(openai.InternalServerError, "its answer was lost")
    assert _balance_mill(client) == 1_000_000


def test_an_answer_that_nobody_waits_for_any_more_is_told_to_stop(house: House, wire) -> None:
    client = house.client()
    wire.gates["read"] = gate = threading.Event()
    hasty = _talker(client).with_options(timeout=1)
    with pytest.raises(openai.APITimeoutError):
        hasty.chat.completions.create(model="TALKER", messages=_HELLO)

    def told() -> list[Any]:
        with psycopg.connect(house.ground.conninfo) as connection:
            query = "SELECT id FROM tasks WHERE cancel_asked_at IS NOT NULL"
            return connection.execute(query).fetchall()

    [[task_id]] = wait_until(told, what="the cancel")
    gate.set()
    # The service had begun, cannot be told to stop, and bills it.
    [task] = ended(client, [task_id])
    assert (task["task_status"], task["cost_mill"]) == ("SUCCESS", 3)
