"""The kind that talks: answers of a language model, paid by tokens."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from darkroom import errors
from darkroom.domain.kinds.kind import TOKENS, Kind, ModelKey, Submit

MESSAGES_MAX = 50
CONTENT_CHARS_MAX = 200_000
STOPS_MAX = 4
# What a chat's template adds to a message, and says by itself, such as a date or a system message:
# by the longest of 24 templates that come with llama.cpp, GigaChat 3's, one word is 981 tokens.
_MESSAGE_TOKENS = 16
_TEMPLATE_TOKENS = 1024

Penalty = Annotated[float, msgspec.Meta(ge=-2, le=2)]


class Message(msgspec.Struct, omit_defaults=True):
    """What one side has said."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, msgspec.Meta(min_length=1, max_length=CONTENT_CHARS_MAX)]


class Chat(Submit, kw_only=True):
    """An answer to what was said."""

    model: ModelKey
    messages: Annotated[
        list[Message],
        msgspec.Meta(
            min_length=1, max_length=MESSAGES_MAX, description="What was said, the last word last."
        ),
    ]
    max_tokens: Annotated[
        Annotated[int, msgspec.Meta(ge=1)],
        msgspec.Meta(description="So many tokens an answer may have; their price is held."),
    ] = 1024
    max_completion_tokens: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        msgspec.Meta(description="The newer name of max_tokens, and before it."),
    ] = None
    temperature: Annotated[
        float, msgspec.Meta(ge=0, le=2, description="How freely words are chosen.")
    ] = 1.0
    top_p: Annotated[
        float, msgspec.Meta(ge=0, le=1, description="Of the likely words, this share.")
    ] = 1.0
    presence_penalty: Annotated[
        Penalty, msgspec.Meta(description="Above 0: rather something new.")
    ] = 0.0
    frequency_penalty: Annotated[
        Penalty, msgspec.Meta(description="Above 0: rather no word again.")
    ] = 0.0
    n: Annotated[int, msgspec.Meta(ge=1, le=16, description="So many answers.")] = 1
    stop: Annotated[
        str | Annotated[list[str], msgspec.Meta(max_length=STOPS_MAX)] | None,
        msgspec.Meta(description="Where an answer ends early: a text, or up to four."),
    ] = None
    response_format: Annotated[
        dict[str, Any] | None, msgspec.Meta(description="Such as a JSON schema to answer in.")
    ] = None
    stream: Annotated[
        bool, msgspec.Meta(description="Only false: the answer comes when it is whole.")
    ] = False

    @property
    def output_tokens_max(self) -> int:
        """So many tokens all answers may have."""
        return self.n * (self.max_completion_tokens or self.max_tokens)

    @property
    def input_tokens_max(self) -> int:
        """More tokens than what was said can be: no token has less than a byte."""
        said = sum(len(one.content.encode()) + _MESSAGE_TOKENS for one in self.messages)
        return said + _TEMPLATE_TOKENS

    def check(self) -> None:
        if self.stream:
            raise errors.BadParameter(
                "stream is not supported: leave it out, the answer comes when it is whole.",
                field="stream",
            )


CHAT = Kind(
    name="chat",
    summary="Answer what was said, by a language model of another service.",
    input=Chat,
    outputs="texts",
    units=(TOKENS,),
    built_in="",
    texts=("messages",),
    told=("completion",),
    example={
        "model": "GEMINI_25_FLASH",
        "messages": [{"role": "user", "content": "Name three colours of a sunset."}],
    },
)

KINDS = (CHAT,)
