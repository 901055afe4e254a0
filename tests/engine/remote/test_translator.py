"""What is asked of the language model that translates, and what each answer costs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from darkroom import errors
from darkroom.engine.backends.contract import Call, Input
from darkroom.engine.backends.remote import core
from darkroom.engine.backends.remote.upstream import Seen
from darkroom.engine.backends.translation.backend import Translation
from translation_double import Translator
from wire_double import KEY

_TEXTS = ["SUMMER FESTIVAL", "Free entry for children"]
_GERMAN = ["SOMMERFEST", "Kinder haben freien Eintritt"]
_ONCE = 100 + 4 * 20  # what an answer of the double costs, in millionths of a dollar


class _Errand:
    """Of an errand the part that a request uses."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Translator]:
    monkeypatch.setenv("TRANSLATION_KEY", KEY)
    with Translator() as one:
        yield one


def _asked(wire: Translator, **more: Any) -> Seen:
    """The end of one call for two texts."""
    options = {
        "model": "house-chat",
        "address": wire.url,
        "key": "TRANSLATION_KEY",
        "token_cost": {"text_input": 1.0, "output": 4.0},
        **more,
    }
    fields = {"texts": _TEXTS, "language": "German"}

    async def ask() -> Seen:
        # As the worker has it: no connection is used twice.
        limits = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(limits=limits) as http:
            remote: Any = Translation()
            errand: Any = _Errand(http)
            line = core.line_to(remote, options, errand)
            given = Input("image-translate", "TOOLBOX", fields)
            call = Call("upc_1", "sending", None, is_resumed=False)
            return await remote.submit(given, line, call)

    return asyncio.run(ask())


def _translated(seen: Seen) -> list[str]:
    return msgspec.json.decode(seen.results[0].data, type=list[str])


def test_the_texts_go_as_a_list_in_one_request(wire: Translator) -> None:
    seen = _asked(wire, extra={"temperature": 0})
    assert (_translated(seen), seen.cost_micro, seen.error) == (_GERMAN, _ONCE, None)
    [request] = wire.requests
    body = request.json
    assert (body["model"], body["temperature"]) == ("house-chat", 0)
    assert body["max_tokens"] == 600 + 3 * (15 + 23 + 2 * 8)
    assert body["response_format"]["json_schema"]["strict"] is True
    assert msgspec.json.decode(body["messages"][1]["content"]) == _TEXTS


def test_who_knows_no_schema_is_asked_without(wire: Translator) -> None:
    wire.knows_schemas = False
    seen = _asked(wire)
    assert (_translated(seen), seen.cost_micro) == (_GERMAN, _ONCE)
    assert ["response_format" in one.json for one in wire.requests] == [True, False]
    assert len(wire.billed) == 1


def test_an_answer_that_does_not_fit_is_asked_for_once_more(wire: Translator) -> None:
    wire.slips.append('["only one"]')
    seen = _asked(wire)
    assert (_translated(seen), seen.cost_micro) == (_GERMAN, 2 * _ONCE)
    assert "exactly 2 translations" in wire.billed[-1]


def test_after_the_second_it_fails_and_both_are_billed(wire: Translator) -> None:
    wire.slips += ["I would rather not.", '{"translations": "eins"}', "never asked for"]
    seen = _asked(wire)
    assert isinstance(seen.error, errors.BackendFailed)
    assert "it has no list of texts" in seen.error.message
    assert (seen.is_billed, seen.cost_micro, len(wire.billed)) == (True, 2 * _ONCE, 2)


@pytest.mark.parametrize("fault", ["later", "lost", "page", "policy"])
def test_the_first_answer_is_billed_whatever_becomes_of_the_second(
    wire: Translator, fault: str
) -> None:
    wire.slips.append("no")
    wire.faults += ["", fault]
    seen = _asked(wire)
    assert isinstance(seen.error, errors.BackendFailed)
    assert (seen.is_billed, seen.cost_micro) == (True, _ONCE)


def test_what_is_refused_costs_nothing(wire: Translator) -> None:
    wire.faults.append("policy")
    with pytest.raises(errors.ContentBlocked, match="The double was told: policy"):
        _asked(wire)
    wire.faults.append("later")
    with pytest.raises(errors.Hindered):
        _asked(wire)
    assert wire.billed == []


def test_a_model_that_refuses_is_told_as_that(wire: Translator) -> None:
    wire.refuses = "I cannot translate this."
    seen = _asked(wire)
    assert isinstance(seen.error, errors.ContentBlocked)
    assert "I cannot translate this." in seen.error.message
    assert (seen.is_billed, seen.cost_micro, len(wire.billed)) == (True, _ONCE, 1)


def test_an_option_that_is_none_and_a_key_that_is_missing_are_said(wire: Translator) -> None:
    with pytest.raises(errors.Hindered, match="options for translation"):
        _asked(wire, languages=["eng"])
    with pytest.raises(errors.Hindered, match="model for image-translate"):
        _asked(wire, model="")
