"""Chat completions: an answer of a language model, in the wire that most of them speak.

Source: OpenAI's API reference, `chat/completions`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from darkroom import errors
from darkroom.engine.backends.contract import Input
from darkroom.engine.backends.remote.line import read
from darkroom.engine.backends.remote.upstream import Result, Seen

SECONDS_MAX = 300.0
# What is kept of an answer; with the longest that a model may give it is far from there.
_ANSWER_BYTES_MAX = 4 * 2**20
# What goes on as the caller said it; what was left out the service decides.
_PASSED_ON = (
    *("messages", "n", "temperature", "top_p", "presence_penalty", "frequency_penalty"),
    *("seed", "stop", "response_format"),
)

Count = Annotated[int, msgspec.Meta(ge=0)]
TokensField = Literal["max_tokens", "max_completion_tokens"]


class Usage(msgspec.Struct):
    """The tokens that were read and answered, which the answer is paid by."""

    prompt_tokens: Count
    completion_tokens: Count


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class Completion(msgspec.Struct):
    """An answer: its choices, and the tokens that were used."""

    choices: Annotated[list[_Choice], msgspec.Meta(min_length=1)]
    usage: Usage | None = None


def request(given: Input, model: str, tokens_field: TokensField) -> dict[str, Any]:
    """What is sent."""
    usual = {"n": 1, "temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0}
    said = {
        field: value
        for field in _PASSED_ON
        if (value := given.fields.get(field)) is not None and value != usual.get(field)
    }
    tokens_max = given.fields.get("max_completion_tokens") or given.fields["max_tokens"]
    return {"model": model, tokens_field: tokens_max, **said}


def seen(answer: Any, name: str) -> tuple[Seen, Usage | None]:
    """What the upstream of this name answered, and the tokens that it tells."""
    completion = read(answer, Completion)
    fault = ""
    if completion.usage is None:
        fault = f"{name} does not tell the tokens of its answer: it cannot be paid for."
    elif len(msgspec.json.encode(answer)) > _ANSWER_BYTES_MAX:
        fault = f"{name} answered more than {_ANSWER_BYTES_MAX} bytes."
    if fault or completion.usage is None:
        return Seen(error=errors.BackendFailed(fault), is_billed=True), completion.usage
    return Seen(results=_results(completion, answer, completion.usage)), completion.usage


def _results(completion: Completion, answer: Any, usage: Usage) -> tuple[Result, ...]:
    """Each choice as a text; the whole answer and its tokens are told beside the first."""
    notes = {
        "completion": answer,
        "input_tokens": usage.prompt_tokens,
        "output_tokens": usage.completion_tokens,
    }
    texts = [one.message.content or one.message.refusal or "" for one in completion.choices]
    return tuple(
        Result(data=f"{text}\n".encode(), media_type="text/plain", notes={} if number else notes)
        for number, text in enumerate(texts)
    )
